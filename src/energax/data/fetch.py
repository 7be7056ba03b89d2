"""Data sets from their public address, checked against their digest."""

import gzip
import hashlib
import io
import zlib
from pathlib import Path

import pooch
import requests

from energax.data.public import PUBLIC, cache
from energax.errors import InputError
from energax.files import write_bytes

_DOWNLOAD = pooch.HTTPDownloader(timeout=30, headers={"Accept-Encoding": "identity"})
"""The gzip file must arrive as it is, so no encoding on top; 30 s without an answer is an error."""

LARGEST = 1 << 26
"""Bytes of a file, compressed or not: the largest of a set has 47 million."""


class _Download:
    """What has arrived so far, as a file that is written to."""

    def __init__(self):
        self.content = io.BytesIO()

    def write(self, block: bytes) -> None:
        """Keep a block. Raises InputError where it makes more than any file of a set."""
        if self.content.tell() + len(block) > LARGEST:
            raise InputError(
                f"The address sends more than {LARGEST >> 20} MiB, which is no file of a "
                "data set: try another address."
            )
        self.content.write(block)

    def flush(self) -> None:
        """Nothing is held back."""


def _has_digest(stream: io.BufferedIOBase, digest: str, is_gzip: bool) -> bool:
    """Is `digest` the SHA-256 of what a stream holds? A damaged or vast gzip file has none."""
    found, size = hashlib.sha256(), 0
    try:
        with gzip.GzipFile(fileobj=stream) if is_gzip else stream as content:
            while block := content.read(1 << 20):
                found.update(block)
                size += len(block)
                if size > LARGEST:
                    return False
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return False
    return found.hexdigest() == digest


def fetch(address: str, file: Path, digest: str) -> None:
    """Download `address` to `file`, unless it is there.

    Where its name ends in .gz, the file is gzipped; `digest` is without gzip.

    The file appears whole and checked, or not at all. Raises InputError without a network, for an
    answer that is not the file, and where `file` cannot be written.
    """
    is_gzip = file.suffix == ".gz"
    try:
        if file.exists():
            with file.open("rb") as stream:
                if _has_digest(stream, digest, is_gzip):
                    return
        part = _Download()
        _DOWNLOAD(address, part, None)
        if not _has_digest(io.BytesIO(part.content.getvalue()), digest, is_gzip):
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
    """Download a data set, check it against its digests, and return its folder.

    Complete files are kept, so an interrupted download resumes at the file where it stopped.

    Args:
        name: such as "mnist", "nltcs" or "rna".
        base_url: a mirror.
        folder: where to put the folder of the set; the user's cache unless given.

    Raises:
        InputError: for an unknown name, without a network, for a file with another digest, or
            where the folder cannot be written.

    Example:
        >>> ex.data.download("mnist").name  # doctest: +SKIP
        'mnist'
    """
    if name not in PUBLIC:
        raise InputError(f"{name!r} cannot be downloaded; {', '.join(PUBLIC)} can.")
    known = PUBLIC[name]
    home = (cache() if folder is None else Path(folder)) / known.folder
    base = (base_url or known.address).rstrip("/")
    for file, digest in known.digests.items():
        fetch(f"{base}/{file}{known.ending}", home / f"{file}{known.ending}", digest)
    return home
