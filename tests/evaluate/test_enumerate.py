"""Sums over all states against closed forms, and what they refuse."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.energy import BernoulliRBM, CategoricalRBM, Gaussian, GaussianRBM, Neural
from energax.evaluate import enumerate_log_z, rbm_log_z
from energax.space import Bits, Categories

FINITE = {"bits": Bits((3, 4)), "categories": Categories((8,), 3)}


def independent(space, dtype):
    """Sites with biases of their own, and log Z in closed form."""
    rng = np.random.default_rng(0)
    bias = rng.normal(
        size=jax.eval_shape(
            lambda x: space.embed(x, dtype), space.points(jnp.zeros(1, int))[0]
        ).shape
    )
    energy = Neural(Sites(jnp.asarray(bias, dtype)), space)
    table = np.asarray(energy.network.bias, np.float64)
    site = np.stack([0 * table, -table], axis=-1) if space.states == 2 else -table
    return energy, float(np.logaddexp.reduce(site, axis=-1).sum())


class Sites(eqx.Module):
    bias: jax.Array

    def __call__(self, e):
        return jnp.sum(self.bias * e)


@pytest.mark.parametrize("name", FINITE)
def test_the_sum_is_exact_and_probabilities_add_up_to_1(name, precision):
    space = FINITE[name]
    energy, exact = independent(space, jnp.dtype(precision))
    found = enumerate_log_z(energy)
    assert found.certified
    assert found.why == f"Exact, by enumeration of {space.count} states."
    assert found.lower == found.value == found.upper
    assert float(found.forward.error) == 0
    assert abs(found.value - exact) < (1e-12 if precision == "float64" else 1e-6)
    energies = np.concatenate([jax.vmap(energy)(block) for block in space.blocks()])
    total = np.exp(-energies.astype(np.float64) - found.value).sum()
    assert abs(total - 1) < 1e-9
    # Negative control: off by as little as float32 rounds to, it would not add up.
    apart = float(np.spacing(np.float32(found.value)))
    rounded = np.exp(-energies.astype(np.float64) - found.value - apart).sum()
    assert abs(rounded - 1) > 1e-9


def test_each_state_counts_once_where_blocks_are_short():
    """3^8 states are a block and a part of one: padding must add nothing."""
    flat = Neural(lambda e: 0 * jnp.sum(e), Categories((8,), 3))
    assert math.isclose(enumerate_log_z(flat).value, 8 * math.log(3), rel_tol=1e-14)


def test_a_plain_function_takes_the_space_that_is_given():
    found = enumerate_log_z(lambda x: jnp.where(x[0] > 0, jnp.inf, 0.0), Bits((2,)))
    assert math.isclose(found.value, math.log(2))


BROKEN = {"nothing": jnp.inf, "not a number": jnp.nan, "endless": -jnp.inf}


@pytest.mark.parametrize("name", BROKEN)
def test_no_mass_and_no_number_are_refused(name):
    found = enumerate_log_z(Neural(lambda e: BROKEN[name] + 0 * jnp.sum(e), Bits((2,))))
    assert not found.certified
    assert "0 or not a number" in found.why


def test_spaces_that_cannot_be_summed_over_are_refused():
    with pytest.raises(ValueError, match="too many to enumerate"):
        enumerate_log_z(Neural(lambda e: jnp.sum(e), Bits((21,))))
    with pytest.raises(ValueError, match=r"must be one of bits or categories.*real numbers"):
        enumerate_log_z(Gaussian(jnp.zeros(2)))
    with pytest.raises(ValueError, match="got none"):
        enumerate_log_z(lambda x: jnp.sum(x))


def layers(kind, visible, hidden):
    rng = np.random.default_rng(visible)
    return kind(*(rng.normal(size=size) for size in ((visible, hidden), visible, hidden)))


def test_the_smaller_layer_is_summed_and_gives_what_both_would():
    wide, high = layers(BernoulliRBM, 9, 4), layers(BernoulliRBM, 4, 9)
    assert rbm_log_z(wide).why == "Exact, by enumeration of 16 hidden states."
    assert rbm_log_z(high).why == "Exact, by enumeration of 16 states."
    for rbm in (wide, high):
        v, h = (
            np.array(list(itertools.product([0, 1], repeat=n)), float) for n in rbm.weights.shape
        )
        a, b, w = (np.asarray(x) for x in (rbm.visible, rbm.hidden, rbm.weights))
        joint = (v @ a)[:, None] + (h @ b)[None] + v @ w @ h.T
        exact = np.logaddexp.reduce(joint.ravel())
        assert math.isclose(rbm_log_z(rbm).value, exact, rel_tol=1e-12)


def test_real_visible_numbers_are_integrated():
    """One number, by the trapezoidal rule on a fine grid."""
    rbm = layers(GaussianRBM, 1, 3)
    grid = np.linspace(-30, 30, 20_001)
    energies = np.asarray(jax.vmap(rbm)(jnp.asarray(grid)[:, None]))
    exact = math.log(np.exp(-energies).sum() * (grid[1] - grid[0]))
    assert math.isclose(rbm_log_z(rbm).value, exact, rel_tol=1e-9)


def test_the_layers_of_a_machine_of_categories_agree():
    """27 visible states and 8 hidden ones: the sum that is taken, and the other."""
    rng = np.random.default_rng(0)
    rbm = CategoricalRBM(*(rng.normal(size=size) for size in ((3, 3, 3), (3, 3), 3)))
    found = rbm_log_z(rbm)
    assert found.why == "Exact, by enumeration of 8 hidden states."
    assert math.isclose(found.value, enumerate_log_z(rbm).value, rel_tol=1e-12)
