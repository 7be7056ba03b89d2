"""Which columns make a row unusual: the energy that it would lose if one of them were another."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Rows = Float[np.ndarray, " size columns"]

BLOCK = 20_000
"""Changed rows whose energies are computed at once."""


@dataclasses.dataclass(frozen=True)
class ColumnExcess:
    """`excess`: what each column adds to the energy of a row, at least 0, in units of the energy;
    `usual`: the value of the column at which the row would have lost it.

    Example:
        >>> ex.evaluate.ColumnExcess(np.array([[0.0, 4.5]]), np.array([[1.0, 0.0]])).excess.argmax()
        np.int64(1)
    """

    excess: Rows
    usual: Rows


def column_excess(
    energy: Callable[[Rows], Float[np.ndarray, " size"]],
    rows: Rows,
    reference: Float[np.ndarray, " known width"],
    *,
    values: int = 32,
) -> ColumnExcess:
    """The energy that each row would lose by a change of one column alone.

    excess_j(x) = E(x) - min_v E(x_1, .., x_(j-1), v, x_(j+1), .., x_d), over values v that the
    column takes in `reference` and its own. Of a density exp(-E) / Z this is
    log max_v p(v | the other columns) - log p(x_j | the other columns): how surprising the value is
    beside the others of its row, which needs no Z.

    Args:
        energy: of rows, a number each; any constant cancels.
        rows: (size, columns).
        reference: rows that are usual, such as training rows: it is their quantiles that are tried.
        values: how many, at least 1.

    Raises:
        ValueError: shapes differ, or `values` is out of range.

    Trap: where two columns are wrong together, changing one does not help, and neither has a large
    excess.

    Example:
        >>> square = lambda x: np.sum(x**2, axis=1) / 2
        >>> usual = np.linspace(-1, 1, 21)[:, None] * np.ones(2)
        >>> ex.evaluate.column_excess(square, np.array([[3.0, 0.0]]), usual).excess.tolist()
        [[4.5, 0.0]]
    """
    if values < 1:
        raise ValueError(f"`values` must be at least 1; got {values}.")
    if reference.shape[1:] != rows.shape[1:]:
        raise ValueError(
            f"`reference` must have the columns of `rows`, {rows.shape[1]}; got "
            f"{reference.shape[1]}."
        )
    steps = np.quantile(reference, (np.arange(values) + 0.5) / values, axis=0, method="nearest")
    found = ColumnExcess(np.zeros(rows.shape), np.array(rows, np.float64))
    at_once = max(1, BLOCK // (values * rows.shape[1]))
    for start in range(0, len(rows), at_once):
        _try_values(energy, rows, steps, slice(start, start + at_once), found)
    return found


def _try_values(
    energy: Callable[[Rows], Float[np.ndarray, " size"]],
    rows: Rows,
    steps: Float[np.ndarray, " values columns"],
    part: slice,
    found: ColumnExcess,
) -> None:
    """Fill in the excess of some of the rows."""
    some = rows[part]
    own = energy(some)
    (size, columns), values = some.shape, len(steps)
    each = np.arange(columns)
    changed = np.broadcast_to(some, (values, columns, size, columns)).copy()
    changed[:, each, :, each] = steps.T[:, :, None]
    energies = energy(changed.reshape(-1, columns)).reshape(values, columns, size)
    best = energies.argmin(axis=0)
    excess = own - energies.min(axis=0)
    found.excess[part] = np.maximum(excess, 0).T
    found.usual[part] = np.where(excess > 0, steps[best, each[:, None]], some.T).T
