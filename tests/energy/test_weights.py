"""What an optimiser may move and what it may not; distributions that are fitted to rows instead."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from cases import Bowl

from energax.energy import (
    GaussianMixture,
    Neural,
    NonTrainable,
    Tilt,
    fit_mixture,
    score,
    stop_gradient,
    weights,
)

X = np.array([0.3, -1.1])


def mixture():
    return GaussianMixture(jnp.zeros(2), jnp.ones((2, 2)), jnp.stack([jnp.eye(2)] * 2))


def test_weights_are_all_floating_arrays_but_those_in_fixed():
    tilt = Tilt(mixture(), Bowl(jnp.ones(2), jnp.ones(2)))
    whole = (tilt, jnp.arange(3), NonTrainable(jnp.ones(4)), "name", jnp.tanh)
    moving, still = weights(whole)
    assert [leaf.shape for leaf in jax.tree.leaves(moving)] == [(2,), (2,)]
    assert eqx.tree_equal(eqx.combine(moving, still), whole)
    everything = jax.tree.leaves(eqx.filter(tilt, eqx.is_inexact_array))
    assert len(everything) == 6  # negative control: a plain filter takes the base distribution too


def test_a_fixed_part_gets_no_gradient_even_when_it_is_asked_for():
    """The base of a `Tilt` acts through x alone; its log Z is held constant too."""
    energy = Neural(NonTrainable(Bowl(jnp.zeros(2), jnp.ones(2))), (2,))
    x = jnp.asarray(X)
    assert not any(np.any(g) for g in jax.tree.leaves(jax.grad(lambda e: e(x))(energy)))
    assert np.allclose(score(energy, x), -x)


def test_stop_gradient_has_the_same_values_and_no_gradient():
    energy, x = Bowl(jnp.zeros(2), jnp.ones(2)), jnp.asarray(X)
    assert float(stop_gradient(energy)(x)) == float(energy(x))
    assert not any(
        np.any(g) for g in jax.tree.leaves(jax.grad(lambda e: stop_gradient(e)(x))(energy))
    )
    assert np.array_equal(score(stop_gradient(energy), x), score(energy, x))
    assert any(np.any(g) for g in jax.tree.leaves(jax.grad(lambda e: e(x))(energy)))


def test_one_fitted_component_is_the_gaussian_of_the_rows():
    rows = np.random.default_rng(1).normal(size=(500, 1, 2, 2)) * [[1.0, 2.0], [0.5, 1.0]]
    distribution = fit_mixture(rows, ridge=0.01)
    flat = rows.reshape(500, 4)
    factor = np.asarray(distribution.factors[0])
    assert np.allclose(distribution.means[0], rows.mean(0))
    assert np.allclose(factor @ factor.T, np.cov(flat.T, bias=True) + 0.01 * np.eye(4))
    assert distribution.shape == (1, 2, 2)
    assert fit_mixture(rows.astype(np.float32)).means.dtype == jnp.float32


def test_fitted_components_find_two_far_groups():
    rows = np.random.default_rng(1).normal(size=(400, 2)) * 0.1 + np.repeat(
        [[-3.0], [3.0]], [100, 300], 0
    )
    distribution = fit_mixture(rows, 2)
    order = np.argsort(distribution.means[:, 0])
    assert np.allclose(distribution.means[order], [[-3, -3], [3, 3]], atol=0.05)
    assert np.allclose(np.exp(distribution.log_weights[order]), [0.25, 0.75])
