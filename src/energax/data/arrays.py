"""NumPy and idx files as arrays. Nothing is ever unpickled."""

import gzip
import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from energax.errors import InputError

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _numbers(stream: IO[bytes] | io.BufferedIOBase, size: int, source: str) -> np.ndarray:
    """The array in a .npy stream of `size` bytes. Objects, strings and short files are refused."""
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except (ValueError, KeyError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{source} is damaged or no .npy file: save it again.") from error
    if dtype.hasobject:
        raise InputError(
            f"{source} holds Python objects, which are never unpickled: save an array of numbers."
        )
    if dtype.kind not in "fiub":
        raise InputError(f"{source} holds {dtype}, not numbers: save an array of real numbers.")
    expected = stream.tell() + math.prod(shape) * dtype.itemsize
    if size < expected:
        raise InputError(
            f"{source} is truncated: {expected} bytes expected, {size} found; copy it again."
        )
    try:
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{source} is damaged: copy or save it again.") from error


def read_npy(path: Path) -> np.ndarray:
    """The array of numbers in a .npy file."""
    with path.open("rb") as stream:
        return _numbers(stream, path.stat().st_size, path.name)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of numbers in a .npz file, by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                with archive.open(entry) as stream:
                    source = f"The array {name!r} in {path.name}"
                    found[name] = _numbers(stream, entry.file_size, source)
            return found
    # zipfile raises RuntimeError for a password and for an unknown compression.
    except (zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{path.name} is damaged or no .npz file: save it again.") from error


def read_idx(path: Path) -> np.ndarray:
    """The array in an idx file, the format of MNIST, plain or gzipped.

    Two zero bytes, one for the type, one for the rank, each length as four bytes, then the
    numbers; all big-endian.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} is damaged or no gzip file: download it again.") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise InputError(
            f"{path.name} does not start like an idx file: expected 00 00, a type "
            f"and a rank, found {content[:4].hex(' ') or 'nothing'}."
        )
    dtype, rank = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise InputError(
            f"{path.name} is truncated: {start} bytes of header expected, {len(content)} found."
        )
    shape = struct.unpack(f">{rank}I", content[4:start])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "goes on after its end"
        raise InputError(
            f"{path.name} {fault}: {expected} bytes expected, {len(content)} found; "
            "download it again."
        )
    numbers = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return numbers.astype(dtype.newbyteorder("="))
