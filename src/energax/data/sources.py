"""A data set by its name or its path."""

import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from energax.data.base import Dataset
from energax.data.builtin import digits, fashion_mnist, mnist
from energax.data.cautions import find_cautions
from energax.data.column_kinds import convert_frame, is_mixed, make_mixed
from energax.data.columns import check_columns
from energax.data.files import is_mixed_file, read_mixed, read_rows
from energax.data.finite import digits_binary, dna, jester, mnist_binary, nltcs, plants, rna
from energax.data.frames import is_frame, read_array, read_loose
from energax.data.mixed import Column
from energax.data.rows import Table, check_levels, check_rows
from energax.data.states import States, set_states
from energax.data.toys import checkerboard, eight_gaussians, rings, two_moons
from energax.errors import InputError

_BUILT_IN = {
    "digits": digits,
    "two-moons": two_moons,
    "eight-gaussians": eight_gaussians,
    "checkerboard": checkerboard,
    "rings": rings,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "nltcs": nltcs,
    "plants": plants,
    "jester": jester,
    "dna": dna,
    "rna": rna,
    "mnist-binary": mnist_binary,
    "digits-binary": digits_binary,
}
NAMES = tuple(_BUILT_IN)
"""Data sets that need no path."""

_FEWEST, _FEWEST_TO_TRAIN = 10, 2
"""Rows below which no split makes sense, and no fit."""


def _split_places(table: Table, test_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Of train and test rows: as the source says, or by a permutation set by the count alone."""
    places, count = np.arange(len(table.rows)), table.train_rows
    if test_fraction == 0:
        return places, places[:0]
    if count is not None:
        return places[:count], places[count:]
    order = np.random.default_rng(0).permutation(len(places))
    test = min(max(round(test_fraction * len(places)), 1), len(places) - 1)
    return order[:-test], order[-test:]


def _split(
    table: Table, test_fraction: float, labels: Int[np.ndarray, " size"] | None = None
) -> Dataset:
    fewest = _FEWEST if test_fraction > 0 else _FEWEST_TO_TRAIN
    if len(table.rows) < fewest:
        purpose = "to train and test" if test_fraction > 0 else "to train"
        raise InputError(
            f"{table.source} has {len(table.rows)} rows: at least {fewest} are needed {purpose}."
        )
    places = _split_places(table, test_fraction)
    train, test = (table.rows[part] for part in places)
    if test_fraction > 0 and not (len(train) and len(test)):
        raise InputError(f"{table.source}: both `train` and `test` need rows; one has none.")
    if train.ndim == 2 and (table.levels, table.states, table.kinds) == (None, None, None):
        check_columns(train, table)
    each = (None, None) if labels is None else tuple(labels[part] for part in places)
    return Dataset(
        table.source,
        train,
        test,
        levels=table.levels,
        columns=table.columns,
        train_labels=each[0],
        test_labels=each[1],
        cautions=find_cautions(train, test, table),
        states=table.states,
        letters=table.letters,
        kinds=table.kinds,
    )


def _unknown(name: str) -> InputError:
    near = difflib.get_close_matches(name.lower().replace("_", "-"), NAMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(
        f"There is no file or data set {name!r}.{hint} Built in are {', '.join(NAMES)}; anything "
        "else is the path of a file or of a folder of images."
    )


def load(
    name: str,
    *,
    test_fraction: float = 0.2,
    states: States = "auto",
    letters: str | None = None,
    columns: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    kinds: tuple[Column, ...] | None = None,
) -> Dataset:
    """Load the built-in data set of that name, or the rows of the file or image folder at a path.

    The built-in name wins: write ./digits for a file called digits.

    By itself, a file is bits where it holds nothing but 0 and 1, whatever its shape; a table is
    categories where it holds nothing but whole numbers from 0 to 19 at most, in five rows or more
    for each of them; a .data file is always one of the two; a .fasta file is aligned sequences,
    categories with a letter each. A .csv or .parquet in which cells are missing, or hold text or
    dates, has mixed columns. All else is real numbers, or images.

    Args:
        test_fraction: the share of the rows of a file to test on, by a fixed permutation. A .npz
            with `train` and `test` keeps its own split.
        states: how many values each site of bits or categories has; None for real numbers and
            images; "auto" by the rule above.
        letters: the alphabet of a .fasta file, the gap first; unless given, that of DNA, RNA or
            proteins, as its letters are.
        columns: what columns are, by name: number, integer, category, boolean or date. Where some
            are given, or some to `drop`, the table has mixed columns.
        drop: columns that are left out.
        kinds: what all columns are, of a table that was read before.

    Raises:
        InputError: for an unknown name, rows that cannot be used, fewer than 10 rows, or
            columns of a table that are constant, of an extreme scale, or follow from others.

    Example:
        >>> rows = ex.data.load("digits")
        >>> rows.train.shape, rows.levels, rows.labels
        ((1500, 8, 8), 17, 10)
    """
    _check_fraction(test_fraction)
    mixed = bool(columns or drop) or kinds is not None
    if name in _BUILT_IN and not mixed:
        return _check_built_in(_BUILT_IN[name](), states, letters)
    if not os.path.exists(name):
        raise _unknown(name)
    if mixed or (states == "auto" and letters is None and is_mixed_file(name)):
        source = os.path.basename(name)
        found = make_mixed(read_mixed(name), source, kinds=columns, drop=drop, known=kinds)
        return _split(found, test_fraction)
    return _split(set_states(read_rows(name, letters=letters), states), test_fraction)


def _check_built_in(rows: Dataset, states: States, letters: str | None) -> Dataset:
    """The same rows. Refused where they are not of that many states, or of other letters."""
    if states not in ("auto", rows.states) or letters not in (None, rows.letters):
        raise InputError(
            f"{rows.name} is a data set of {rows.space.title}: leave out `states` and `letters`."
        )
    return rows


def _check_fraction(test_fraction: float) -> None:
    if not 0 < test_fraction < 1:
        raise ValueError(f"`test_fraction` must be between 0 and 1; got {test_fraction}.")


def _join(train: Table, test: Table) -> Table:
    """Both tables, one after the other. Refused where their rows differ in kind."""
    shape = train.rows.shape[1:]
    if train.levels != test.levels:
        raise InputError(
            f"{train.source} and {test.source} must both hold 8-bit images, or both real numbers; "
            f"got {train.rows.dtype} and {test.rows.dtype}."
        )
    rows = check_rows(test, shape, columns=train.columns, levels=train.levels)
    both = np.concatenate([train.rows, rows])
    return dataclasses.replace(train, rows=both, train_rows=len(train.rows))


def _check_labels(name: str, labels: Any, count: int) -> Int[np.ndarray, " size"]:
    """Labels as int32. Refused unless there is a whole number from 0 for each of `count` rows."""
    array = np.asarray(labels)
    if array.shape != (count,) or array.dtype.kind not in "iub" or array.min() < 0:
        raise InputError(
            f"`{name}` must be whole numbers from 0, one for each of {count} rows; got "
            f"{array.dtype} of shape {array.shape}."
        )
    return array.astype(np.int32)


def _table_of(rows: Any, levels: int | None, name: str) -> Table:
    table = read_array(rows, name)
    return table if levels is None else check_levels(table, levels)


def from_rows(
    train: Any,
    test: Any = None,
    *,
    name: str = "rows",
    test_fraction: float = 0.2,
    levels: int | None = None,
    states: States = "auto",
    labels: Any = None,
    test_labels: Any = None,
) -> Dataset:
    """Make a data set of rows that are held in Python.

    Without `test` the rows are split as those of a file are: by a fixed permutation.

    Args:
        train, test: arrays, nested lists, or pandas or polars frames. uint8 arrays of rank 3 or
            more are images of 256 levels; all else becomes float32. A frame with missing cells,
            text or dates, and no `test`, has mixed columns.
        name: of the data set, and what messages call the rows.
        test_fraction: the share of `train` to test on where `test` is not given; 0 for none.
        levels: for rows of whole numbers 0..levels-1 of which a density is wanted, how many.
        states: how many values each site of bits or categories has; None for real numbers and
            images; "auto" by the rule of `load`, unless `levels` are given.
        labels, test_labels: a whole number from 0 for each row of `train` and of `test`.

    Raises:
        InputError: one sentence that names row and column, as `check_array`; for fewer than 10
            rows; for columns of a table that are constant, of an extreme scale, or follow from
            others.
        ValueError: where labels are given for one of two parts alone, or both levels and states.

    Example:
        >>> rows = ex.data.from_rows(np.random.default_rng(0).normal(size=(50, 2)), name="mine")
        >>> rows.name, rows.train.shape, rows.test.shape
        ('mine', (40, 2), (10, 2))
    """
    if not 0 <= test_fraction < 1:
        raise ValueError(f"`test_fraction` must be in [0, 1); got {test_fraction}.")
    if (test_labels is not None) != (test is not None and labels is not None):
        raise ValueError("`test_labels` must be given if and only if `test` and `labels` are.")
    if levels is not None and states not in ("auto", None):
        raise ValueError("`levels` are of images and counts, `states` of categories: give one.")
    plain = test is None and labels is None and levels is None and states == "auto"
    if plain and is_frame(train) and is_mixed(read_loose(train, name)):
        return _split(make_mixed(convert_frame(train, name), name), test_fraction)
    table = _table_of(train, levels, name)
    found = [] if labels is None else [_check_labels("labels", labels, len(table.rows))]
    if test is not None:
        other = _table_of(test, levels, f"the test part of {name}")
        table = _join(table, other)
        if test_labels is not None:
            found.append(_check_labels("test_labels", test_labels, len(other.rows)))
    table = set_states(table, None if levels is not None else states)
    return _split(table, test_fraction, np.concatenate(found) if found else None)
