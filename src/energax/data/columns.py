"""Columns of a table that no density of real numbers can describe."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.linalg import get_lapack_funcs

from energax.data.cells import name_column
from energax.data.rows import Table
from energax.errors import InputError, join_words

LOWEST, HIGHEST = 1e-15, 1e15
"""Standard deviations whose squares, and squares of squares, float32 can hold."""

EXACT = 1e-10
"""A column follows from others where they leave less than this part of its variance."""

USED = 1e-4
"""Standardised coefficient from which on a column counts as one that another follows from."""

WIDEST = 4096
"""Columns up to which it is looked for whether they depend on each other: it takes all pairs."""

Train = Float[np.ndarray, " train columns"]


def say_columns(words: Sequence[str], table: Table, one: str = "is", many: str = "are") -> str:
    """The beginning of a sentence about columns, with its verb: "Column 'a' of x.csv is"."""
    start, verb = ("Column", one) if len(words) == 1 else ("Columns", many)
    return f"{start} {join_words(words)} of {table.source} {verb}"


def check_columns(train: Train, table: Table) -> None:
    """Raise InputError for columns that are constant, of an extreme scale, or follow from others.

    Every column with the same fault is named.
    """
    _refuse_constant(train, table)
    exact = train.astype(np.float64)
    _refuse_scale(exact.std(axis=0), table)
    if 1 < train.shape[1] <= WIDEST:
        _refuse_dependent(exact, table)


def _refuse_constant(train: Train, table: Table) -> None:
    still = np.flatnonzero(train.max(axis=0) == train.min(axis=0))
    if len(still):
        words = [name_column(table.columns, i) for i in still.tolist()]
        raise InputError(
            f"{say_columns(words, table)} constant in all training rows, as far as {train.dtype} "
            "can tell: drop what is constant, or take the constant part off."
        )


def _refuse_scale(spread: Float[np.ndarray, " columns"], table: Table) -> None:
    far = np.flatnonzero((spread < LOWEST) | (spread > HIGHEST))
    if len(far):
        words = [f"{name_column(table.columns, i)} ({spread[i]:.1g})" for i in far.tolist()]
        raise InputError(
            f"{say_columns(words, table)} of an extreme scale, by the standard deviation in "
            f"brackets: rescale to between {LOWEST:g} and {HIGHEST:g}."
        )


def _refuse_dependent(train: Train, table: Table) -> None:
    """Columns that lie on a plane have no joint density: any likelihood is beyond all bounds."""
    alike = np.corrcoef(train, rowvar=False)
    # Fewer rows than columns always lie on a plane: of them, only copies say something.
    find = _find_combinations if train.shape[0] > train.shape[1] else _find_copies
    found = find(alike)
    if found:
        names = [name_column(table.columns, i) for i in range(train.shape[1])]
        words = [
            f"{names[i]} (from {join_words(names[j] for j in sources)})"
            for i, sources in found.items()
        ]
        raise InputError(
            f"{say_columns(words, table, 'follows', 'follow')} exactly from others, up to scale "
            "and offset: drop what follows, for together they have no density."
        )


def _find_combinations(alike: Float[np.ndarray, " d d"]) -> dict[int, list[int]]:
    """Columns that are linear combinations of others, and of which, by a pivoted Cholesky."""
    (factorise,) = get_lapack_funcs(("pstrf",), (alike,))
    _, pivots, rank, _ = factorise(alike, tol=EXACT, lower=1)
    order = np.asarray(pivots) - 1
    free, bound = np.sort(order[:rank]), np.sort(order[rank:])
    weights = np.linalg.solve(alike[np.ix_(free, free)], alike[np.ix_(free, bound)])
    return {
        int(column): [int(one) for one in free[np.abs(weight) > USED]]
        for column, weight in zip(bound, weights.T, strict=True)
    }


def _find_copies(alike: Float[np.ndarray, " d d"]) -> dict[int, list[int]]:
    """Columns that are a multiple of an earlier one, and of which."""
    first = np.argmax(np.abs(alike) > 1 - EXACT, axis=1)
    return {column: [int(one)] for column, one in enumerate(first) if one < column}
