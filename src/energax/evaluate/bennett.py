"""log Z by bridge sampling: from draws of the model and of a distribution fitted to it."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PRNGKeyArray, Shaped
from scipy.optimize import root_scalar
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    GaussianMixture,
    draws,
    fit_mixture,
)
from energax.evaluate.base import Estimate

COMPONENTS = 16
"""Most components of the mixture that is fitted to settled draws."""

_SMALLEST = 1e-12
"""Variance that keeps copies of one point apart."""

SHARE = 8
"""Draws for each axis that a component needs at least: its covariance is a full matrix."""


def bennett_ratio(
    lower: Float[ArrayLike, " lower"],
    upper: Float[ArrayLike, " upper"],
    lower_family: Int[np.ndarray, " lower"] | None = None,
    upper_family: Int[np.ndarray, " upper"] | None = None,
) -> Estimate:
    """log Z_upper - log Z_lower from draws of both of two energies, in nats.

    With w = E_lower - E_upper, it is the root D of

        sum over lower draws of sigma(w - D + c) = sum over upper draws of sigma(-(w - D + c)),

    c = log(n_upper / n_lower): of all estimates from these numbers that with the least variance.
    The error is that of a root of an estimating equation; draws of one family count as one. `size`
    is the effective count, 1 / (error^2 + 1 / n_lower + 1 / n_upper).

    Args:
        lower: w at draws of the lower energy.
        upper: w at draws of the upper energy.
        lower_family: A number for each draw: draws of one family are not independent. None: all
            are independent.
        upper_family: The same for the upper draws.

    Trap: where no draws of one are likely under the other, the error is too small.
    Source: Bennett (1976), equation 8; Meng and Wong (1996).

    Example:
        >>> found = ex.evaluate.bennett_ratio(np.array([0.9, 1.1]), np.array([1.0, 1.0]))
        >>> round(float(found.value), 6)
        1.0
    """
    lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    offset = np.log(len(upper) / len(lower))
    if not np.all(np.isfinite(lower)) or not np.all(np.isfinite(upper)):
        return _estimate(np.nan, np.nan, 0.0)

    def shares(ratio: float) -> tuple[np.ndarray, np.ndarray]:
        return expit(lower - ratio + offset), expit(ratio - offset - upper)

    def surplus(ratio: float) -> float:
        below, above = shares(ratio)
        return float(below.sum() - above.sum())

    reach = 1 + abs(offset)
    bounds = min(lower.min(), upper.min()) - reach, max(lower.max(), upper.max()) + reach
    ratio = float(root_scalar(surplus, bracket=bounds, xtol=1e-10).root)
    below, above = shares(ratio)
    slope = np.sum(below * (1 - below)) + np.sum(above * (1 - above))
    spread = _variance_of_sum(below, lower_family) + _variance_of_sum(above, upper_family)
    variance = spread / slope**2 if slope > 0 else np.inf
    size = 1 / (variance + 1 / len(lower) + 1 / len(upper))
    return _estimate(ratio, np.sqrt(variance), size)


def _variance_of_sum(values: np.ndarray, family: Int[np.ndarray, " size"] | None) -> float:
    """Variance of the sum of values, those of a family counting as one draw."""
    spread = values - values.mean()
    return float(np.sum((spread if family is None else np.bincount(family, spread)) ** 2))


def _estimate(value: float, error: float, size: float) -> Estimate:
    return Estimate(*(jnp.asarray(a, jnp.result_type(float)) for a in (value, error, size)))


def fit_proposal(x: Float[np.ndarray, " size *shape"], *, seed: int = 0) -> GaussianMixture:
    """A mixture of Gaussians near the distribution of `x`, with as many components as fit."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    different = len(np.unique(flat, axis=0))
    components = int(np.clip(different // (SHARE * flat.shape[1]), 1, COMPONENTS))
    spread = np.linalg.eigvalsh(np.atleast_2d(np.cov(flat, rowvar=False)))
    ridge = max(1e-3 * spread[0], 1e-6 * spread[-1], _SMALLEST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # any mixture is a fair proposal
        return fit_mixture(np.asarray(x), components, ridge=ridge, seed=seed)


def mix(first: GaussianMixture, second: GaussianMixture, share: float = 0.2) -> GaussianMixture:
    """The components of both, the second with `share` of the weight."""
    weights = jnp.concatenate(
        [first.log_weights + np.log(1 - share), second.log_weights + np.log(share)]
    )
    means = jnp.concatenate([first.means, second.means])
    return GaussianMixture(weights, means, jnp.concatenate([first.factors, second.factors]))


@eqx.filter_jit
def _work(energy: AbstractEnergy, proposal: AbstractDistribution, x: Shaped[ArrayLike, "..."]):
    return jax.vmap(lambda y: proposal(y) - energy(y))(x)


def bridge_log_z(
    energy: AbstractEnergy,
    proposal: AbstractDistribution,
    x: Shaped[np.ndarray, " size *shape"],
    family: Int[np.ndarray, " size"],
    *,
    key: PRNGKeyArray,
) -> Estimate:
    """log Z by Bennett's ratio between a fitted distribution and the energy.

    Args:
        energy: Of unknown log Z.
        proposal: Near the model, fitted to other draws than `x`.
        x: Draws of the model.
        family: A number for each: draws of one family are not independent.
    """
    fresh = draws(proposal, 4 * len(x), key=key)
    work = np.asarray(_work(energy, proposal, jnp.concatenate([fresh, x])), np.float64)
    there, here = np.split(work, [len(fresh)])
    found = bennett_ratio(there, here, upper_family=family)
    return Estimate(proposal.log_z() + found.value, found.error, found.size)
