"""What in the rows of a table speaks against a density of real numbers, though one can be trained.

At a value that a column takes again and again, and at rows that were trained on, a density of real
numbers can grow without end: a high likelihood there says nothing.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped

from energax.data.cells import name_column
from energax.data.columns import say_columns
from energax.data.rows import Table
from energax.data.schema import Caution
from energax.data.states import EACH, FEW

SHARED = 0.1
"""Share of the rows that have one value in common, from which on it is an atom."""

BEYOND = 5
"""Times as many copies as chance makes among rounded numbers are worth a warning."""

COPIED, LEAKED = 0.01, 0.1
"""Share of test rows that are training rows too: worth a warning; too many for a likelihood."""

SEEN = 100_000
"""Training rows whose values are counted."""

Train = Shaped[np.ndarray, " train *shape"]
Test = Shaped[np.ndarray, " test *shape"]


def find_cautions(train: Train, test: Test, table: Table) -> tuple[Caution, ...]:
    """Everything that speaks against the split rows of a table, each with its columns.

    Of bits and categories, whose probabilities are bounded, nothing does.
    """
    if table.states is not None:
        return ()
    found = list(_find_copies(train, test, table))
    if table.kinds is not None:
        return (*found, *_find_counters(table))
    if table.levels is None and train.ndim == 2:
        found = [*_find_atoms(train, table), *found, *_find_counters(table)]
    return tuple(found)


def _find_atoms(train: Train, table: Table) -> Iterator[Caution]:
    """Columns of few values, and columns with a value that many rows share."""
    rows = train[:SEEN]
    discrete, shared = [], []
    for index in range(rows.shape[1]):
        values, counts = np.unique(rows[:, index], return_counts=True)
        name, top = name_column(table.columns, index), int(np.argmax(counts))
        if len(values) <= FEW and len(rows) >= EACH * len(values):
            discrete.append(f"{name} ({len(values)} values)")
        elif counts[top] >= max(SHARED * len(rows), EACH):
            shared.append(f"{name} ({values[top]:g} in {counts[top] / len(rows):.0%} of rows)")
    if discrete:
        yield Caution(
            f"{say_columns(discrete, table)} discrete, as far as float32 can tell, and a density "
            "of real numbers grows without end at few values: drop such a column, train a model "
            "for each value, or add noise as wide as its steps.",
            forbids=True,
        )
    if shared:
        yield Caution(
            f"{say_columns(shared, table, 'has', 'have')} one value in many rows, where a density "
            "of real numbers grows without end: drop such a column, or train on the other rows.",
            forbids=True,
        )


def _find_counters(table: Table) -> Iterator[Caution]:
    """Columns that number the rows, in any order."""
    rows, size = table.rows, len(table.rows)
    # A column with holes numbers nothing: its span is no number.
    span = rows.max(axis=0).astype(np.float64) - rows.min(axis=0) + 1
    names = [
        name_column(table.columns, int(index))
        for index in np.flatnonzero(span == size)
        if len(np.unique(rows[:, index])) == size and np.all(rows[:, index] % 1 == 0)
        if table.kinds is None or table.kinds[int(index)].kind == "integer"
    ]
    if names:
        yield Caution(
            f"{say_columns(names, table, 'numbers', 'number')} the rows without a gap: drop such a "
            "column, unless the order of the rows is what you model.",
            forbids=False,
        )


def _find_copies(train: Train, test: Test, table: Table) -> Iterator[Caution]:
    """Test rows that are training rows too."""
    seen = {row.tobytes() for row in train}
    count = sum(row.tobytes() in seen for row in test)
    chance = _expect_copies(train) if train.ndim == 2 else 0.0
    if count > (COPIED + BEYOND * chance) * len(test):
        yield Caution(
            f"{count} of {len(test)} test rows of {table.source} are training rows too, whose "
            "likelihood says nothing of new rows: drop rows that come twice.",
            forbids=table.levels is None and table.kinds is None and count > LEAKED * len(test),
        )


def _expect_copies(train: Train) -> float:
    """The share of new rows that equal some training row by chance, were columns independent."""
    rows = train[:SEEN]
    counts = [np.unique(column, return_counts=True)[1] for column in rows.T]
    match = math.prod(float(np.sum((count / len(rows)) ** 2)) for count in counts)
    return min(match * len(train), 1.0)
