"""Denoising at all noise levels: the floors at the truth, the time derivative, normalisation."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees
from noisy_distributions import distribution, energy

from energax import learner, train
from energax.energy import GaussianMixture, PreconditionedEnergy, draws
from energax.evaluate import quadrature
from energax.network import NoisyArrayMLP, UNet
from energax.objective import LogNormalDenoising

NARROW = 1e-6


class Scaled(eqx.Module):
    """The exact energy of N(0, v) under noise, its part in s times `factor`."""

    variance: float
    factor: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True, default=(4,))

    def __call__(self, x, noise):
        broad = self.variance + noise**2
        return jnp.sum(x**2) / (2 * broad) + self.factor * x.size * jnp.log(broad) / 2

    def score(self, x, noise):
        return -jax.grad(self)(x, noise)


@eqx.filter_jit
def measure(model, objective, rows, key):
    """The two losses over rows."""
    return objective(model, rows, None, key=key)[1].metrics


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_losses_at_the_truth_have_their_floors(ratio, key):
    """B31: on N(0, v I), r = t / v: 1 for denoising in our units, (1 + 2r) / (2d (1 + r)^2)."""
    variance, dim, count = 0.49, 4, 20_000
    noise = math.sqrt(ratio * variance)
    objective = LogNormalDenoising(math.sqrt(variance), noise, NARROW, time_weight=1.0)
    rows = math.sqrt(variance) * jax.random.normal(key, (count, dim))
    found = measure(Scaled(variance, jnp.ones(())), objective, rows, key)
    assert abs(found["denoising"] - 1) < 0.03
    floor = (1 + 2 * ratio) / (2 * dim * (1 + ratio) ** 2)
    assert abs(found["time"] / floor - 1) < 0.05
    wrong = measure(Scaled(variance, jnp.asarray(0.0)), objective, rows, key)
    lost = (ratio / (1 + ratio) / 2) ** 2
    assert wrong["time"] - found["time"] > 0.7 * lost, "a constant that is lost"
    assert abs(wrong["denoising"] - found["denoising"]) < 1e-9


def test_the_derivative_in_the_variance_is_that_of_the_heat_equation():
    """B30: dE/dt = (Laplacian of E - |grad E|^2) / 2 with dE/dt = dE/ds / (2 s)."""
    model, x, s = energy((3,)), jnp.array([0.4, -1.2, 0.8]), jnp.asarray(0.6)
    slope = jax.grad(model.network)(x, s)
    bend = jnp.trace(jax.hessian(model.network)(x, s))
    rate = jax.grad(model.network, argnums=1)(x, s)
    np.testing.assert_allclose(rate / (2 * s), (bend - slope @ slope) / 2, rtol=1e-9)
    assert abs(rate - (bend - slope @ slope) / 2) > 1e-2, "the derivative in s itself"


@pytest.mark.slow
def test_the_time_derivative_normalises_every_level(key):
    """B32: |log Z| stays small at all levels; without it levels are off by nats."""
    rows = draws(near_modes(), 4000, key=key)
    offs = [np.abs(_log_z(rows, weight, key)).max() for weight in (1.0, 0.0)]
    assert offs[0] < 0.2
    assert offs[1] > 0.3


def near_modes():
    """Two modes in the plane, 3 apart."""
    means = jnp.asarray([[-1.5, 0.0], [1.5, 0.5]])
    return GaussianMixture(np.log([0.7, 0.3]), means, np.stack([0.5 * np.eye(2)] * 2))


def _log_z(rows, weight, key):
    """log Z of the trained energy at three levels, by quadrature."""
    std = float(jnp.std(rows))
    net = eqx.filter_jit(NoisyArrayMLP)((2,), 64, key=key)
    model = PreconditionedEnergy(net, jnp.mean(rows, axis=0), std)
    objective = LogNormalDenoising(std, 0.5 * std, 1.5, time_weight=weight)
    rate = optax.cosine_decay_schedule(5e-3, 2000)
    moves = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    descent = learner.Descent(objective, moves, 0.99)
    run = train.start(descent, model, rows, key=key, batch_size=256)
    run, _ = next(train.fit(descent, run, rows, batch_size=256, chunk_steps=2000))
    trained = descent.energy(run.state)
    return [
        float(quadrature(trained.at(s), -12 - 5 * s, 12 + 5 * s).value) for s in (0.1, 0.5, 2.0)
    ]


def denoise_by_hand(model, rows, *, key):
    """mean |D - x|^2 / (c_out^2 dim) for d = 0.7, middle 0.4 and spread 1.2."""
    choose, blur = jax.random.split(key)
    z = jax.random.normal(blur, rows.shape)
    noise = 0.4 * jnp.exp(1.2 * jax.random.normal(choose, (len(rows),)))

    def one(x, z, s):
        denoised = x + s * z + s**2 * model.score(x + s * z, s)
        return jnp.mean((denoised - x) ** 2) * (s**2 + 0.49) / (0.49 * s**2)

    return jnp.mean(jax.vmap(one)(rows, z, noise))


@pytest.mark.parametrize(
    ("shape", "precision"), [((2,), "float64"), ((6, 5), "float32")], indirect=["precision"]
)
def test_it_is_a_score_first_and_an_energy_then(shape, precision, key):
    """The first update moves the network as the score does, the next one as the energy does."""
    build, blur = jax.random.split(key)
    made = NoisyArrayMLP(shape, 8, key=build) if len(shape) == 1 else UNet(shape, 8, 1, key=build)
    awake = jax.tree.map(lambda a: a + 0.1 if eqx.is_inexact_array(a) else a, made)
    model = PreconditionedEnergy(awake, jnp.zeros(shape), 0.7)
    rows = jax.random.normal(key, (4, *shape))
    objective = LogNormalDenoising(0.7, 0.4, score_updates=1)
    as_energy = LogNormalDenoising(0.7, 0.4)

    @eqx.filter_jit
    def look(model, updates):
        memory = jnp.asarray(updates, jnp.int32)
        loss, aux = objective(model, rows, memory, key=blur)
        alone = as_energy(model, rows, None, key=blur)[0]
        return loss, alone, aux.memory, denoise_by_hand(model.as_score(), rows, key=blur)

    first, alone, memory, score = look(model, 0)
    assert first.dtype == precision
    assert int(memory) == 1
    np.testing.assert_allclose(first, score, rtol=1e-5)
    assert abs(first - alone) > 1e-4
    then, alone, _, _ = look(model, 1)
    np.testing.assert_allclose(then, alone, rtol=1e-5)


def test_denoised_rows_have_the_shares_of_the_truth(key):
    """At the truth the loss is the mean squared error of the posterior mean, in its units."""
    rows = draws(distribution((3,)), 20_000, key=key)
    std = float(jnp.std(rows))
    objective = LogNormalDenoising(std, 1.0, NARROW)
    exact, z = energy((3,)), jax.random.normal(jax.random.split(key)[1], rows.shape)
    best = jax.vmap(lambda x: exact.score(x, jnp.asarray(1.0)))(rows + z)
    missed = (rows + z + best - rows) ** 2 * (1 + std**2) / std**2
    found = eqx.filter_jit(objective)(exact, rows, None, key=key)[0]
    assert agrees(np.asarray(missed).mean(axis=1), float(found), 0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"std": 0.0}, "`std` must be above 0; got 0.0"),
        ({"spread": -1.0}, "`spread` must be above 0; got -1.0"),
        ({"time_weight": -1.0}, "`time_weight` must be at least 0; got -1.0"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LogNormalDenoising(**{"std": 1.0, "middle": 0.6, **options})
