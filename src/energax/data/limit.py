"""How much a file may hold: checked by what it declares, before it is read."""

import gzip
import os
import zlib
from pathlib import Path

from energax.errors import InputError
from energax.options import is_finite

VARIABLE = "ENERGAX_MAX_GB"
"""Names the limit, in GB; read by every command that reads rows, of a new run or an old one."""

USUAL = 4.0
"""The limit in GB where nothing else is said: a small file may decompress to far more."""


def check_size(size: int, source: str) -> None:
    """Raise InputError for a file, or a part of one, that holds more bytes than the limit."""
    word = os.environ.get(VARIABLE, str(USUAL))
    try:
        most = float(word)
    except ValueError:
        most = 0.0
    if not (most > 0 and is_finite(most)):
        raise InputError(f"{VARIABLE} must be a number of GB above 0; got {word!r}.")
    if size > most * 1e9:
        raise InputError(
            f"{source} holds {size / 1e9:.3g} GB once read, more than {most:g} GB: give fewer "
            f"rows, or set {VARIABLE} to allow more."
        )


def unpack(path: Path) -> bytes:
    """The bytes of a file, without gzip where its name ends in .gz.

    Raises InputError for a damaged gzip file, and one that holds more than the limit.
    """
    if path.suffix != ".gz":
        return path.read_bytes()
    content = bytearray()
    try:
        with gzip.open(path) as stream:
            while block := stream.read(1 << 20):
                content += block
                check_size(len(content), path.name)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} is damaged or no gzip file: download it again.") from error
    return bytes(content)
