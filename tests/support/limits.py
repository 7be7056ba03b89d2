"""The limits of the objectives: what is measured as a parameter falls, and what it should be.

The normal numbers that an objective draws are replaced by the nodes of a quadrature rule, so that
no sampling error hides the order of a limit. Used by the tests and by benchmarks/connections.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple
from unittest.mock import patch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jaxtyping import Array
from scipy.stats import norm

from energax.objective import (
    ConditionalNoiseContrastiveEstimation,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    FiniteDifferenceScoreMatching,
    MinimumProbabilityFlow,
    SelfPerturbedNoiseContrastiveEstimation,
)
from energax.sampler import Langevin

ROWS = np.array([[-1.3], [-0.4], [0.2], [0.9], [1.6]])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
QUANTILES = norm.ppf((np.arange(512) + 0.5) / 512)
COPIES = (QUANTILES / np.std(QUANTILES))[:, None, None]
"""Points of equal weight, as the copies of energy discrepancy have, with the exact variance."""


class Well(eqx.Module):
    """A double well, tilted: its third and fourth derivatives do not vanish."""

    weights: Array

    def __call__(self, x):
        quartic, square, tilt = self.weights
        return jnp.sum(quartic * x**4 / 4 - square * x**2 / 2 + tilt * x)


def well():
    return Well(jnp.array([1.0, 1.0, 0.3]))


def slope_and_bend(rows=ROWS):
    """First and second derivative of the well, by hand."""
    return rows**3 - rows + 0.3, 3 * rows**2 - 1


def implicit():
    """Implicit score matching of the well, by hand."""
    slope, bend = slope_and_bend()
    return float(np.mean(slope**2 / 2 - bend))


def implicit_gradient():
    """And its gradient in the three weights of the well."""
    x, (slope, _) = ROWS, slope_and_bend()
    parts = [slope * x**3 - 3 * x**2, -slope * x + 1, slope]
    return np.array([np.mean(part) for part in parts])


def mean_over_noise(function):
    """The mean of `function()` over the standard normal number that it draws for every row."""

    def at(node):
        def nodes(key, shape, dtype=float):
            copies = len(shape) == 3 and shape[0] == len(COPIES)
            return jnp.broadcast_to(jnp.asarray(COPIES if copies else node, dtype), shape)

        with patch.object(jax.random, "normal", nodes):
            return function()

    # Without compiled parts, which would remember the first nodes that they met; then as one.
    with jax.disable_jit():
        traced = jax.make_jaxpr(jax.vmap(at))(jnp.asarray(NODES))
    return np.tensordot(
        WEIGHTS, np.asarray(jax.jit(jaxpr_as_fun(traced))(jnp.asarray(NODES))[0]), 1
    )


def loss(objective, energy=None, rows=ROWS):
    """Its value for the well; the key serves what is no normal number."""
    model = well() if energy is None else energy
    return objective(model, jnp.asarray(rows), None, key=jax.random.key(0))[0]


def gradient(objective):
    """Its gradient in the weights of the well."""
    return jax.grad(lambda energy: loss(objective, energy))(well()).weights


class Limit(NamedTuple):
    """`measured(s)` tends to `expected()` as s falls; the distance is of the given order in s."""

    measured: Callable[[float], Array | float]
    expected: Callable[[], Array | float] = implicit
    order: int = 2


def _pairs(make, zero, scale):
    """A loss that is zero + s^2 / scale times score matching."""
    return Limit(lambda s: scale * (mean_over_noise(lambda: loss(make(s))) - zero) / s**2)


LIMITS = {
    "ssm-finite": Limit(lambda s: jax.jit(lambda: loss(FiniteDifferenceScoreMatching(s)))()),
    "dsm --control-variate": Limit(
        lambda s: (
            mean_over_noise(lambda: loss(DenoisingScoreMatching(s, control_variate=True)))
            - 1 / (2 * s**2)
        )
    ),
    "nce-self": _pairs(SelfPerturbedNoiseContrastiveEstimation, 2 * math.log(2), 2),
    "nce-conditional": _pairs(ConditionalNoiseContrastiveEstimation, 2 * math.log(2), 2),
    "flow": _pairs(MinimumProbabilityFlow, 1, 4),
    "discrepancy": _pairs(lambda s: EnergyDiscrepancy(s, len(COPIES), stabiliser=0.0), 0, 1),
    "cd": Limit(
        lambda h: (
            mean_over_noise(lambda: gradient(ContrastiveDivergence(Langevin(h), steps=1))) / h
        ),
        implicit_gradient,
        order=1,
    ),
}
"""The word on the command line -> what of it tends to score matching (for cd: the gradients)."""


def relative(measured, expected):
    """Length of the difference over the length of what is expected."""
    gap = np.linalg.norm(np.asarray(measured) - np.asarray(expected))
    return float(gap / np.linalg.norm(np.asarray(expected)))


def gap(name, s):
    """Relative distance from the limit at the noise, difference or step s."""
    return relative(LIMITS[name].measured(s), LIMITS[name].expected())
