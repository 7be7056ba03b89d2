"""How far draws are from data in the features of a network: Fréchet and kernel distance."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from energax.evaluate.base import Estimate
from energax.evaluate.divergence import unbiased_mmd

Features = Shaped[np.ndarray, "_ _"]
"""One row of features for each example."""


def frechet_distance(x: Features, y: Features, blocks: int = 20) -> Estimate:
    """Squared Fréchet distance of the Gaussians with the means and covariances of x and of y.

    |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)); S divides by size - 1. The trace of the root
    is the sum of the singular values of L_x^T L_y, S = L L^T: the roots of the eigenvalues of
    S_x^(1/2) S_y S_x^(1/2), without the root of a product that is not symmetric.

    The error is by jackknife: each of `blocks` runs of consecutive rows is left out on both sides
    in turn, which counts dependence shorter than a block. It varies by about 1 / sqrt(2 blocks),
    and is up to 1.4 times too large where the distributions agree. Shuffle rows that are sorted by
    label. `size`: rows of the smaller sample.

    Args:
        x: features of one example a row; the distance is in their squared units.
        y: the same features of other examples.
        blocks: at least 2.

    Raises:
        ValueError: too few blocks; fewer than 2 rows in a block, or no more rows than features
            outside of one; unequal widths; features that are not finite.

    Trap: the value is too high, by `expected_frechet` where the distributions agree, which grows as
    dim^2 / size; the error does not include this, so compare only values of equal sizes and of the
    same features. Published distances are of Inception features: they are on another scale.
    Source: Heusel et al. (2017), eq. 6; the distance is that of Dowson and Landau (1982), eq. 4.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(200, 2))
        >>> bool(ex.evaluate.frechet_distance(rows[:100] + 3, rows[100:]).value > 15)
        True
    """
    a, b = _check(x, y)
    if blocks < 2:
        raise ValueError(f"`blocks` must be at least 2; got {blocks}.")
    for name, rows in (("x", a), ("y", b)):
        least = max(2 * blocks, _least_rows(rows.shape[1], blocks))
        if len(rows) < least:
            raise ValueError(
                f"`{name}` needs {least} rows for {rows.shape[1]} features and {blocks} blocks; "
                f"got {len(rows)}."
            )
    pairs = zip(*(np.array_split(np.arange(len(rows)), blocks) for rows in (a, b)), strict=True)
    left = np.array([_frechet(np.delete(a, i, 0), np.delete(b, j, 0)) for i, j in pairs])
    error = np.sqrt((blocks - 1) * left.var())
    return _estimate(_frechet(a, b), error, min(len(a), len(b)))


def _least_rows(dim: int, blocks: int) -> int:
    """So many that more than `dim` rows stay when the largest block is left out."""
    rows = dim + 1
    while rows - -(-rows // blocks) <= dim:
        rows += 1
    return rows


def expected_frechet(covariance: Float[np.ndarray, "dim dim"], m: int, n: int) -> float:
    """The mean of `frechet_distance` between m and n rows of one Gaussian, to leading order.

    (1/m + 1/n) (sum_i l_i + sum_ij l_i l_j / (l_i + l_j) / 2 + sum_i l_i / 4), l the eigenvalues of
    `covariance`: for l = 1 it is (1/m + 1/n) dim (dim + 5) / 4. What is left out is smaller by
    about dim / m + dim / n. Derived here, from the second order of the distance in S.

    Example:
        >>> round(ex.evaluate.expected_frechet(np.eye(3), 100, 100), 3)
        0.12
    """
    scales = np.clip(np.linalg.eigvalsh(covariance), 0, None)
    scales = scales[scales > 0]
    crossed = np.outer(scales, scales) / np.add.outer(scales, scales)
    return float((1 / m + 1 / n) * (1.25 * scales.sum() + crossed.sum() / 2))


def kernel_distance(x: Features, y: Features) -> Estimate:
    """Squared maximum mean discrepancy of features under k(u, v) = (<u, v> / dim + 1)^3, unbiased.

    It is 3 |dM_1|^2 / dim + 3 |dM_2|^2 / dim^2 + |dM_3|^2 / dim^3, dM_j the difference of the
    moments of order j: unlike the Fréchet distance 0 in the mean where the distributions agree, so
    single values may be negative. Published figures are often 1000 times this, averaged over
    subsets of rows; here all rows are used at once, with the same mean. The error is that of a
    U-statistic to second order; `size`: rows of the smaller sample. Computed in float64 whatever
    the features, for powers of large features cancel.

    Raises:
        ValueError: fewer than 2 rows on a side, unequal widths, or features that are not finite.

    Trap: third powers let a few large features decide.
    Source: Bińkowski et al. (2018), section 4.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(100, 2))
        >>> bool(ex.evaluate.kernel_distance(rows[:50] + 2, rows[50:]).value > 1)
        True
    """
    a, b = _check(x, y)
    if min(len(a), len(b)) < 2:
        raise ValueError(f"`x` and `y` need 2 rows each; got {len(a)} and {len(b)}.")
    with jax.enable_x64(True):
        found = unbiased_mmd(jnp.asarray(a), jnp.asarray(b), cubic)
    return _estimate(float(found.value), float(found.error), min(len(a), len(b)))


def cubic(x: Float[Array, " dim"], rows: Float[Array, " n dim"]) -> Float[Array, " n"]:
    """(<x, b> / dim + 1)^3 for each b of `rows`."""
    return (rows @ x / len(x) + 1) ** 3


def _check(x: Features, y: Features) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64, once they are finite and equally wide."""
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            "`x` and `y` must hold the same features; "
            f"got {x.shape[1]} of each row of `x` and {y.shape[1]} of `y`."
        )
    for name, rows in (("x", x), ("y", y)):
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            raise ValueError(
                f"`{name}` must be finite; row {bad[0]} is not, nor are {len(bad) - 1} others."
            )
    return x.astype(np.float64), y.astype(np.float64)


def _frechet(a: np.ndarray, b: np.ndarray) -> float:
    gap = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    one, two = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    shared = np.linalg.svd(_factor(one).T @ _factor(two), compute_uv=False).sum()
    return float(gap + np.trace(one) + np.trace(two) - 2 * shared)


def _factor(covariance: Float[np.ndarray, "dim dim"]) -> Float[np.ndarray, "dim dim"]:
    """L with L L^T = `covariance`."""
    scales, axes = np.linalg.eigh(covariance)
    # A covariance has no eigenvalue below 0: rounding alone puts it there.
    return axes * np.sqrt(np.clip(scales, 0, None))


def _estimate(value: float, error: float, size: int) -> Estimate:
    return Estimate(*(jnp.asarray(float(part)) for part in (value, error, size)))
