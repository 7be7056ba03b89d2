"""Cells that hold no number that float32 can: all of them are named at once."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Real, Shaped

from energax.errors import InputError, join_words

ADVICE = {
    "holds text": "drop a column of text or write it as numbers",
    "not numbers": "drop a column without numbers",
    "missing": "fill in what is missing or drop its row",
    "infinite": "give an infinite cell a number or drop its row",
    "beyond float32": "rescale what is beyond float32",
}
"""What to do, by the words of what is wrong."""


def name_column(columns: tuple[str, ...] | None, index: int) -> str:
    """What a sentence calls a column: its name, or its number from 1."""
    return repr(columns[index]) if columns else str(index + 1)


def _first(where: Bool[np.ndarray, " size ..."]) -> str:
    """The first cell of a mask that is True, in words; data rows count from 1."""
    row, *rest = (int(number) + 1 for number in np.argwhere(where)[0])
    return f"data row {row}, place {tuple(rest)}" if rest else f"data row {row}"


def _describe(numbers: Real[np.ndarray, " size ..."]) -> str | None:
    """What is wrong with the cells of a column, or of images; None where nothing is."""
    with np.errstate(over="ignore"):
        large = np.isfinite(numbers) & ~np.isfinite(numbers.astype(np.float32))
    found = []
    for word, where in {"missing": np.isnan(numbers), "infinite": np.isinf(numbers)}.items():
        if count := int(where.sum()):
            cells = f"1 {word} cell, in" if count == 1 else f"{count} {word} cells, the first in"
            found.append(f"has {cells} {_first(where)}")
    if large.any():
        found.append(f"holds {numbers[large][0]:g}, beyond float32, in {_first(large)}")
    return " and ".join(found) or None


def to_reals(
    rows: Shaped[np.ndarray, " size *shape"],
    columns: tuple[str, ...] | None,
    source: str,
    unreadable: Mapping[int, str],
) -> Shaped[np.ndarray, " size *shape"]:
    """The same in float32.

    Raises InputError where a cell is missing, infinite, too large, or no number at all: one
    sentence, with every column at fault. `unreadable`: what was wrong with columns when read.
    """
    said = []
    if rows.ndim > 2:
        said = [_describe(rows) or ""]
    elif unreadable or rows.dtype.kind not in "iub":
        faults = [unreadable.get(i) or _describe(rows[:, i]) for i in range(rows.shape[1])]
        said = [f"column {name_column(columns, i)} {f}" for i, f in enumerate(faults) if f]
    if any(said):
        every = " ".join(said)
        advice = [todo for words, todo in ADVICE.items() if words in every]
        raise InputError(f"{source}: {join_words(said)}: {'; '.join(advice)}.")
    return rows.astype(np.float32)
