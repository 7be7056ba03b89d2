"""NumPy and idx files as arrays. Nothing is ever unpickled."""

import gzip
import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from energax.data.limit import check_size
from energax.errors import InputError

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DAMAGES = (ValueError, KeyError, OSError, EOFError, zlib.error, zipfile.BadZipFile, TokenError)
"""What NumPy and the archives raise for bytes that are no array."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


RANK = 8
"""Axes of an array in an idx file, at most."""


def _numbers(stream: IO[bytes] | io.BufferedIOBase, size: int, source: str) -> np.ndarray:
    """The array in a .npy stream of `size` bytes. Objects, strings and short files are refused."""
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except _DAMAGES as error:
        raise InputError(f"{source} is damaged or no .npy file: save it again.") from error
    if dtype.hasobject:
        raise InputError(
            f"{source} holds Python objects, which are never unpickled: save an array of numbers."
        )
    if dtype.kind not in "fiub":
        raise InputError(f"{source} holds {dtype}, not numbers: save an array of real numbers.")
    expected = stream.tell() + math.prod(shape) * dtype.itemsize
    check_size(expected, source)
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
            check_size(sum(entry.file_size for entry in archive.infolist()), path.name)
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
            shape, dtype = _read_header(stream, path.name)
            expected = math.prod(shape) * dtype.itemsize
            check_size(expected, path.name)
            content = stream.read(expected + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} is damaged or no gzip file: download it again.") from error
    if len(content) != expected:
        start = 4 + 4 * len(shape)
        few = len(content) < expected
        fault = "is truncated" if few else "goes on after its end"
        found = f", {start + len(content)} found" if few else ""
        raise InputError(
            f"{path.name} {fault}: {start + expected} bytes expected{found}; download it again."
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(stream: io.BufferedIOBase, source: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the numbers that follow."""
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES:
        raise InputError(
            f"{source} does not start like an idx file: expected 00 00, a type "
            f"and a rank, found {start.hex(' ') or 'nothing'}."
        )
    rank = start[3]
    if rank > RANK:
        raise InputError(f"{source} has {rank} axes: at most {RANK} can be read; reshape it.")
    lengths = stream.read(4 * rank)
    if len(lengths) < 4 * rank:
        raise InputError(
            f"{source} is truncated: {4 + 4 * rank} bytes of header expected, "
            f"{4 + len(lengths)} found."
        )
    return struct.unpack(f">{rank}I", lengths), np.dtype(_IDX_TYPES[start[2]])
