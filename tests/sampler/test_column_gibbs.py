"""Gibbs sampling of columns keeps the distribution, and fills cells by its conditionals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from agreement import agrees
from mixed_columns import SPACE, truth

from energax.energy import draws, fit_columns
from energax.sampler import ColumnGibbs, chains, nothing

KEY = jax.random.key(0)


def features(rows):
    number = jnp.nan_to_num(rows)
    return np.concatenate([number, number**2, number * number[:, ::-1], jnp.isnan(rows)], axis=1)


def crude():
    """Independent columns, which know nothing of the components."""
    return fit_columns(np.asarray(draws(truth(), 500, key=KEY)), SPACE)


def moments(base, energy):
    starts = draws(truth(), 4000, key=jax.random.key(1))
    walk = ColumnGibbs(base, 4)
    state, _ = chains(walk, energy, starts, 3, key=jax.random.key(2), keep=nothing)
    return features(state.x)


def test_sweeps_keep_the_distribution():
    """False alarms: 1e-6 a number. Control: a proposal that is not what it says."""
    expected = np.asarray(features(draws(truth(), 200_000, key=jax.random.key(3)))).mean(axis=0)
    assert agrees(moments(crude(), truth()), expected, margin=0.01)
    shifted = eqx.tree_at(lambda m: m.log_weights, truth(), jnp.log(jnp.array([0.4, 0.6])))
    assert not agrees(moments(crude(), shifted), expected, margin=0.01)


def test_filled_cells_have_the_moments_of_the_conditional():
    """Mean and variance of a number given the others, to 3 % of its spread; no holes."""
    x = jnp.array([jnp.nan, 0.0, 1.0])
    hidden, base = jnp.array([True, False, False]), crude()
    walk = ColumnGibbs(base, 16, hidden=hidden, holes=False)
    starts = jax.vmap(lambda k: base.fill(x, hidden, key=k))(jax.random.split(KEY, 4000))
    state, _ = chains(walk, truth(), starts, 8, key=jax.random.key(4), keep=nothing)
    assert (state.x[:, 1:] == x[None, 1:]).all()
    nodes, log_weight = truth().list_nodes(x, 0, 200)
    rows = jnp.tile(x, (len(nodes), 1)).at[:, 0].set(nodes)
    share = np.asarray(jax.nn.softmax(log_weight - jax.vmap(truth())(rows)))
    mean = share @ np.asarray(nodes)
    spread = share @ (np.asarray(nodes) - mean) ** 2
    found = np.asarray(state.x[:, :1])
    assert agrees(found, mean, margin=0.03 * spread**0.5)
    assert agrees((found - mean) ** 2, spread, margin=0.03 * spread)
    marginal = np.asarray(base.fill(x, hidden, key=KEY)[0])
    assert np.isfinite(marginal)
    assert not agrees(np.asarray(starts[:, :1]), mean, margin=0.03 * spread**0.5)
