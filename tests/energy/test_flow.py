"""A flow is a distribution: its density has mass 1, its draws follow it, only its bijection is
trained."""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import paramax
import pytest
from agreement import agrees
from cases import SHAPES
from flowjax.bijections import Affine
from flowjax.distributions import Normal, StandardNormal, Transformed

from energax.energy import (
    Flow,
    Tempered,
    draws,
    fit_flow,
    log_density,
    make_flow,
    stop_gradient,
    weights,
)

HALF = 8.0


@functools.cache
def bent(dim):
    """A flow whose weights are far from those of a Gaussian."""
    key = jax.random.key(3)
    distribution = make_flow((dim,), layers=2, width=8, key=key)
    moving, still = weights(distribution)
    leaves, form = jax.tree.flatten(moving)
    keys = jax.random.split(key, len(leaves))
    pairs = zip(leaves, keys, strict=True)
    moved = [leaf + 0.2 * jax.random.normal(k, leaf.shape, leaf.dtype) for leaf, k in pairs]
    return eqx.combine(jax.tree.unflatten(form, moved), still)


def on_grid(energy, dim):
    """Midpoints of a grid, and the mass exp(-E) of each cell."""
    cells = 4000 if dim == 1 else 400
    width = 2 * HALF / cells
    axis = -HALF + width * (np.arange(cells) + 0.5)
    x = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    return x, np.exp(-np.asarray(jax.jit(jax.vmap(energy))(jnp.asarray(x)))) * width**dim


@pytest.mark.parametrize("dim", [1, 2])
def test_the_density_has_mass_one(dim):
    """The density has kinks at the knots: the sum is good to a part in 200. A temperature of 1.05,
    which leaves the mass off by a twentieth, is seen."""
    distribution = bent(dim)
    assert on_grid(distribution, dim)[1].sum() == pytest.approx(1, abs=5e-3)
    assert on_grid(Tempered(distribution, 1.05), dim)[1].sum() != pytest.approx(1, abs=2e-2)


def features(x):
    """What draws are judged by."""
    return np.concatenate([x, x**2, np.cos(3 * x), np.prod(x, axis=-1, keepdims=True)], axis=-1)


@pytest.mark.parametrize("dim", [1, 2])
def test_draws_follow_the_density(dim, key):
    """Against moments summed over a grid; draws a twentieth too wide are seen."""
    distribution = bent(dim)
    x, mass = on_grid(distribution, dim)
    right = mass @ features(x) / mass.sum()
    found = np.asarray(eqx.filter_jit(draws)(distribution, 40_000, key=key))
    assert agrees(features(found), right, margin=1e-3)
    assert not agrees(features(1.05 * found), right, margin=1e-3)
    assert np.abs(right[0]) > 0.1 or np.abs(right[dim] - 1) > 0.1  # far from where it started


@pytest.mark.parametrize("shape", [(1,), SHAPES["image"]])
def test_any_shape_of_example(shape, precision, key):
    """The flattened example is FlowJAX's, whose density is that of the distribution."""
    mean = jnp.linspace(-1, 1, math.prod(shape)).reshape(shape)
    distribution = make_flow(shape, layers=2, width=4, mean=mean, std=mean + 2, key=key)

    @eqx.filter_jit
    def numbers(distribution):
        rows = draws(distribution, 2000, key=key)
        both = (
            log_density(distribution, rows[0]),
            distribution.distribution.log_prob(rows[0].reshape(-1)),
        )
        return rows, *both

    rows, found, right = numbers(distribution)
    assert rows.shape[1:] == shape == distribution.shape
    assert str(rows.dtype) == str(found.dtype) == precision
    assert float(found) == pytest.approx(float(right), rel=1e-5)
    # Untrained, it is roughly the Gaussian that it was given.
    assert np.all(np.abs(np.mean(rows, axis=0) - mean) < 2 * (mean + 2))
    assert np.all(np.abs(np.log(np.std(rows, axis=0) / (mean + 2))) < 1)


def arrays(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if eqx.is_inexact_array(leaf)]


def test_the_base_and_what_is_marked_are_no_weights(key):
    """One affine map may move; the base Normal and a held map may not, not even by decay."""
    base = Normal(jnp.ones(2), jnp.full(2, 3.0))
    held = paramax.non_trainable(Affine(jnp.full(2, 5.0)))
    distribution = Flow(Transformed(Transformed(base, held), Affine(jnp.zeros(2))), (2,))
    moving, still = weights(distribution)
    assert [leaf.shape for leaf in arrays(moving)] == [(2,), (2,)]
    assert eqx.tree_equal(eqx.combine(moving, still), distribution)
    optimiser = optax.adamw(0.1, weight_decay=0.5)
    grad = jax.grad(lambda m: eqx.combine(m, still)(jnp.ones(2)))(moving)
    with jax.numpy_dtype_promotion("standard"):
        change, _ = optimiser.update(grad, optimiser.init(moving), moving)
    after = eqx.combine(optax.apply_updates(moving, change), still)
    assert eqx.tree_equal(after.still, distribution.still)
    assert not eqx.tree_equal(after.moving, distribution.moving)
    assert (
        len(arrays(distribution)) == 6
    )  # negative control: a plain filter takes the base and the held map


def test_a_frozen_flow_has_no_weights_to_move_and_still_leans_on_x():
    distribution, x = bent(2), jnp.asarray([0.3, -0.4])

    def slopes(part):
        return eqx.filter_jit(eqx.filter_grad(lambda distribution, x: part(distribution)(x)))(
            distribution, x
        )

    assert not any(np.any(slope) for slope in arrays(slopes(stop_gradient)))
    assert any(np.any(slope) for slope in arrays(slopes(lambda distribution: distribution)))
    frozen, free = (
        jax.jit(jax.grad(part(distribution)))(x)
        for part in (stop_gradient, lambda distribution: distribution)
    )
    assert np.array_equal(frozen, free)


FACTOR = np.array([[1.0, 0.0], [1.2, 0.5]])


def slanted(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 2)) @ FACTOR.T + [4.0, -2.0]


def test_a_fitted_flow_reaches_the_entropy_of_a_correlated_gaussian():
    """Mean log-density of 20,000 new rows, less that of their own distribution: the flow loses
    under 0.02 nats; the Gaussian of independent axes loses 0.96."""
    rows, fresh = slanted(4000, 1), slanted(20_000, 2)
    distribution = fit_flow(rows, layers=2, width=8, updates=300, seed=0)
    white = np.linalg.solve(FACTOR, (fresh - [4.0, -2.0]).T)
    own = -np.sum(white**2, axis=0) / 2 - math.log(2 * math.pi) - math.log(0.5)
    found = jax.jit(jax.vmap(lambda x: log_density(distribution, x)))(jnp.asarray(fresh))
    assert 0 <= np.mean(own - np.asarray(found)) < 0.02
    plain = -(((fresh - rows.mean(0)) / rows.std(0)) ** 2) / 2 - np.log(rows.std(0))
    assert np.mean(own - plain.sum(axis=1) + math.log(2 * math.pi)) > 0.9


def test_a_fit_is_the_same_for_the_same_seed():
    rows = slanted(60, 3).astype(np.float32)
    first, again = (fit_flow(rows, layers=1, width=4, updates=20, seed=4) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(first), arrays(again), strict=True))


def test_few_rows_are_not_fitted_to_death():
    """20 rows in 3 dimensions, 200 updates: the held-out rows stop the fit near its start."""
    rows = np.random.default_rng(5).normal(size=(20, 3))
    distribution = fit_flow(rows, layers=1, width=32, updates=200, seed=0)
    fresh = jnp.asarray(np.random.default_rng(6).normal(size=(2000, 3)))
    entropy = 1.5 * math.log(2 * math.pi * math.e)
    assert float(jnp.mean(jax.jit(jax.vmap(distribution))(fresh))) < entropy + 1.5


def test_bad_settings_are_named(key):
    with pytest.raises(ValueError, match="`layers` and `width` must be at least 1"):
        make_flow((2,), layers=0, key=key)
    with pytest.raises(ValueError, match="`distribution` must be unconditional and of shape"):
        Flow(Transformed(StandardNormal((3,)), Affine(jnp.zeros(3))), (2,))
    with pytest.raises(ValueError, match="cannot be fitted to 19 rows"):
        fit_flow(np.ones((19, 2)))
    with pytest.raises(ValueError, match="`rows` must vary on every axis"):
        fit_flow(np.ones((50, 2)))
