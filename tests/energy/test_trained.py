"""A distribution stays one after any training: density, draws and log Z still agree. Parts of an
energy that are frozen do not move."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees
from cases import Bowl

from energax.energy import (
    Bridge,
    GaussianMixture,
    Neural,
    NonTrainable,
    Sum,
    Tempered,
    log_density,
    score,
    weights,
)
from energax.energy import draws as uncompiled

draws = eqx.filter_jit(uncompiled)


def mixture():
    factors = jnp.asarray([[[0.6, 0.0], [0.3, 0.4]], [[0.5, 0.0], [-0.2, 0.7]]])
    return GaussianMixture(jnp.arange(2.0), jnp.asarray([[1.0, -0.5], [-1.0, 0.8]]), factors)


def one_axis():
    return GaussianMixture(np.zeros(1), np.zeros((1, 1)), np.ones((1, 1, 1)))


def fitted(distribution, rows, steps=300, rate=0.02):
    """Adam on the mean negative log-density of the rows."""
    moving, still = weights(distribution)
    optimiser = optax.adam(rate)

    def loss(moving):
        return -jnp.mean(jax.vmap(lambda x: log_density(eqx.combine(moving, still), x))(rows))

    def update(carry, _):
        moving, memory = carry
        with jax.numpy_dtype_promotion("standard"):
            change, memory = optimiser.update(jax.grad(loss)(moving), memory, moving)
        return (optax.apply_updates(moving, change), memory), None

    start = (moving, optimiser.init(moving))
    (moving, _), _ = jax.jit(lambda start: jax.lax.scan(update, start, length=steps))(start)
    return eqx.combine(moving, still)


def shifted(distribution, scale, *, key):
    """Each array moved at random, as no sensible optimiser would: signs of diagonals change too."""
    moving, still = weights(distribution)
    leaves, tree = jax.tree.flatten(moving)
    keys = jax.random.split(key, len(leaves))
    noise = [scale * jax.random.normal(k, a.shape) for k, a in zip(keys, leaves, strict=True)]
    moved = [a + b for a, b in zip(leaves, noise, strict=True)]
    return eqx.combine(jax.tree.unflatten(tree, moved), still)


def moments(x):
    x = np.asarray(x, np.float64)
    return np.column_stack([x, x**2, x[:, :1] * x])


def quadrature(distribution):
    """Midpoints of a grid, and the probability of each cell; its edge is 8 std away or more."""
    dim = distribution.shape[0]
    half, count = {1: (20.0, 4000), 2: (16.0, 800)}[dim]
    axis = -half + 2 * half / count * (np.arange(count) + 0.5)
    points = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    log_p = -np.asarray(jax.jit(jax.vmap(distribution))(points)) - float(distribution.log_z())
    return points, np.exp(log_p) * (2 * half / count) ** dim


def check_contract(distribution, *, key):
    """Mass 1 by quadrature, and draws with the moments of the density."""
    points, mass = quadrature(distribution)
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    rows, right = draws(distribution, 20_000, key=key), mass @ moments(points)
    assert agrees(moments(rows), right)
    assert not agrees(moments(1.05 * rows), right)


def test_issue_11_a_mixture_trained_on_wider_rows_draws_what_its_density_says(key):
    rows = 2 * jax.random.normal(jax.random.key(1), (500, 1))
    trained = fitted(one_axis(), rows)
    points, mass = quadrature(trained)
    spread = float(jnp.std(rows))
    assert float(np.sqrt(mass @ points**2)[0]) == pytest.approx(spread, rel=0.03)
    check_contract(trained, key=key)


def test_issue_11_a_mixture_is_normalised_wherever_its_arrays_go(key):
    check_contract(shifted(mixture(), 0.3, key=jax.random.key(2)), key=key)
    # A step that takes a diagonal of a plain factor below 0.
    check_contract(shifted(one_axis(), 1.2, key=jax.random.key(4)), key=key)


def test_issue_11_the_factors_of_a_trained_mixture_are_those_of_its_density():
    trained = shifted(mixture(), 0.5, key=jax.random.key(3))
    assert np.exp(trained.log_weights).sum() == pytest.approx(1, rel=1e-12)
    assert np.all(np.diagonal(trained.factors, axis1=1, axis2=2) > 0)
    assert not np.any(np.triu(trained.factors, 1))
    one = GaussianMixture(np.zeros(1), np.zeros((1, 2)), np.eye(2)[None])
    one = shifted(one, 0.5, key=jax.random.key(3))
    factor = np.asarray(one.factors[0])
    precision = jax.hessian(one)(jnp.ones(2))
    assert np.allclose(np.linalg.inv(factor @ factor.T), precision, rtol=1e-10)


def leaves(energy):
    return [leaf for leaf in jax.tree.leaves(weights(energy)[0])]


FREE = Bowl(jnp.full(2, 0.5), jnp.ones(2))
COMBINED = {
    "sum": (lambda frozen, free: Sum(frozen, free), 2),
    "bridge": (lambda frozen, free: Bridge(frozen, free, 0.3), 2),
    "tempered": (lambda frozen, free: Tempered(frozen, 2.0), 0),
}


@pytest.mark.parametrize("name", COMBINED)
def test_issue_11_frozen_parts_of_combined_energies_are_no_weights(name):
    combine, free_arrays = COMBINED[name]
    free = Neural(FREE, (2,))
    frozen = combine(NonTrainable(mixture()), free)
    plain = combine(mixture(), free)
    x = jnp.asarray([0.3, -0.2])
    assert float(frozen(x)) == pytest.approx(float(plain(x)), rel=1e-14)
    assert np.allclose(score(frozen, x), score(plain, x))
    assert len(leaves(frozen)) == free_arrays
    # Negative control: as they are, all parts train.
    assert len(leaves(plain)) == free_arrays + len(leaves(mixture()))


@pytest.mark.parametrize("name", ["bridge", "tempered"])
def test_issue_11_temperature_and_time_are_settings_and_no_weights(name):
    combine, _ = COMBINED[name]
    energy = combine(NonTrainable(mixture()), NonTrainable(mixture()))
    assert leaves(energy) == []


def test_a_bridge_can_be_differentiated_in_its_time():
    x, (start, end) = jnp.asarray([0.3, -0.2]), (mixture(), Neural(FREE, (2,)))
    slope = jax.grad(lambda time: Bridge(start, end, time)(x))(jnp.asarray(0.3))
    assert float(slope) == pytest.approx(float(end(x) - start(x)))
