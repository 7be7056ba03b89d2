"""Any file that holds rows, by its path."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from energax.data.arrays import read_idx, read_npy, read_npz
from energax.data.images import read_images
from energax.data.tables import read_csv, read_parquet
from energax.errors import InputError

KNOWN = ".npy, .npz, .csv, .parquet, an idx file (such as train-images-idx3-ubyte.gz) or a folder"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows as they stand in a file: float32 numbers, or uint8 images where `levels` is 256.

    `columns`: names, where the file has them. `source`: name of the file, for messages.
    `train_rows`: how many leading rows the file itself calls `train`, None where it does not say.
    """

    rows: Shaped[np.ndarray, " size *shape"]
    columns: tuple[str, ...] | None
    levels: int | None
    source: str
    train_rows: int | None = None


def _cell(place: np.ndarray, columns: tuple[str, ...] | None) -> str:
    """Where a cell is, in words; data rows and columns count from 1."""
    row, *rest = (int(number) + 1 for number in place)
    if len(rest) > 1:
        return f"data row {row}, place {tuple(rest)}"
    return f"data row {row}, column {repr(columns[rest[0] - 1]) if columns else rest[0]}"


def _reals(
    numbers: np.ndarray, columns: tuple[str, ...] | None, source: str
) -> Shaped[np.ndarray, " size *shape"]:
    """float32, refusing what is missing, infinite, or too large for it."""
    finite = np.isfinite(numbers)
    if not finite.all():
        place = np.argwhere(~finite)[0]
        fault = "missing" if np.isnan(numbers[tuple(place)]) else "infinite"
        raise InputError(
            f"{source}: {_cell(place, columns)} is {fault}: give it a number or drop the row."
        )
    with np.errstate(over="ignore"):
        rows = numbers.astype(np.float32)
    if not np.isfinite(rows).all():
        place = np.argwhere(~np.isfinite(rows))[0]
        raise InputError(
            f"{source}: {_cell(place, columns)} holds {numbers[tuple(place)]:g}, beyond float32: "
            "rescale the column."
        )
    return rows


def _table(numbers: np.ndarray, columns: tuple[str, ...] | None, source: str) -> Table:
    if numbers.ndim < 2:
        raise InputError(
            f"{source} holds an array of shape {numbers.shape}: expected (rows, columns) or "
            "(rows, height, width): reshape it."
        )
    if not numbers.size:
        raise InputError(f"{source} is empty, of shape {numbers.shape}: it needs rows and columns.")
    levels = 256 if numbers.ndim > 2 and numbers.dtype == np.uint8 else None
    return Table(numbers, columns, levels, source)


def _checked(table: Table) -> Table:
    """The same with real numbers in float32. Raises InputError where one is not finite."""
    if table.levels is not None:
        return table
    rows = _reals(table.rows, table.columns, table.source)
    return dataclasses.replace(table, rows=rows)


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
        both = _table(np.concatenate([train, test]), None, path.name)
        return dataclasses.replace(both, train_rows=len(train))
    if len(found) != 1:
        raise InputError(
            f"{path.name} holds {', '.join(sorted(found)) or 'no array'}: expected one array, or "
            "the two arrays train and test."
        )
    return _table(next(iter(found.values())), None, path.name)


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
        return _table(read_images(path), None, path.resolve().name)
    if not path.exists():
        raise InputError(f"There is no file {path}: check the path.")
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty: it has no bytes.")
    if re.search(r"idx\d*(-\w+)?(\.gz)?$", path.name):
        return _table(read_idx(path), None, path.name)
    match path.suffix.lower():
        case ".npy":
            return _table(read_npy(path), None, path.name)
        case ".npz":
            return _from_npz(path)
        case ".csv":
            return _table(*read_csv(path), path.name)
        case ".parquet":
            return _table(*read_parquet(path), path.name)
    raise InputError(f"{path.name} is of no known kind; known are {KNOWN} of images.")


def read_rows(path: str | Path) -> Table:
    """The rows of a file or of a folder of images, not split.

    Tables become float32 (float64 and integers are rounded to it); uint8 arrays of rank 3 or more
    are images of 256 levels, colour channels first in a folder. `train` and `test` of a .npz come
    one after the other. Raises InputError, with one sentence, for whatever cannot be used.
    """
    return _checked(_read(Path(path)))


def read_partial(path: str | Path) -> tuple[Table, Bool[np.ndarray, " size *shape"]]:
    """Rows of a file in which numbers may be missing: 0 stands for those, and where they are.

    Missing is an empty cell, or NaN. Raises InputError as `read_rows` for all else.
    """
    table = _read(Path(path))
    missing = np.isnan(table.rows)
    blank = np.zeros((), table.rows.dtype)
    rows = np.where(missing, blank, table.rows)
    return _checked(dataclasses.replace(table, rows=rows)), missing


def _refuse_width(table: Table, shape: tuple[int, ...], columns: tuple[str, ...] | None) -> None:
    found = table.rows.shape[1:]
    if found != shape and len(found) == len(shape) == 1:
        names = f": {', '.join(columns)}" if columns else ""
        raise InputError(
            f"{table.source} has {found[0]} columns; the run was trained on {shape[0]}{names}."
        )
    if found != shape and found != (math.prod(shape),):
        raise InputError(
            f"{table.source} holds examples of shape {found}; the run was trained on {shape}."
        )
    if table.columns and columns and table.columns != columns:
        raise InputError(
            f"{table.source} has the columns {', '.join(table.columns)}; the run was trained on "
            f"{', '.join(columns)}, in this order."
        )


def check_rows(
    table: Table,
    shape: tuple[int, ...],
    *,
    columns: tuple[str, ...] | None = None,
    levels: int | None = None,
) -> Shaped[np.ndarray, " size *shape"]:
    """The rows of `table` as a run takes them that was trained on examples of `shape`.

    An image may come as one flat row of a table, in C order. With `levels` the rows must hold whole
    numbers 0..levels-1. Raises InputError where width, names, shape or range do not match.
    """
    _refuse_width(table, shape, columns)
    if levels is None and table.levels is not None:
        raise InputError(
            f"{table.source} holds whole numbers 0 to {table.levels - 1}; the run was trained on "
            "real numbers: save them as floats in its units."
        )
    rows = table.rows.reshape(-1, *shape)
    if levels is None:
        return rows
    wrong = (rows != np.floor(rows)) | (rows < 0) | (rows >= levels)
    if wrong.any():
        place = np.argwhere(wrong.reshape(len(rows), -1))[0]
        value = rows.reshape(len(rows), -1)[tuple(place)]
        raise InputError(
            f"{table.source}: data row {place[0] + 1} holds {value:g}; the run was trained on "
            f"whole numbers from 0 to {levels - 1}."
        )
    return rows.astype(np.uint8 if levels <= 256 else np.int32)
