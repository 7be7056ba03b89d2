"""Image sets from their public address, checked against their digest."""

import gzip
import hashlib
import os
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

import pooch
import requests

from energax.errors import InputError

_CDN = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
ADDRESSES = {"mnist": _CDN, "fashion-mnist": _ZALANDO}
"""Public address of each set."""

_DOWNLOAD = pooch.HTTPDownloader(timeout=30, headers={"Accept-Encoding": "identity"})
"""The gzip file must arrive as it is, so no encoding on top; 30 s without an answer is an error."""

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


def _has_digest(file: Path, digest: str) -> bool:
    """Is `digest` the SHA-256 of what the gzipped `file` holds? A damaged file has none."""
    found = hashlib.sha256()
    try:
        with gzip.open(file) as stream:
            while block := stream.read(1 << 20):
                found.update(block)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return False
    return found.hexdigest() == digest


def fetch(address: str, file: Path, digest: str) -> None:
    """Download `address` to the gzipped `file`, unless it is there; `digest` is without gzip.

    The file appears whole and checked, or not at all. Raises InputError without a network, for an
    answer that is not the file, and where `file` cannot be written.
    """
    if file.exists() and _has_digest(file, digest):
        return
    new = not file.parent.exists()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".download-") as folder:
            part = Path(folder) / file.name
            _DOWNLOAD(address, str(part), None)
            if not _has_digest(part, digest):
                raise InputError(
                    f"What {address} sent has not the SHA-256 {digest[:12]}…: it is damaged or "
                    "another file; try again, or another address."
                )
            os.replace(part, file)
    except requests.RequestException as error:
        raise InputError(
            f"{address} could not be downloaded ({type(error).__name__}): check the network, or "
            f"put {file.name} into {file.parent} by hand."
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror or error}.") from error
    finally:
        if new and not file.exists():
            with suppress(OSError):
                file.parent.rmdir()


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
