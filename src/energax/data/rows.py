"""Rows before they are split, and whether they are what a model was trained on."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from energax.data.cells import name_column, to_reals
from energax.data.mixed import Column
from energax.errors import InputError

TRAINED = "the model was trained on"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows before they are split: float32 numbers, or uint8 where `levels` or `states` is known.

    Args:
        levels: for whole numbers 0..levels-1 (images), how many; None for all else.
        columns: their names, None where there are none.
        source: the name of the file or of the rows, for messages.
        train_rows: how many leading rows are to train on; None where the source has no split.
        unreadable: what is wrong with columns that hold other things than numbers, by their place.
        states: of bits and categories, where it is known.
        letters: for sequences, the letter of each state.
        whole: the format of the file holds bits and categories only.
        kinds: of mixed columns, what each of them is; NaN stands for a missing cell.

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
    states: int | None = None
    letters: str | None = None
    whole: bool = False
    kinds: tuple[Column, ...] | None = None


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
    if table.levels is not None or table.states is not None or table.kinds is not None:
        return table
    rows = to_reals(table.rows, table.columns, table.source, table.unreadable)
    return dataclasses.replace(table, rows=rows)


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


def _refuse_kind(table: Table, is_real: bool, letters: str | None) -> None:
    if is_real and table.levels is not None:
        raise InputError(
            f"{table.source} holds whole numbers 0 to {table.levels - 1}; the model was trained on "
            "real numbers: save them as floats in its units."
        )
    if letters is None and table.letters is not None:
        raise InputError(
            f"{table.source} holds sequences of the letters {table.letters}; the model was trained "
            "on numbers: save them as numbers in a .npy or .csv."
        )


def check_rows(
    table: Table,
    shape: tuple[int, ...],
    *,
    columns: tuple[str, ...] | None = None,
    levels: int | None = None,
    states: int | None = None,
    letters: str | None = None,
) -> Shaped[np.ndarray, " size *shape"]:
    """Check that rows match what a model was trained on, and bring them to that shape.

    Args:
        shape: that of one example of the model. A flat row is brought to it in C order.
        columns: the names of the model's columns, compared where the table has names too.
        levels: where it is given, the rows must hold whole numbers 0..levels-1.
        states: where it is given, the rows must be bits or categories 0..states-1; they become
            uint8.
        letters: of the states, for a model of sequences. Sequences of another alphabet are spelt
            in these letters, as far as they hold no others.

    Raises:
        InputError: where width, names, shape, range or letters do not match.

    Example:
        >>> table = ex.data.Table(np.zeros((3, 4), np.float32), None, None, "images.npy")
        >>> ex.data.check_rows(table, (2, 2)).shape
        (3, 2, 2)
    """
    _refuse_width(table, shape, columns)
    _refuse_kind(table, levels is None and states is None, letters)
    shaped = dataclasses.replace(table, rows=table.rows.reshape(-1, *shape))
    if states is not None:
        return check_states(_spell_in(shaped, letters), states, TRAINED).rows
    if levels is None:
        return shaped.rows
    return check_levels(shaped, levels, TRAINED).rows


def _spell_in(table: Table, letters: str | None) -> Table:
    """The same sequences, of which a state is the place of a letter in `letters`."""
    if letters is None or table.letters in (None, letters):
        return table
    places = np.array([letters.find(letter) for letter in table.letters])
    rows = places[table.rows]
    if (rows < 0).any():
        row, site = np.argwhere(rows < 0)[0]
        raise InputError(
            f"{table.source}: sequence {row + 1} has {table.letters[table.rows[row, site]]!r} at "
            f"site {site + 1}; {TRAINED} the letters {letters}."
        )
    return dataclasses.replace(table, rows=rows.astype(np.uint8), letters=letters)


def _refuse_others(table: Table, count: int, expected: str) -> None:
    """Raise InputError, with row, column and value, unless all numbers are whole, 0..count-1."""
    rows = table.rows
    wrong = (rows != np.floor(rows)) | (rows < 0) | (rows >= count)
    if not wrong.any():
        return
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    row, *rest = place
    if len(rest) == 1:
        where = f"column {name_column(table.columns, rest[0])}"
    else:
        where = f"place {tuple(index + 1 for index in rest)}"
    raise InputError(
        f"{table.source}: data row {row + 1}, {where} holds {rows[place]:g}; {expected} "
        f"whole numbers from 0 to {count - 1}."
    )


def check_levels(table: Table, levels: int, expected: str = "expected") -> Table:
    """The same rows as whole numbers. Raises InputError where one is not in 0..levels-1."""
    _refuse_others(table, levels, expected)
    whole = table.rows.astype(np.uint8 if levels <= 256 else np.int32)
    return dataclasses.replace(table, rows=whole, levels=levels)


def check_states(table: Table, states: int, expected: str = "expected") -> Table:
    """The same rows as bits or categories. Raises InputError where one is not in 0..states-1."""
    _refuse_others(table, states, expected)
    return dataclasses.replace(table, rows=table.rows.astype(np.uint8), levels=None, states=states)
