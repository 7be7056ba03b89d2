"""Any file that holds rows, by its path."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool

from energax.data.arrays import read_idx, read_npy, read_npz
from energax.data.column_kinds import FRAMES, is_mixed, read_frame
from energax.data.fasta import read_fasta
from energax.data.images import read_images
from energax.data.limit import check_size
from energax.data.rows import Table, check_table, make_table
from energax.data.tables import Read, read_csv, read_parquet
from energax.errors import InputError, join_words

KNOWN = (
    ".npy, .npz, .csv, .parquet, .data (whole numbers), .fasta (aligned sequences), an idx file "
    "(such as train-images-idx3-ubyte.gz) or a folder"
)
"""What can be read. Text may be gzipped: .csv.gz, .data.gz, .fasta.gz."""

SEQUENCES = (".fasta", ".fa")


def _from_cells(found: Read, source: str) -> Table:
    table = make_table(found.numbers, found.columns, source)
    return dataclasses.replace(table, unreadable=found.unreadable)


def _from_npz(path: Path) -> Table:
    found = read_npz(path)
    if set(found) == {"train", "test"}:
        train, test = found["train"], found["test"]
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise InputError(
                f"{path.name}: `train` is {train.dtype} {train.shape} and `test` is {test.dtype} "
                f"{test.shape}; they may differ in the number of rows only."
            )
        if not train.ndim:
            raise InputError(f"{path.name}: `train` and `test` are single numbers, not rows.")
        both = make_table(np.concatenate([train, test]), None, path.name)
        return dataclasses.replace(both, train_rows=len(train))
    if len(found) != 1:
        raise InputError(
            f"{path.name} holds {join_words(sorted(found)) or 'no array'}: expected one array, or "
            "the two arrays train and test."
        )
    return make_table(next(iter(found.values())), None, path.name)


def _find_ending(path: Path) -> str:
    """The ending of a name; of text, without .gz."""
    ending = path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner if ending == ".gz" and inner in (".csv", ".data", *SEQUENCES) else ending


def _read(path: Path, letters: str | None = None) -> Table:
    """The numbers of a file as they stand there: NaN where a cell is missing."""
    if letters is not None and _find_ending(path) not in SEQUENCES:
        raise InputError(f"{path.name} holds no sequences: leave out `letters`.")
    try:
        return _numbers_of(path, letters)
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _numbers_of(path: Path, letters: str | None) -> Table:
    if path.is_dir():
        return make_table(read_images(path), None, path.resolve().name)
    if not path.exists():
        raise InputError(f"There is no file {path}: check the path.")
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device: save the rows to a file first.")
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty: it has no bytes.")
    check_size(path.stat().st_size, path.name)
    if re.search(r"idx\d*(-\w+)?(\.gz)?$", path.name):
        return make_table(read_idx(path), None, path.name)
    match _find_ending(path):
        case ".npy":
            return make_table(read_npy(path), None, path.name)
        case ".npz":
            return _from_npz(path)
        case ".csv":
            return _from_cells(read_csv(path), path.name)
        case ".data":
            return dataclasses.replace(_from_cells(read_csv(path), path.name), whole=True)
        case ".parquet":
            return _from_cells(read_parquet(path), path.name)
        case ".fasta" | ".fa":
            return read_fasta(path, letters)
    raise InputError(f"{path.name} is of no known kind; known are {KNOWN} of images.")


def read_rows(path: str | Path, *, letters: str | None = None) -> Table:
    """Read the rows of a file or of a folder of images, without splitting them.

    Tables become float32 (float64 and integers are rounded to it). uint8 arrays of rank 3 or more
    are images of 256 levels; a folder of colour images has the channels first. `train` and `test`
    of a .npz come one after the other. Sequences become the places of their letters in `letters`,
    uint8: unless given, these are the alphabet of DNA, RNA or proteins, as the letters are.

    Raises:
        InputError: one sentence that says which file, row and column cannot be used, and why.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/points.npy"; np.save(path, np.zeros((3, 2)))
        >>> ex.data.read_rows(path).rows.shape
        (3, 2)
    """
    return check_table(_read(Path(path), letters))


def is_mixed_file(path: str | Path) -> bool:
    """Is it a table in which cells miss, or hold other things than numbers?

    Example:
        >>> ex.data.is_mixed_file("images.npy")
        False
    """
    file = Path(path)
    return _find_ending(file) in FRAMES and file.is_file() and is_mixed(_read(file))


def read_mixed(path: str | Path) -> pl.DataFrame:
    """The cells of a .csv or .parquet, missing ones null: text of a .csv, else as they are.

    Raises:
        InputError: for a file of another kind, or one that is damaged.

    Example:
        >>> import pathlib, tempfile
        >>> path = tempfile.mkdtemp() + "/a.csv"; _ = pathlib.Path(path).write_text("a,b\\nx,\\n")
        >>> ex.data.read_mixed(path).rows()
        [('x', None)]
    """
    file = Path(path)
    _read(file)
    return read_frame(file, _find_ending(file))


def read_partial(path: str | Path) -> tuple[Table, Bool[np.ndarray, " size *shape"]]:
    """Read the rows of a file in which numbers may be missing: an empty cell, or NaN.

    Returns:
        The rows, with 0 for each missing number, and True where one is missing.

    Raises:
        InputError: as `read_rows`, for all else.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/points.npy"; np.save(path, np.array([[1.0, np.nan]]))
        >>> ex.data.read_partial(path)[1].tolist()
        [[False, True]]
    """
    table = _read(Path(path))
    missing = np.isnan(table.rows)
    blank = np.zeros((), table.rows.dtype)
    rows = np.where(missing, blank, table.rows)
    return check_table(dataclasses.replace(table, rows=rows)), missing
