"""How well each column of a row follows from the others: by an energy, and by simple models."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from energax.energy import ColumnMixture, Energy
from energax.space import Columns

NODES = 24
"""Middles of equal probability for each Gaussian of a number."""

FLOOR = 1e-4
"""Probabilities of values are raised to it, so that no row decides a mean."""

LARGEST = 8000
"""Training rows that a linear model is fitted to."""

AT_ONCE = 64
"""Rows that are looked at in parallel: each takes an energy for every cell it could have."""

Rows = Float[np.ndarray, "_ columns"]


class Prediction(NamedTuple):
    """What is said of one column of rows, from their other cells.

    `log_p`: of a category, the log-probability of each value; None for a number. `mean`: of a
    number; None for a category. `surprise`: -log p of the cell that stands there, nats, NaN where
    it is missing. `entropy`: what the surprise is on average over the cells that could stand there.
    None where they are not known.

    Example:
        >>> ex.evaluate.Prediction(mean=np.zeros(3)).log_p is None
        True
    """

    log_p: Float[np.ndarray, " size values"] | None = None
    mean: Float[np.ndarray, " size"] | None = None
    surprise: Float[np.ndarray, " size"] | None = None
    entropy: Float[np.ndarray, " size"] | None = None


class ColumnScore(NamedTuple):
    """Over rows whose cell is known: R2 of a number, else accuracy and mean log p of a category.

    `error`: of the mean log p, over rows. What a column does not have is NaN.

    Example:
        >>> ex.evaluate.ColumnScore(10, r2=0.5).accuracy
        nan
    """

    rows: int
    r2: float = math.nan
    accuracy: float = math.nan
    log_p: float = math.nan
    error: float = math.nan


def predict_columns(energy: Energy, base: ColumnMixture, rows: Rows) -> Iterator[Prediction]:
    """Each column given the others, that the cell is not missing: p(x_j) ~ exp(-E(x)).

    Categories are summed exactly, numbers by a quadrature on the Gaussians of the base.

    Args:
        energy: of rows of `base.space`.
        base: whose Gaussians are where numbers can be.
        rows: NaN in holes; whatever they hold in a column is not used to predict it.

    Example:
        >>> where, rows = ex.space.Columns((2,), (False,)), np.array([[0.0], [1.0], [1.0]])
        >>> base = ex.energy.fit_columns(rows, where)
        >>> next(ex.evaluate.predict_columns(base, base, rows)).log_p.argmax(axis=1).tolist()
        [1, 1, 1]
    """
    space, x = base.space, jnp.asarray(rows)
    for column, values in enumerate(space.values):
        place, cells = jnp.asarray(column), rows[:, column]
        if values:
            log_p = np.asarray(_list_values(energy, base, x, place))[:, :values]
            known = np.where(np.isnan(cells), 0, cells).astype(int)
            surprise = -log_p[np.arange(len(rows)), known]
            entropy = -np.sum(np.exp(log_p) * log_p, axis=1)
            yield Prediction(log_p, None, np.where(np.isnan(cells), np.nan, surprise), entropy)
        else:
            yield Prediction(None, *map(np.asarray, _integrate(energy, base, x, place)))


@eqx.filter_jit
def _list_values(
    energy: Energy, base: ColumnMixture, rows: Array, column: Int[Array, ""]
) -> Float[Array, " size most"]:
    space = base.space
    most = max(space.values)
    values = jnp.arange(most)
    held = values < jnp.asarray(space.values)[column]

    def one(x: Array) -> Array:
        cells = jnp.where(held, values, 0).astype(x.dtype)
        each = jax.vmap(lambda cell: -energy(x.at[column].set(cell)))(cells)
        return jax.nn.log_softmax(jnp.where(held, each, -jnp.inf))

    return jax.lax.map(one, rows, batch_size=AT_ONCE)


@eqx.filter_jit
def _integrate(
    energy: Energy, base: ColumnMixture, rows: Array, column: Int[Array, ""]
) -> tuple[Float[Array, " size"], Float[Array, " size"], Float[Array, " size"]]:
    """The mean of a number, -log p of the cell that stands there, NaN for a hole, and its mean."""

    def one(x: Array) -> tuple[Array, Array, Array]:
        nodes, log_weight = base.list_nodes(x, column, NODES)
        energies = jax.vmap(lambda cell: energy(x.at[column].set(cell)))(nodes)
        each = log_weight - energies
        gone = jnp.isnan(x[column])
        here = energy(x.at[column].set(jnp.where(gone, 0, x[column])))
        total, shares = logsumexp(each), jax.nn.softmax(each)
        surprise = jnp.where(gone, jnp.nan, here + total)
        return shares @ nodes, surprise, shares @ (energies + total)

    return jax.lax.map(one, rows, batch_size=AT_ONCE)


def predict_marginals(train: Rows, rows: Rows, space: Columns) -> Iterator[Prediction]:
    """Each column by its frequencies in the training rows, half a row added, or by its mean.

    Example:
        >>> where, rows = ex.space.Columns((2,), (False,)), np.array([[0.0], [1.0], [1.0]])
        >>> np.exp(next(ex.evaluate.predict_marginals(rows, rows, where)).log_p[0]).round(3)
        array([0.375, 0.625])
    """
    for column, values in enumerate(space.values):
        known = train[~np.isnan(train[:, column]), column]
        if values:
            counts = np.bincount(known.astype(int), minlength=values) + 0.5
            yield Prediction(np.tile(np.log(counts / counts.sum()), (len(rows), 1)))
        else:
            yield Prediction(mean=np.full(len(rows), known.mean()))


def predict_linear(train: Rows, rows: Rows, space: Columns) -> Iterator[Prediction]:
    """Each column by a linear model of its own: logistic (C = 1), or ridge regression (1).

    Of the embedded other columns: standardised numbers, indicators of values and of holes. At most
    8,000 training rows are fitted to.

    Example:
        >>> where, rows = ex.space.Columns((2, 0), (False, False)), np.array([[0.0, 0], [1.0, 2]])
        >>> next(ex.evaluate.predict_linear(rows, rows, where)).log_p.argmax(axis=1).tolist()
        [0, 1]
    """
    some = np.random.default_rng(0).permutation(len(train))[:LARGEST]
    for column, values in enumerate(space.values):
        inputs, tests, cells = _prepare(train[some], rows, space, column)
        if not values:
            made = Ridge(1.0).fit(inputs, cells)
            yield Prediction(mean=np.asarray(made.predict(tests)))
            continue
        log_p = np.full((len(rows), values), np.log(FLOOR))
        seen = np.unique(cells).astype(int)
        if len(seen) > 1:
            fitted: Any = LogisticRegression(C=1.0, max_iter=1000).fit(inputs, cells.astype(int))
            log_p[:, seen] = np.log(np.maximum(fitted.predict_proba(tests), FLOOR))
        else:
            log_p[:, seen] = 0.0
        yield Prediction(log_p)


def predict_boosted(train: Rows, rows: Rows, space: Columns) -> Iterator[Prediction]:
    """Each number by gradient boosting (60 rounds, rate 0.08); nothing of categories.

    Example:
        >>> where, rows = ex.space.Columns((0, 0), (False, False)), np.ones((40, 2))
        >>> float(next(ex.evaluate.predict_boosted(rows, rows, where)).mean[0])
        1.0
    """
    some = np.random.default_rng(0).permutation(len(train))[:LARGEST]
    for column, values in enumerate(space.values):
        if values:
            yield Prediction()
            continue
        inputs, tests, cells = _prepare(train[some], rows, space, column)
        made = HistGradientBoostingRegressor(max_iter=60, learning_rate=0.08, random_state=0)
        yield Prediction(mean=np.asarray(made.fit(inputs, cells).predict(tests)))


def _prepare(
    train: Rows, rows: Rows, space: Columns, column: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embedded other columns of rows whose cell is known, of all test rows, and those cells."""
    number = np.delete(space.numbers, np.flatnonzero(space.numbers == column))
    mean, spread = np.nanmean(train[:, number], axis=0), np.nanstd(train[:, number], axis=0)
    middle, scale = np.zeros(train.shape[1]), np.ones(train.shape[1])
    middle[number], scale[number] = mean, np.where(spread > 0, spread, 1)
    others = space.indicators[0] != column
    keep = np.concatenate([space.numbers != column, others])
    known = ~np.isnan(train[:, column])

    def embed(part: Rows) -> np.ndarray:
        scaled = jnp.asarray((part - middle) / scale)
        return np.asarray(jax.vmap(lambda x: space.embed(x, scaled.dtype))(scaled))[:, keep]

    return embed(train[known]), embed(rows), train[known, column].astype(np.float64)


def score_column(prediction: Prediction, cells: Float[np.ndarray, " size"]) -> ColumnScore | None:
    """How well a column is predicted where its cells are known; None where that says nothing.

    That is where fewer than two cells are known, all of a number are alike, or nothing is said.

    Example:
        >>> said = ex.evaluate.Prediction(mean=np.array([1.0, 2.0, 9.0]))
        >>> ex.evaluate.score_column(said, np.array([1.0, 2.0, np.nan])).r2
        1.0
    """
    known = ~np.isnan(cells)
    count, truth = int(known.sum()), cells[known].astype(np.float64)
    if count < 2 or (prediction.log_p is None and prediction.mean is None):
        return None
    if prediction.log_p is None and prediction.mean is not None:
        spread = np.sum((truth - truth.mean()) ** 2)
        if spread == 0:
            return None
        return ColumnScore(count, 1 - float(np.sum((truth - prediction.mean[known]) ** 2) / spread))
    log_p = np.maximum(np.asarray(prediction.log_p)[known].astype(np.float64), np.log(FLOOR))
    each = log_p[np.arange(count), truth.astype(int)]
    right = float(np.mean(log_p.argmax(axis=1) == truth))
    error = float(each.std(ddof=1) / np.sqrt(count))
    return ColumnScore(count, accuracy=right, log_p=float(each.mean()), error=error)
