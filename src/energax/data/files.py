"""Any file that holds rows, by its path."""

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from energax.data.arrays import read_idx, read_npy, read_npz
from energax.data.cells import to_reals
from energax.data.images import read_images
from energax.data.limit import check_size
from energax.data.tables import Read, read_csv, read_parquet
from energax.errors import InputError, join_words

KNOWN = ".npy, .npz, .csv, .parquet, an idx file (such as train-images-idx3-ubyte.gz) or a folder"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows before they are split: float32 numbers, or uint8 images where `levels` is 256.

    Args:
        columns: their names, None where there are none.
        source: the name of the file or of the rows, for messages.
        train_rows: how many leading rows are to train on; None where the source has no split.
        unreadable: what is wrong with columns that hold other things than numbers, by their place.

    Example:
        >>> table = ex.data.Table(np.zeros((3, 2), np.float32), ("a", "b"), None, "points.csv")
        >>> ex.data.check_rows(table, (2,)).shape
        (3, 2)
    """

    rows: Shaped[np.ndarray, " size *shape"]
    columns: tuple[str, ...] | None
    levels: int | None
    source: str
    train_rows: int | None = None
    unreadable: Mapping[int, str] = dataclasses.field(default_factory=dict)


def make_table(
    numbers: np.ndarray,
    columns: tuple[str, ...] | None,
    source: str,
) -> Table:
    if numbers.ndim < 2:
        raise InputError(
            f"{source} holds an array of shape {numbers.shape}: expected (rows, columns) or "
            "(rows, height, width): reshape it."
        )
    if not numbers.size:
        raise InputError(f"{source} is empty, of shape {numbers.shape}: it needs rows and columns.")
    levels = 256 if numbers.ndim > 2 and numbers.dtype == np.uint8 else None
    return Table(numbers, columns, levels, source)


def check_table(table: Table) -> Table:
    """The same with real numbers in float32. Raises InputError where a cell holds none."""
    if table.levels is not None:
        return table
    rows = to_reals(table.rows, table.columns, table.source, table.unreadable)
    return dataclasses.replace(table, rows=rows)


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


def _read(path: Path) -> Table:
    """The numbers of a file as they stand there: NaN where a cell is missing."""
    try:
        return _numbers_of(path)
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _numbers_of(path: Path) -> Table:
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
    match path.suffix.lower():
        case ".npy":
            return make_table(read_npy(path), None, path.name)
        case ".npz":
            return _from_npz(path)
        case ".csv":
            return _from_cells(read_csv(path), path.name)
        case ".parquet":
            return _from_cells(read_parquet(path), path.name)
    raise InputError(f"{path.name} is of no known kind; known are {KNOWN} of images.")


def read_rows(path: str | Path) -> Table:
    """Read the rows of a file or of a folder of images, without splitting them.

    Tables become float32 (float64 and integers are rounded to it). uint8 arrays of rank 3 or more
    are images of 256 levels; a folder of colour images has the channels first. `train` and `test`
    of a .npz come one after the other.

    Raises:
        InputError: one sentence that says which file, row and column cannot be used, and why.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/points.npy"; np.save(path, np.zeros((3, 2)))
        >>> ex.data.read_rows(path).rows.shape
        (3, 2)
    """
    return check_table(_read(Path(path)))


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


def _refuse_width(table: Table, shape: tuple[int, ...], columns: tuple[str, ...] | None) -> None:
    found = table.rows.shape[1:]
    if found != shape and len(found) == len(shape) == 1:
        names = f": {', '.join(columns)}" if columns else ""
        raise InputError(
            f"{table.source} has {found[0]} columns; the model was trained on {shape[0]}{names}."
        )
    if found != shape and found != (math.prod(shape),):
        raise InputError(
            f"{table.source} holds examples of shape {found}; the model was trained on {shape}."
        )
    if table.columns and columns and table.columns != columns:
        raise InputError(
            f"{table.source} has the columns {', '.join(table.columns)}; the model was trained on "
            f"{', '.join(columns)}, in this order."
        )


def check_rows(
    table: Table,
    shape: tuple[int, ...],
    *,
    columns: tuple[str, ...] | None = None,
    levels: int | None = None,
) -> Shaped[np.ndarray, " size *shape"]:
    """Check that rows match what a model was trained on, and bring them to that shape.

    Args:
        shape: that of one example of the model. A flat row is brought to it in C order.
        columns: the names of the model's columns, compared where the table has names too.
        levels: where it is given, the rows must hold whole numbers 0..levels-1.

    Raises:
        InputError: where width, names, shape or range do not match.

    Example:
        >>> table = ex.data.Table(np.zeros((3, 4), np.float32), None, None, "images.npy")
        >>> ex.data.check_rows(table, (2, 2)).shape
        (3, 2, 2)
    """
    _refuse_width(table, shape, columns)
    if levels is None and table.levels is not None:
        raise InputError(
            f"{table.source} holds whole numbers 0 to {table.levels - 1}; the model was trained on "
            "real numbers: save them as floats in its units."
        )
    shaped = dataclasses.replace(table, rows=table.rows.reshape(-1, *shape))
    if levels is None:
        return shaped.rows
    return check_levels(shaped, levels, "the model was trained on").rows


def check_levels(table: Table, levels: int, expected: str = "expected") -> Table:
    """The same rows as whole numbers. Raises InputError where one is not in 0..levels-1."""
    rows = table.rows
    wrong = (rows != np.floor(rows)) | (rows < 0) | (rows >= levels)
    if wrong.any():
        place = np.argwhere(wrong.reshape(len(rows), -1))[0]
        value = rows.reshape(len(rows), -1)[tuple(place)]
        raise InputError(
            f"{table.source}: data row {place[0] + 1} holds {value:g}; {expected} "
            f"whole numbers from 0 to {levels - 1}."
        )
    whole = rows.astype(np.uint8 if levels <= 256 else np.int32)
    return dataclasses.replace(table, rows=whole, levels=levels)
