"""How the methods hang together: each limit of one method is another, with the order of its error.

The noise that an objective draws is replaced by nodes of a quadrature rule, so every mean is exact
to the order that is asked for, and a limit is seen as a number, not through sampling error.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.objective import (
    ConditionalNoiseContrastiveEstimation,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    FiniteDifferenceScoreMatching,
    ImplicitScoreMatching,
    MinimumProbabilityFlow,
    MinimumVelocity,
    SelfPerturbedNoiseContrastiveEstimation,
)

NODES, COPIES = np.array([math.sqrt(3), -math.sqrt(3), 0, 0, 0, 0]), 36
"""Six nodes of equal weight that integrate a standard normal exactly up to the fifth power."""

ROWS = np.array([[-1.3], [-0.4], [0.2], [0.9], [1.6]])


def well(x):
    """A double well, tilted: its third and fourth derivatives do not vanish."""
    return jnp.sum(x**4 / 4 - x**2 / 2 + 0.3 * x)


def implicit(rows=ROWS):
    """Implicit score matching of the double well, by hand."""
    slope, bend = rows**3 - rows + 0.3, 3 * rows**2 - 1
    return float(np.mean(slope**2 / 2 - bend))


def noded(monkeypatch):
    """jax.random.normal gives nodes: for rows in turn, then, inside one row's copies, all of them.

    A batch holds each row len(NODES) times.
    """

    def nodes(key, shape, dtype=float):
        copies, batch = (1, shape[0]) if len(shape) == 2 else shape[:2]
        by_row = np.tile(NODES, batch // len(NODES))
        if copies == 1:
            return jnp.asarray(by_row.reshape(shape), dtype)
        each = np.repeat(NODES, copies // len(NODES))[:, None]
        return jnp.asarray(np.broadcast_to(each, (copies, batch)).reshape(shape), dtype)

    monkeypatch.setattr(jax.random, "normal", nodes)


def loss(objective, key):
    """Over every row with every node."""
    batch = jnp.asarray(np.repeat(ROWS, len(NODES), axis=0))
    return float(objective(well, batch, None, key=key)[0])


LIMITS = {  # name -> (what tends to implicit score matching as the noise s falls)
    "self-perturbed": (
        SelfPerturbedNoiseContrastiveEstimation,
        lambda value, s: (value - 2 * math.log(2)) * 2 / s**2,
    ),
    "conditional": (
        ConditionalNoiseContrastiveEstimation,
        lambda value, s: (value - 2 * math.log(2)) * 2 / s**2,
    ),
    "probability flow": (MinimumProbabilityFlow, lambda value, s: (value - 1) * 4 / s**2),
    "energy discrepancy": (
        lambda s: EnergyDiscrepancy(s, COPIES, stabiliser=0.0),
        lambda value, s: value / s**2,
    ),
    "denoising with control variate": (
        lambda s: DenoisingScoreMatching(s, control_variate=True),
        lambda value, s: value - 1 / (2 * s**2),
    ),
    "finite differences": (FiniteDifferenceScoreMatching, lambda value, s: value),
}


def gaps(name, key, steps=(0.1, 0.05, 0.025)):
    """Distance from implicit score matching at each noise."""
    make, scaled = LIMITS[name]
    return [scaled(loss(make(s), key), s) - implicit() for s in steps]


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_is_score_matching_with_an_error_of_second_order(name, key, monkeypatch):
    noded(monkeypatch)
    found = gaps(name, key)
    assert abs(found[-1]) < 0.01 * abs(implicit())
    for wide, narrow in itertools.pairwise(found):
        assert wide / narrow == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("name", ["self-perturbed", "denoising with control variate"])
def test_the_printed_sign_of_the_hessian_is_no_limit(name, key, monkeypatch):
    """Negative control: + tr H, as the arXiv text has it, is far away."""
    noded(monkeypatch)
    make, scaled = LIMITS[name]
    slope, bend = ROWS**3 - ROWS + 0.3, 3 * ROWS**2 - 1
    printed = float(np.mean(slope**2 / 2 + bend))
    assert abs(scaled(loss(make(0.025), key), 0.025) - printed) > 1


def test_minimum_velocity_is_twice_score_matching(key):
    assert loss(MinimumVelocity(), key) == pytest.approx(2 * loss(ImplicitScoreMatching(), key))
    assert loss(ImplicitScoreMatching(), key) == pytest.approx(implicit())


def divergence(a, s):
    """KL(N(0, a) | N(0, s))."""
    return (a / s - 1 - jnp.log(a / s)) / 2


def fisher(a, s):
    """D_F, with its 1/2."""
    return (1 - a / s) ** 2 / (2 * a)


A, S = 1.7, 0.8


def test_speed_of_the_data_under_the_models_dynamics_is_twice_the_fisher_divergence():
    """A14: da/dt = 2 - 2 a / s under dx = -dE/dx dt + sqrt(2) dW."""
    speed = -jax.grad(divergence)(A, S) * (2 - 2 * A / S)
    assert float(speed) == pytest.approx(2 * fisher(A, S))


def test_de_bruijn():
    """A9: with the same noise on both, d/dt KL = -D_F; the arXiv text has half of that."""
    rate = jax.grad(lambda t: divergence(A + t, S + t))(0.0)
    assert float(rate) == pytest.approx(-fisher(A, S))
