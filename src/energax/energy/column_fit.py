"""Mixtures of independent columns, fitted to rows with holes by maximum likelihood."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import log_softmax, logsumexp
from sklearn.mixture import GaussianMixture as SklearnMixture

from energax.energy.column_mixture import ColumnMixture
from energax.space import Columns

BUMPS = (1, 2, 3, 5, 8)
"""Gaussians for a number of an only component: what is tried."""

NONE = -1e4
"""Log-weight of a Gaussian that is not there."""

ROUNDS, NEAR = 200, 1e-4
"""Rounds of EM at most; the gain of a round, nats a row, at which it ends."""

NARROWEST = 1e-3
"""Least standard deviation of a number in a component, in units of its column's."""

MOST, EACH = 10_000, 10
"""Rows that a choice looks at; rows for each component or Gaussian that is tried."""

Rows = Float[np.ndarray, "_ columns"]


@dataclasses.dataclass(frozen=True, eq=False)
class _Counts:
    """Rows as sums need them: indicators of states, numbers (0 in holes), which are known."""

    states: Float[np.ndarray, " size flat"]
    numbers: Rows
    known: Rows

    @classmethod
    def count(cls, rows: Rows, space: Columns) -> "_Counts":
        values, most = np.array(space.values), space.states.shape[1]
        missing = np.isnan(rows)
        cells = np.where(space.is_number, 0, np.where(missing, 0, rows)).astype(int)
        state = np.where(missing, np.maximum(values, 1), cells)
        shown = (state[..., None] == np.arange(most)).astype(np.float64)
        number = space.numbers
        return cls(
            shown.reshape(len(rows), -1),
            np.nan_to_num(rows[:, number]),
            (~missing[:, number]).astype(np.float64),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Parameters:
    """Of each component: log-weight, log-probabilities of states, means and variances."""

    log_weights: Float[np.ndarray, " k"]
    log_states: Float[np.ndarray, " k flat"]
    means: Float[np.ndarray, " k numbers"]
    variances: Float[np.ndarray, " k numbers"]

    def log_parts(self, rows: _Counts) -> Float[np.ndarray, " size k"]:
        """log of weight and density of each row in each component."""
        means, spread = self.means, self.variances
        squares = (rows.known * rows.numbers**2) @ (1 / spread).T
        squares -= 2 * (rows.known * rows.numbers) @ (means / spread).T
        squares += rows.known @ (means**2 / spread + np.log(2 * np.pi * spread)).T
        return self.log_weights + rows.states @ self.log_states.T - squares / 2


def fit_columns(
    rows: Rows,
    space: Columns,
    components: int = 1,
    *,
    pseudocount: float = 1.0,
    seed: int = 0,
) -> ColumnMixture:
    """Fit a mixture of independent columns by EM, in float64. Holes are states: none is filled.

    One component has a mixture of up to eight Gaussians for each number, their count chosen by the
    Bayesian information criterion; each of several components has one Gaussian for each.

    Args:
        rows: NaN in holes; numbers of about unit scale, for their smallest deviation is absolute.
        space: of a row.
        components: how many.
        pseudocount: rows of the whole table that each component is taken to have seen besides,
            column by column; above 0. No state is then impossible that the space has.
        seed: of the first assignment of rows to components.

    Raises:
        ValueError: for a `pseudocount` that is not above 0, or more components than rows.

    Trap: a number is never narrower than its steps: the smallest gap of its values over sqrt(12).

    Example:
        >>> where = ex.space.Columns((0, 2), (False, False))
        >>> rows = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 0.0]])
        >>> round(float(ex.energy.fit_columns(rows, where).means[0, 0, 0]), 6)
        2.0
    """
    if not pseudocount > 0:
        raise ValueError(f"`pseudocount` must be above 0; got {pseudocount}.")
    if components > len(rows):
        raise ValueError(f"{components} components cannot be fitted to {len(rows)} rows.")
    exact = rows.astype(np.float64)
    counts, least = _Counts.count(exact, space), find_steps(exact[:, space.numbers]) ** 2 / 12
    shares = np.random.default_rng(seed).dirichlet(np.full(components, 0.1), len(rows))
    found, last = _update(counts, shares, space, pseudocount, least), -np.inf
    for _ in range(ROUNDS if components > 1 else 0):
        parts = found.log_parts(counts)
        total = logsumexp(parts, axis=1, keepdims=True)
        found = _update(counts, np.exp(parts - total), space, pseudocount, least)
        if float(total.mean()) - last < NEAR:
            break
        last = float(total.mean())
    bumps = [(np.zeros((components, 1)), m[:, None], v[:, None]) for m, v in _each(found)]
    if components == 1:
        numbers = exact[:, space.numbers].T
        bumps = [_fit_bumps(one, width) for one, width in zip(numbers, least, strict=True)]
    return _build(found, bumps, space, rows.dtype)


def find_steps(numbers: Rows) -> Float[np.ndarray, " numbers"]:
    """The smallest gap between two values of each column of numbers, at least `NARROWEST`."""
    gaps = []
    for column in numbers.T:
        values = np.unique(np.round(column[~np.isnan(column)], 6))
        gaps.append(max(float(np.diff(values).min(initial=np.inf)), NARROWEST * np.sqrt(12)))
    return np.minimum(np.array(gaps), 1.0)


def _update(
    rows: _Counts,
    shares: Float[np.ndarray, " size k"],
    space: Columns,
    pseudocount: float,
    least: Float[np.ndarray, " numbers"],
) -> _Parameters:
    """The parameters that rows and their shares in the components say, with some of all rows."""
    every = np.where(space.states, 0.5, 0.0) + rows.states.sum(axis=0).reshape(space.states.shape)
    every = pseudocount * every / every.sum(axis=1, keepdims=True)
    size = (shares.shape[1], *space.states.shape)
    tables = (shares.T @ rows.states).reshape(size) + every
    with np.errstate(divide="ignore"):
        log_states = np.log(tables / tables.sum(axis=2, keepdims=True))
    seen = np.maximum(rows.known.sum(axis=0), 1)
    middle = (rows.known * rows.numbers).sum(axis=0) / seen
    spread = (rows.known * (rows.numbers - middle) ** 2).sum(axis=0) / seen
    count = shares.T @ rows.known + pseudocount
    first = shares.T @ (rows.known * rows.numbers)
    means = (first + pseudocount * middle) / count
    squares = shares.T @ (rows.known * rows.numbers**2) + pseudocount * (spread + middle**2)
    variances = np.maximum(squares / count - means**2, least)
    log_weights = np.log((shares.sum(axis=0) + 1) / (len(shares) + shares.shape[1]))
    # 0 log 0 = 0: a state that a column has not is in no row.
    flat = np.where(space.states, log_states, 0).reshape(len(log_states), -1)
    return _Parameters(log_weights, flat, means, variances)


def _each(found: _Parameters) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of each number, in all components."""
    return zip(found.means.T, found.variances.T, strict=True)


def _fit_bumps(numbers: Float[np.ndarray, " size"], least: float) -> tuple[np.ndarray, ...]:
    """Log-weights, means and variances of the mixture that suits the numbers of one column."""
    known = numbers[~np.isnan(numbers)]
    some = np.random.default_rng(0).permutation(known)[:MOST, None]
    most = max(min(len(some) // EACH, len(np.unique(some))), 1)
    tried = [
        SklearnMixture(count, reg_covar=least, random_state=0).fit(some)
        for count in BUMPS
        if count <= most
    ]
    best: Any = min(tried, key=lambda made: made.bic(some))
    parts = (np.log(best.weights_), best.means_[:, 0], best.covariances_[:, 0, 0])
    return tuple(np.asarray(part)[None] for part in parts)


def _build(
    found: _Parameters, bumps: list[tuple[np.ndarray, ...]], space: Columns, dtype: np.dtype
) -> ColumnMixture:
    count = len(found.log_weights)
    size = (count, len(space.values), count_bumps(count))
    shares, means, stds = np.full(size, NONE), np.zeros(size), np.ones(size)
    shares[..., 0] = 0
    for column, (share, mean, variance) in zip(space.numbers, bumps, strict=True):
        here = np.s_[:, column, : share.shape[1]]
        shares[here], means[here], stds[here] = share, mean, np.sqrt(variance)
    logits = found.log_states.reshape(size[0], *space.states.shape)
    log_weights = log_softmax(found.log_weights)
    first, *rest = (a.astype(dtype) for a in (log_weights, logits, shares, means, stds))
    return ColumnMixture(first, *rest, space=space)


def count_bumps(components: int) -> int:
    """Gaussians for a number in each of so many components, those that are not there among them.

    Example:
        >>> ex.energy.count_bumps(1), ex.energy.count_bumps(4)
        (8, 1)
    """
    return BUMPS[-1] if components == 1 else 1
