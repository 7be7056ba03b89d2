"""Rows that are held in Python: arrays, nested lists, pandas and polars frames."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Shaped

from energax.data.rows import (
    Table,
    check_levels,
    check_rows,
    check_states,
    check_table,
    make_table,
)
from energax.data.tables import MISSING, check_names, describe_text
from energax.errors import InputError

_NUMBERS, _CELLS = "fiub", "OUS"
"""Kinds of NumPy types: real numbers, and those whose cells are looked at one by one."""

_MISSING = (*MISSING, "<na>", "nat")
"""Cells that mean "no number", in lower case: those of files, and those of pandas."""


def _number(cell: Any) -> float | None:
    """The number in a cell, NaN where it is missing; None for text, "1.5" too, and the rest."""
    if str(cell).strip().lower() in _MISSING:
        return np.nan
    if isinstance(cell, str | bytes):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _column(cells: np.ndarray) -> tuple[np.ndarray, str | None]:
    """One column in float64, and what is wrong with its cells that are no numbers."""
    if cells.dtype.kind in _NUMBERS:
        return cells.astype(np.float64), None
    if cells.dtype.kind not in _CELLS:
        return np.full(len(cells), np.nan), f"holds {cells.dtype}, not numbers"
    numbers = [_number(cell) for cell in cells]
    faults = [row for row, number in enumerate(numbers) if number is None]
    found = np.array([np.nan if number is None else number for number in numbers])
    return found, describe_text(cells[faults[0]], faults[0] + 1, len(faults)) if faults else None


def _from_columns(
    columns: Iterable[np.ndarray], names: tuple[str, ...] | None, source: str
) -> Table:
    found = [_column(cells) for cells in columns]
    table = make_table(np.stack([numbers for numbers, _ in found], axis=1), names, source)
    faults = {index: fault for index, (_, fault) in enumerate(found) if fault is not None}
    return dataclasses.replace(table, unreadable=faults)


def _from_frame(frame: Any, source: str) -> Table:
    """A pandas or polars frame: both give a column by `frame[name].to_numpy()`."""
    names = tuple(str(column) for column in frame.columns)
    check_names(list(names), source)
    if not names or not len(frame):
        raise InputError(f"{source} is empty, of shape {frame.shape}: it needs rows and columns.")
    columns = (np.asarray(frame[column].to_numpy()) for column in frame.columns)
    return _from_columns(columns, names, source)


def _from_array(rows: Any, source: str) -> Table:
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise InputError(
            f"{source} must be an array of rows of one shape; the rows given differ in length."
        ) from error
    if array.dtype.kind in "US":  # of a list, numbers beside text would have become text too
        array = np.asarray(rows, object)
    if array.dtype.kind in _NUMBERS:
        return make_table(array, None, source)
    if array.ndim != 2:
        raise InputError(f"{source} holds {array.dtype}, not numbers: give an array of numbers.")
    return _from_columns(array.T, None, source)


def is_frame(rows: Any) -> bool:
    """Are these a pandas or polars frame?

    Example:
        >>> ex.data.is_frame(np.zeros((2, 2)))
        False
    """
    return all(getattr(rows, part, None) is not None for part in ("columns", "to_numpy"))


def read_loose(rows: Any, name: str = "rows") -> Table:
    """Rows that are held in Python as a `Table`, whatever their cells hold."""
    return _from_frame(rows, name) if is_frame(rows) else _from_array(rows, name)


def read_array(rows: Any, name: str = "rows") -> Table:
    """Rows that are held in Python as a `Table`, checked as those of a file are."""
    return check_table(read_loose(rows, name))


def check_array(
    rows: Any,
    shape: tuple[int, ...] | None = None,
    *,
    columns: tuple[str, ...] | None = None,
    levels: int | None = None,
    states: int | None = None,
    name: str = "rows",
) -> tuple[Shaped[np.ndarray, " size *shape"], tuple[str, ...] | None]:
    """Check rows that are held in Python, and convert them to an array.

    Args:
        rows: an array, nested lists, or a pandas or polars frame; (rows, columns) or, for images,
            rank 3 or more.
        shape: that of one example, if it is known. A flat row is brought to it in C order.
        columns: the expected names, compared where `rows` has names too.
        levels: rows must hold whole numbers 0..levels-1.
        states: rows must be bits or categories 0..states-1.
        name: what messages call the rows.

    Returns:
        The rows, in float32 (uint8 for images of that type, bits and categories), and the names of
        the columns, None where there are none.

    Raises:
        InputError: one sentence that names row and column, for a missing or infinite cell, text,
            ragged or empty rows, or rows that do not match `shape`, `columns`, `levels` or
            `states`.

    Example:
        >>> ex.data.check_array([[1.0, 2.0], [3.0, float("nan")]])
        Traceback (most recent call last):
            ...
        energax.errors.InputError: rows: column 2 has 1 missing cell, in data row 2: fill...
    """
    table = read_array(rows, name)
    if shape is not None:
        found = check_rows(table, shape, columns=columns, levels=levels, states=states)
        return found, table.columns
    if states is not None:
        return check_states(table, states).rows, table.columns
    return (table if levels is None else check_levels(table, levels)).rows, table.columns
