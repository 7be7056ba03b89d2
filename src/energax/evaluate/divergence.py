"""How far a sample is from another, or from a model: discrepancies by kernels."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.distance import pdist

from energax.energy import Energy, score
from energax.evaluate.base import Estimate
from energax.objective import Kernel, median_bandwidth, stein_kernel

BANDWIDTH_ROWS = 1000
"""Rows from which the median distance is taken: enough for three digits."""

ROWS_AT_ONCE = 16
"""Rows whose kernels are held at one time: enough for a fast product, little memory."""

Pairing = Callable[[Float[Array, " dim"], Float[Array, " n dim"]], Float[Array, " n"]]
"""k(x, b_j) of one row with each of many."""


def median_distance(rows: Float[np.ndarray, " size *shape"]) -> float:
    """Median Euclidean distance between two different rows: the usual width of a kernel."""
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)[:BANDWIDTH_ROWS]
    return float(np.median(pdist(flat)))


def mmd(
    x: Float[np.ndarray, " m *shape"],
    y: Float[np.ndarray, " n *shape"],
    *,
    bandwidth: float | None = None,
) -> Estimate:
    """Squared maximum mean discrepancy, unbiased: E k(x,x') + E k(y,y') - 2 E k(x,y).

    k(a, b) = exp(-|a - b|^2 / (2 w^2)). 0 in the mean where the distributions agree, so single
    values may be negative. The error is that of the two-sample U-statistic to second order, so it
    holds where the distributions agree and where they differ. `size`: rows of the smaller sample.

    Args:
        bandwidth: w, above 0; None: the median distance within `y`, the reference.

    Raises:
        ValueError: fewer than 2 rows on a side, or `bandwidth` not above 0.

    Trap: rows from one chain are not independent, and the true error is then larger.
    Source: Gretton et al. (2012), eq. 3; the error is derived here by Hoeffding's expansion.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(60, 2))
        >>> bool(ex.evaluate.mmd(rows[:30] + 2, rows[30:]).value > 0.1)
        True
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"`x` and `y` need 2 rows each; got {len(x)} and {len(y)}.")
    width = median_distance(y) if bandwidth is None else bandwidth
    if not width > 0:
        raise ValueError(f"`bandwidth` must be above 0; got {width}.")
    a, b = (jnp.asarray(rows).reshape(len(rows), -1) / width for rows in (x, y))
    return unbiased_mmd(a, b, gaussian)


def gaussian(x: Float[Array, " dim"], rows: Float[Array, " n dim"]) -> Float[Array, " n"]:
    """exp(-|x - b|^2 / 2) for each b of `rows`."""
    return jnp.exp(-jnp.sum((x[None] - rows) ** 2, axis=1) / 2)


@eqx.filter_jit
def unbiased_mmd(a: Float[Array, " m dim"], b: Float[Array, " n dim"], kernel: Pairing) -> Estimate:
    """E k(a,a') + E k(b,b') - 2 E k(a,b) over pairs of different rows, and its standard error.

    The error is derived by Hoeffding's expansion, to second order. `size`: rows of the smaller
    sample. Pass `kernel` as a function of a module, to compile once.
    """
    m, n = len(a), len(b)
    ab, ba = _sums(a, b, kernel), _sums(b, a, kernel)
    # The kernel of a row with itself is what the unbiased form leaves out.
    aa, bb = (_sums(rows, rows, kernel) - _own(rows, kernel) for rows in (a, b))
    in_a, in_b = aa[0] / (m - 1), bb[0] / (n - 1)
    from_a, from_b = ab[0] / n, ba[0] / m
    value = jnp.mean(in_a) + jnp.mean(in_b) - 2 * jnp.mean(from_a)
    first = jnp.var(in_a - from_a, ddof=1) / m + jnp.var(in_b - from_b, ddof=1) / n
    # The spread of row means also holds what single pairs add, twice what belongs in the error.
    inner_a = _degenerate(in_a, in_a, aa[1] / (m - 1)) / m**2
    inner_b = _degenerate(in_b, in_b, bb[1] / (n - 1)) / n**2
    pairs = 4 * (inner_a + inner_b + 2 * _degenerate(from_a, from_b, ab[1] / n) / (m * n))
    variance = jnp.maximum(4 * first - pairs, 0) + pairs / 2
    return Estimate(value, jnp.sqrt(variance), jnp.asarray(float(min(m, n)), value.dtype))


def kernel_stein(
    energy: Energy, rows: Float[Array, " size *shape"], kernel: Kernel = "multiquadric"
) -> Estimate:
    """Squared kernel Stein discrepancy of rows from a model, unbiased; Z is not needed.

    The mean of `stein_kernel` over pairs of different rows, its bandwidth `median_bandwidth`. 0 in
    the mean where the rows follow exp(-E) / Z, so single values may be negative; in units of 1 /
    |x|^2, so compare it only between models of the same rows. The error is that of a U-statistic to
    second order. Memory grows as size^2 times the number of axes.

    Raises:
        ValueError: fewer than 3 rows.

    Trap: it cannot see the weights of distant modes.
    Source: Liu, Lee and Jordan (2016), eq. 14.

    Example:
        >>> rows = jnp.asarray(np.random.default_rng(0).normal(size=(50, 2)))
        >>> normal = ex.energy.Gaussian(jnp.zeros(2))
        >>> bool(abs(ex.evaluate.kernel_stein(normal, rows).value) < 0.5)
        True
    """
    if len(rows) < 3:
        raise ValueError(f"`rows` must be at least 3; got {len(rows)}.")
    return _stein(energy, rows, kernel)


@eqx.filter_jit
def _stein(energy: Energy, rows: Array, kernel: Kernel) -> Estimate:
    n = len(rows)
    pairs = stein_kernel(
        rows, jax.vmap(lambda x: score(energy, x))(rows), median_bandwidth(rows), kernel
    )
    pairs = jnp.where(jnp.eye(n, dtype=bool), 0, pairs)
    means = jnp.sum(pairs, axis=1) / (n - 1)
    value = jnp.mean(means)
    second = jnp.sum(pairs**2) / (n * (n - 1)) - value**2
    # Means of rows spread by what single pairs add, too: that is not part of the first order.
    first = jnp.maximum(jnp.var(means, ddof=1) - second / (n - 1), 0)
    variance = 4 * (n - 2) / (n * (n - 1)) * first + 2 / (n * (n - 1)) * second
    return Estimate(value, jnp.sqrt(variance), jnp.asarray(float(n), value.dtype))


def _degenerate(
    rows: Float[Array, " m"], columns: Float[Array, " n"], squares: Float[Array, " m"]
) -> Float[Array, ""]:
    """Variance of a kernel once the means of its rows and of its columns are taken away."""
    return jnp.mean(squares) - jnp.mean(rows**2) - jnp.mean(columns**2) + jnp.mean(rows) ** 2


@eqx.filter_jit
def _sums(
    a: Float[Array, " m dim"], b: Float[Array, " n dim"], kernel: Pairing
) -> Float[Array, " 2 m"]:
    """sum_j k(a_i, b_j) and sum_j k(a_i, b_j)^2 for each i, a few rows at a time for memory."""

    def line(x: Float[Array, " dim"]) -> Float[Array, " 2"]:
        found = kernel(x, b)
        return jnp.stack([jnp.sum(found), jnp.sum(found**2)])

    return jax.lax.map(line, a, batch_size=ROWS_AT_ONCE).T


@eqx.filter_jit
def _own(rows: Float[Array, " m dim"], kernel: Pairing) -> Float[Array, " 2 m"]:
    """k(a_i, a_i) and its square for each i."""
    found = jax.vmap(lambda x: kernel(x, x[None])[0])(rows)
    return jnp.stack([found, found**2])
