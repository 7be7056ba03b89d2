"""A data set by its name or its path."""

import difflib
import os

import numpy as np

from energax.data.base import Dataset
from energax.data.builtin import digits, fashion_mnist, mnist
from energax.data.files import Table, read_rows
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
}
NAMES = tuple(_BUILT_IN)
"""Data sets that need no path."""

_SAME = 1e-10
"""Columns whose correlation is nearer to 1 than this are one column."""

_FEWEST = 10
"""Rows below which no split makes sense."""


def _parts(table: Table, test_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Train and test: the file's own, or by a permutation that depends on the count alone."""
    rows = table.rows
    if table.train_rows is not None:
        return rows[: table.train_rows], rows[table.train_rows :]
    order = np.random.default_rng(0).permutation(len(rows))
    held = min(max(round(test_fraction * len(rows)), 1), len(rows) - 1)
    return rows[order[:-held]], rows[order[-held:]]


def _refuse_constant(train: np.ndarray, table: Table) -> None:
    still = np.ptp(train, axis=0) == 0
    if still.any():
        index = int(np.argmax(still))
        name = repr(table.columns[index]) if table.columns else str(index + 1)
        raise InputError(
            f"Column {name} of {table.source} is constant ({train[0, index]:g} in every training "
            f"row, as far as {train.dtype} can tell): drop it, or take the constant part off."
        )


def _refuse_copies(train: np.ndarray, table: Table) -> None:
    """Columns on one line have no joint density: any likelihood of them is beyond all bounds."""
    exact = train.astype(np.float64)
    alike = np.abs(np.triu(np.corrcoef(exact, rowvar=False), 1))
    if alike.max() > 1 - _SAME:
        pair = np.unravel_index(int(np.argmax(alike)), alike.shape)
        names = [repr(table.columns[i]) if table.columns else str(i + 1) for i in pair]
        raise InputError(
            f"Columns {names[0]} and {names[1]} of {table.source} are copies of each other, up to "
            "scale and offset: drop one, for together they have no density."
        )


def _split(table: Table, test_fraction: float) -> Dataset:
    if len(table.rows) < _FEWEST:
        raise InputError(
            f"{table.source} has {len(table.rows)} rows: at least {_FEWEST} are needed to train "
            "and test."
        )
    train, test = _parts(table, test_fraction)
    if not len(train) or not len(test):
        raise InputError(f"{table.source}: both `train` and `test` need rows; one has none.")
    if table.levels is None and train.ndim == 2:
        _refuse_constant(train, table)
        if train.shape[1] > 1:
            _refuse_copies(train, table)
    return Dataset(table.source, train, test, levels=table.levels, columns=table.columns)


def _unknown(name: str) -> InputError:
    near = difflib.get_close_matches(name.lower().replace("_", "-"), NAMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(
        f"There is no file or data set {name!r}.{hint} Built in are {', '.join(NAMES)}; anything "
        "else is the path of a file or of a folder of images."
    )


def load(name: str, *, test_fraction: float = 0.2) -> Dataset:
    """The data set of that name, or the rows of the file or image folder at that path.

    A built-in name wins over a file of that name: write ./digits for the file. Files are split by a
    fixed permutation, `test_fraction` of the rows to test; a .npz with `train` and `test` keeps its
    own split. Raises InputError for an unknown name, bad rows, fewer than 10 rows, or a column of a
    table that is constant over the training rows.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"`test_fraction` must be between 0 and 1; got {test_fraction}.")
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    if not os.path.exists(name):
        raise _unknown(name)
    return _split(read_rows(name), test_fraction)
