"""Image sets from their public address, checked against their digest."""

import gzip
import hashlib
import io
import zlib
from pathlib import Path

import pooch
import requests

from energax.errors import InputError
from energax.files import write_bytes

_CDN = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_ZALANDO = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
ADDRESSES = {"mnist": _CDN, "fashion-mnist": _ZALANDO}
"""Public address of each set."""

_DOWNLOAD = pooch.HTTPDownloader(timeout=30, headers={"Accept-Encoding": "identity"})
"""The gzip file must arrive as it is, so no encoding on top; 30 s without an answer is an error."""

LARGEST = 1 << 26
"""Bytes of a file, compressed or not: the largest of a set has 47 million."""

# SHA-256 of the files without gzip, whose header differs between mirrors.
DIGESTS = {
    "mnist": {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
}


def cache() -> Path:
    """Where downloads go when no folder is given."""
    return Path(pooch.os_cache("energax"))


class _Download:
    """What has arrived so far, as a file that is written to."""

    def __init__(self):
        self.content = io.BytesIO()

    def write(self, block: bytes) -> None:
        """Keep a block. Raises InputError where it makes more than any file of a set."""
        if self.content.tell() + len(block) > LARGEST:
            raise InputError(
                f"The address sends more than {LARGEST >> 20} MiB, which is no file of an image "
                "set: try another address."
            )
        self.content.write(block)

    def flush(self) -> None:
        """Nothing is held back."""


def _has_digest(stream: io.BufferedIOBase, digest: str) -> bool:
    """Is `digest` the SHA-256 of what a gzipped stream holds? A damaged or vast one has none."""
    found, size = hashlib.sha256(), 0
    try:
        with gzip.GzipFile(fileobj=stream) as content:
            while block := content.read(1 << 20):
                found.update(block)
                size += len(block)
                if size > LARGEST:
                    return False
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return False
    return found.hexdigest() == digest


def fetch(address: str, file: Path, digest: str) -> None:
    """Download `address` to the gzipped `file`, unless it is there; `digest` is without gzip.

    The file appears whole and checked, or not at all. Raises InputError without a network, for an
    answer that is not the file, and where `file` cannot be written.
    """
    try:
        if file.exists():
            with file.open("rb") as stream:
                if _has_digest(stream, digest):
                    return
        part = _Download()
        _DOWNLOAD(address, part, None)
        if not _has_digest(io.BytesIO(part.content.getvalue()), digest):
            raise InputError(
                f"What {address} sent has not the SHA-256 {digest[:12]}…: it is damaged or "
                "another file; try again, or another address."
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, part.content.getvalue())
    except requests.RequestException as error:
        raise InputError(
            f"{address} could not be downloaded ({type(error).__name__}): check the network, or "
            f"put {file.name} into {file.parent} by hand."
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror or error}.") from error


def download(name: str, *, base_url: str | None = None, folder: str | Path | None = None) -> Path:
    """Download an image set, check it against its digests, and return its folder.

    Complete files are kept, so an interrupted download resumes at the file where it stopped.

    Args:
        name: "mnist" or "fashion-mnist".
        base_url: a mirror.
        folder: where to put the folder of the set; the user's cache unless given.

    Raises:
        InputError: for an unknown name, without a network, for a file with another digest, or
            where the folder cannot be written.

    Example:
        >>> ex.data.download("mnist").name  # doctest: +SKIP
        'mnist'
    """
    if name not in DIGESTS:
        raise InputError(f"{name!r} cannot be downloaded; {' and '.join(DIGESTS)} can.")
    home = (cache() if folder is None else Path(folder)) / name.replace("-", "_")
    base = (base_url or ADDRESSES[name]).rstrip("/")
    for file, digest in DIGESTS[name].items():
        fetch(f"{base}/{file}.gz", home / f"{file}.gz", digest)
    return home
