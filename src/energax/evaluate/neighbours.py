"""Does the model reach all of the data? Shares of known modes, or neighbourhoods of test rows."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Shaped
from sklearn.neighbors import NearestNeighbors

from energax.energy import AbstractEnergy
from energax.evaluate.base import Estimate
from energax.evaluate.grid import make_box, map_lines


def mode_shares(
    energy: AbstractEnergy,
    mode: Callable[[Array], Int[Array, ""]],
    modes: int,
    low: ArrayLike,
    high: ArrayLike,
    points: int = 400,
) -> Float[np.ndarray, " modes_and_none"]:
    """The share of exp(-E) in each of `modes` regions of a box, and last the share in none.

    By the midpoint rule: off by the mass of the cells on the borders.

    Args:
        mode: the number of the region of a point, `modes` for none. Pass a module or
            `jax.tree_util.Partial` to compile once for many models.
        low: lower corner of a box that holds the model; it has at most 2 axes.
        high: upper corner.

    Raises:
        ValueError: more than 2 axes, or `low` not below `high`.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(1))
        >>> side = lambda x: jnp.where(x[0] < 0, 0, 1)
        >>> ex.evaluate.mode_shares(normal, side, 2, -8.0, 8.0).round(3).tolist()
        [0.5, 0.5, 0.0]
    """
    return np.asarray(_shares(energy, mode, modes, make_box(energy, low, high), points), np.float64)


@eqx.filter_jit
def _shares(
    energy: AbstractEnergy,
    mode: Callable[[Array], Int[Array, ""]],
    modes: int,
    box: Float[Array, " 2 dim"],
    points: int,
) -> Float[Array, " modes_and_none"]:
    def line(rows: Array, within: Array) -> Array:
        log_mass, place = -jax.vmap(energy)(rows), jax.vmap(mode)(rows)
        mine = place[None] == jnp.arange(modes + 1, dtype=place.dtype)[:, None]
        return jax.nn.logsumexp(log_mass[None], axis=1, where=mine)

    lines = map_lines(line, energy.shape, box, points, 0)
    return jax.nn.softmax(jax.nn.logsumexp(lines, axis=0))


def coverage(
    draws: Shaped[np.ndarray, " m *shape"],
    rows: Shaped[np.ndarray, " n *shape"],
    neighbours: int = 5,
) -> Estimate:
    """The share of `rows` that have a draw as near as their k-th nearest other row.

    k = `neighbours`. Where draws and rows follow one distribution it is `expected_coverage(m, n,
    k)` in the mean; below that, parts of the data are missing. The error is binomial over rows,
    which share neighbours, so it is somewhat too small.

    Raises:
        ValueError: no more rows than neighbours.

    Trap: Euclidean distance says little about images.
    Source: Naeem et al. (2020), eq. 4.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 2))
        >>> float(ex.evaluate.coverage(rows, rows).value)
        1.0
    """
    if len(rows) <= neighbours:
        raise ValueError(f"`rows` must be more than {neighbours}, the neighbours; got {len(rows)}.")
    real = rows.reshape(len(rows), -1).astype(np.float64)
    fake = draws.reshape(len(draws), -1).astype(np.float64)
    # The nearest of all is the row itself.
    radius = NearestNeighbors(n_neighbors=neighbours + 1).fit(real).kneighbors(real)[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1).fit(fake).kneighbors(real)[0][:, 0]
    return _share(nearest <= radius)


def expected_coverage(draws: int, rows: int, neighbours: int = 5) -> float:
    """The mean of `coverage` where draws and rows follow one distribution.

    1 - prod_i (n - 1 - i) / (n - 1 - i + m): the k points nearest to a row are all rows.

    Example:
        >>> round(ex.evaluate.expected_coverage(1000, 1000), 3)
        0.969
    """
    others = np.arange(rows - 1, rows - 1 - neighbours, -1)
    return float(1 - np.prod(others / (others + draws)))


def label_agreement(
    draws: Shaped[np.ndarray, " m *shape"],
    rows: Shaped[np.ndarray, " n *shape"],
    labels: Int[np.ndarray, " labels"],
    neighbours: int = 10,
) -> Estimate:
    """The share of draws whose nearest `rows` all have one label.

    A draw that looks like one class has neighbours of that class, one between classes has not.
    Measure it of real rows too, which `rows` do not hold: that is what good draws reach. The error
    is binomial; `size`: the number of draws.

    Args:
        rows: labelled ones, in the units of `draws`.
        labels: the class of each.
        neighbours: how many nearest rows must agree.

    Raises:
        ValueError: fewer rows than neighbours, or no label for each row.

    Trap: draws that all copy one row agree, too: it says nothing about variety.

    Example:
        >>> rows = np.concatenate([np.zeros((10, 2)), np.ones((10, 2))])
        >>> labels = np.repeat([0, 1], 10)
        >>> float(ex.evaluate.label_agreement(rows + 0.1, rows, labels, 5).value)
        1.0
    """
    if len(rows) < neighbours:
        raise ValueError(f"`rows` must be at least {neighbours}, the neighbours; got {len(rows)}.")
    if len(labels) != len(rows):
        raise ValueError(f"`labels` must be one for each of {len(rows)} rows; got {len(labels)}.")
    real = rows.reshape(len(rows), -1).astype(np.float32)
    fake = draws.reshape(len(draws), -1).astype(np.float32)
    finder = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(real)
    found = labels[finder.kneighbors(fake, return_distance=False)]
    return _share(np.all(found == found[:, :1], axis=1))


def _share(hits: Bool[np.ndarray, " size"]) -> Estimate:
    """The share of hits, its binomial error, and how many there could be."""
    share, count = float(np.mean(hits)), len(hits)
    parts = (share, math.sqrt(share * (1 - share) / count), float(count))
    return Estimate(*(jnp.asarray(part) for part in parts))
