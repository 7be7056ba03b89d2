"""Recovery at many levels: its mean gradient in closed form, its fixed point, and its draws."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, flat, place, rows_of
from noisy_distributions import SHARE, STDS, bowl, centres, distribution, energy

from energax.energy import NoisyEnergy, Posterior, draws
from energax.objective import MultiLevelRecovery
from energax.sampler import Langevin, geometric_levels, hmc, recover

LEVELS, STEP, STEPS, BATCH = np.array([1.2, 0.7, 0.4]), 0.2, 3, 16


def reaching(shape):
    """A chain that is at its distribution by the end."""
    return hmc(0.3, 4, jnp.ones(shape)), 6


def chain(precision, centre, added, steps, mean, variance):
    """Mean and variance of Langevin chains that start at noisier rows of N(mean, variance).

    In units of `added` the walk of a row is linear, so this is exact, bias of the step and all;
    infinitely many `steps` stand for the distribution that a perfect chain reaches.
    """
    bend = 1 + added**2 * precision
    keep = (1 - STEP * bend) ** steps
    own = added**2 / bend
    if math.isfinite(steps):
        own = own * (1 - keep**2) / (1 - STEP * bend / 2)
    slope = keep + (1 - keep) / bend
    return centre + slope * (mean - centre), own + slope**2 * variance


def expected(at, steps, fault=""):
    """Gradient of the loss in centre and log-precision, for one bowl at every level."""
    parts = []
    for broad, noise in itertools.pairwise(LEVELS):
        added = broad if fault == "all noise is taken off" else math.sqrt(broad**2 - noise**2)
        above = noise if fault == "chains start at the cleaner row" else broad
        mean, variance = chain(
            at.precision, at.centre, added, steps, at.mean, at.variance + above**2
        )
        clean = 0.0 if fault == "rows of data are clean" else noise**2
        gap = at.variance + clean + (at.mean - at.centre) ** 2
        gap = gap - variance - (mean - at.centre) ** 2
        parts.append([-at.precision * (at.mean - mean), at.precision * gap / 2])
    centre, log_precision = np.mean(parts, axis=0)
    return np.concatenate([centre.ravel(), log_precision.ravel(), [0.0]])


def gradients(objective, model, weights, at, key, seeds=8000):
    """The gradient in all `weights` of the model, of independent batches from the data's
    distribution."""

    def one(batch, key):
        return weights(jax.grad(lambda e: objective(e, batch, None, key=key)[0])(model))

    rows = rows_of(at, (seeds, BATCH))
    return np.asarray(jax.jit(jax.vmap(one))(rows, jax.random.split(key, seeds)))


class Same(eqx.Module):
    """One energy at every level."""

    energy: eqx.Module

    def __call__(self, x, noise):
        return self.energy(x)


CHAINS = {"langevin": lambda shape: (Langevin(STEP), STEPS), "reaching": reaching}
FAULTS = ("all noise is taken off", "chains start at the cleaner row", "rows of data are clean")


@pytest.mark.parametrize(
    ("name", "shape", "precision"),
    [
        ("langevin", "vector", "float64"),
        ("langevin", "image", "float32"),
        ("reaching", "vector", "float64"),
    ],
    indirect=["precision"],
)
def test_mean_gradient_is_the_one_in_closed_form(name, shape, precision, key):
    at, (sampler, steps) = place(SHAPES[shape]), CHAINS[name](SHAPES[shape])
    objective = MultiLevelRecovery(sampler, LEVELS, steps)
    model = NoisyEnergy(Same(at.model), SHAPES[shape])
    values = gradients(objective, model, lambda g: flat(g.network.energy), at, key)
    steps = STEPS if name == "langevin" else math.inf
    assert agrees(values, expected(at, steps))
    scale = 1.1 if shape == "vector" else 1.2
    assert not agrees(scale * values, expected(at, steps))
    for fault in FAULTS:
        if name == "langevin" or "start" not in fault:
            assert not agrees(values, expected(at, steps, fault))


class Bowls(eqx.Module):
    """N(mean, exp(log_variance)) under noise: the right energy at every level, with weights."""

    mean: jax.Array
    log_variance: jax.Array

    def __call__(self, x, noise):
        spread = jnp.exp(self.log_variance) + noise**2
        return jnp.sum((x - self.mean) ** 2 / spread) / 2


def pull(sampler, steps, shape, key, off=0.0):
    """Gradients at the distribution of the data, or `off` it in the variance."""
    at = place(shape)
    network = Bowls(jnp.asarray(at.mean, float), jnp.asarray(np.log(at.variance) + off, float))
    return gradients(
        MultiLevelRecovery(sampler, LEVELS, steps),
        NoisyEnergy(network, shape),
        lambda g: jnp.concatenate([g.network.mean.ravel(), g.network.log_variance.ravel()]),
        at,
        key,
        seeds=2000,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_pulls_away_from_the_distribution_of_the_data(shape, key):
    values = pull(*reaching(SHAPES[shape]), SHAPES[shape], key)
    assert agrees(values, np.zeros(values.shape[1]))


def test_a_chain_with_a_bias_pulls_and_so_does_a_wrong_model(key):
    """Negative control."""
    assert not agrees(pull(Langevin(STEP), 30, (3,), key), np.zeros(6))
    assert not agrees(pull(*reaching((3,)), (3,), key, off=0.4), np.zeros(6))


def test_the_posterior_is_bayes_rule_in_units_of_the_added_noise():
    """Against log p(x) + log N(noisier; x, added^2), up to a constant."""
    noisier, added = jnp.array([0.3, -2.0]), jnp.asarray(0.7)
    model = energy((2,)).at(0.5)
    goal = Posterior(model, noisier, added)
    u = jnp.array([[0.1, 0.4], [-1.3, 0.6]])
    x = jax.vmap(goal.row)(u)
    ours = jax.vmap(goal)(u)
    far = np.sum((np.asarray(x) - np.asarray(noisier)) ** 2, axis=1) / (2 * 0.7**2)
    np.testing.assert_allclose(np.diff(ours), np.diff(jax.vmap(model)(x) + far))


MEAN, VARIANCE = np.array([0.5, -1.0, 2.0]), np.array([0.3, 1.0, 2.5])


def test_walking_down_has_the_bias_of_its_linear_chains(precision, key):
    """Closed form for a Gaussian: from mean 1 and variance 4 at the highest level."""
    first, then = jax.random.split(key)
    starts = 1 + 2 * jax.random.normal(first, (20_000, 3))
    x = recover(Langevin(STEP), bowl(MEAN, VARIANCE), LEVELS, starts, STEPS, key=then)
    mean, variance = np.ones(3), np.full(3, 4.0)
    for broad, noise in itertools.pairwise(LEVELS):
        added = math.sqrt(broad**2 - noise**2)
        precise = 1 / (VARIANCE + noise**2)
        mean, variance = chain(precise, MEAN, added, STEPS, mean, variance)
    assert x.dtype == precision
    assert agrees(x, mean)
    assert agrees((np.asarray(x) - mean) ** 2, variance)
    assert not agrees((np.asarray(x) - mean) ** 2, 1.1 * variance)


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
def test_walking_down_gives_far_modes_their_shares(shape, key):
    first, then = jax.random.split(key)
    levels, (sampler, steps) = geometric_levels(16.0, 0.3, 12), reaching(shape)
    starts = draws(distribution(shape, levels[0]), 2000, key=first)
    x = recover(sampler, energy(shape), levels, starts, steps, key=then)
    rows, modes = np.asarray(x).reshape(len(x), -1), centres(shape).reshape(2, -1)
    side = rows @ modes[0] > 0
    assert agrees(side, SHARE, 0.01)
    for mode, mine, std in zip(modes, (side, ~side), STDS, strict=True):
        variance = std**2 + 0.3**2
        assert agrees(rows[mine], mode, 0.02)
        assert agrees((rows[mine] - mode) ** 2, variance, 0.03 * variance)
    assert not agrees(side, 0.5, 0.01)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: MultiLevelRecovery(Langevin(0.1), [1.0]), "at least 2 numbers above 0"),
        (lambda: MultiLevelRecovery(Langevin(0.1), [1.0, 0.0]), "above 0; got"),
        (lambda: MultiLevelRecovery(Langevin(0.1), [1.0, 1.0]), "must all differ"),
        (lambda: MultiLevelRecovery(Langevin(0.1), [1.0, 0.5], 0), "`steps` must be at least 1"),
        (
            lambda: recover(
                Langevin(0.1), energy((3,)), LEVELS, jnp.ones((2, 3)), 0, key=jax.random.key(0)
            ),
            "`steps` must be at least 1",
        ),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
