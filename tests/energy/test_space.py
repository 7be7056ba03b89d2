"""Spaces hold what they say, and keep samplers and objectives of other spaces out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from energax import learner, objective, sampler
from energax.energy import (
    Gaussian,
    Neural,
    NonTrainable,
    Normalised,
    Sum,
    Tempered,
    approximate_changes,
    change_energies,
)
from energax.network import MLP
from energax.space import Bits, Box, Categories, Product, Reals, UnitSphere, from_dict

FINITE = {"bits": Bits((2, 2)), "categories": Categories((3,), 3)}


@pytest.mark.parametrize("name", FINITE)
def test_points_are_all_different_and_numbered(name):
    space = FINITE[name]
    points = space.enumerate()
    assert len(points) == space.count == len(np.unique(np.asarray(points), axis=0))
    assert np.array_equal(jax.vmap(space.number)(points), np.arange(space.count))
    assert np.array_equal(np.concatenate(list(space.blocks())), points)
    assert bool(jnp.all(jax.vmap(space.contains)(points)))
    assert points.dtype == jnp.uint8


@pytest.mark.parametrize("name", FINITE)
def test_neighbours_differ_at_one_site_and_are_alike(name, key):
    """Chi-square of 4,000 draws; one false alarm in 1e6 keys: below 5 standard deviations."""
    space = FINITE[name]
    x = space.points(jnp.array([3]))[0]
    found = jax.vmap(lambda k: space.neighbour(x, key=k))(jax.random.split(key, 4000))
    assert np.all(np.sum((np.asarray(found) != np.asarray(x)).reshape(4000, -1), axis=1) == 1)
    counts = np.unique(np.asarray(jax.vmap(space.number)(found)), return_counts=True)[1]
    neighbours = space.sites * (space.states - 1)
    assert len(counts) == neighbours
    expected = 4000 / neighbours
    assert np.sum((counts - expected) ** 2 / expected) < neighbours + 5 * (2 * neighbours) ** 0.5


def test_what_spaces_hold():
    assert not Bits((2,)).contains(jnp.array([0.0, 1.0]))
    assert not Bits((2,)).contains(jnp.array([0, 2]))
    assert not Categories((2,), 3).contains(jnp.array([-1, 2]))
    assert not Reals((2,)).contains(jnp.array([0, 1]))
    assert not Reals((2,)).contains(jnp.array([0.0, jnp.nan]))
    assert not Box((1,), 0.0, 1.0).contains(jnp.array([1.5]))
    assert not UnitSphere((2,)).contains(jnp.array([1.0, 1.0]))
    pair = Product((Reals((1,)), Bits((2,))))
    assert pair.contains((jnp.zeros(1), jnp.zeros(2, jnp.uint8)))
    assert not pair.contains((jnp.zeros(1), jnp.full(2, 3, jnp.uint8)))
    assert not pair.contains((jnp.zeros(1),))


def test_too_many_points_are_refused():
    with pytest.raises(ValueError, match=r"2\^21 points are too many to enumerate"):
        Bits((21,)).enumerate()
    with pytest.raises(ValueError, match="`states` must be from 2 to 256"):
        Categories((3,), 1)


def test_a_record_of_a_space():
    assert from_dict({"shape": [2], "states": 2}) == Bits((2,))
    assert from_dict({"shape": [2], "states": 3}) == Categories((2,), 3)
    with pytest.raises(ValueError, match="damaged"):
        from_dict({"shape": [2]})


def network(space, key):
    shape = space.embed(space.points(jnp.array([0]))[0], float).shape
    return Neural(MLP(shape, 4, 2, key=key), space)


@pytest.mark.parametrize("name", FINITE)
def test_changes_are_differences_of_energies(name, key):
    """Also of combined energies; and to first order by the gradient, exactly where E is linear."""
    space = FINITE[name]
    plain = network(space, key)
    energy = Sum(Tempered(Normalised(plain), 2.0), NonTrainable(plain))
    points = space.enumerate()
    values = jax.vmap(energy)(points)
    x = points[5]
    found = change_energies(energy, x, space)
    for site in range(space.sites):
        for state in range(space.states):
            moved = x.reshape(-1).at[site].set(state).reshape(x.shape)
            expected = values[space.number(moved)] - values[5]
            assert float(found[site, state]) == pytest.approx(float(expected), abs=1e-12)
    weights = jax.random.normal(key, space.embed(x, float).shape)
    linear = Neural(lambda e: jnp.sum(weights * e), space)
    value, nearly = approximate_changes(linear, x, space)
    assert float(value) == pytest.approx(float(linear(x)))
    assert np.allclose(nearly, change_energies(linear, x, space), atol=1e-12)
    curved = approximate_changes(plain, x, space)[1]
    assert not np.allclose(curved, change_energies(plain, x, space))  # negative control


def test_a_sampler_or_an_objective_of_another_space_is_refused(key):
    energy = network(Bits((3,)), key)
    with pytest.raises(TypeError, match="Langevin samples real numbers and real"):
        sampler.run(sampler.Langevin(0.1), energy, jnp.zeros(3, jnp.uint8), 2, key=key)
    with pytest.raises(TypeError, match="cannot start at numbers of type int"):
        sampler.run(sampler.Langevin(0.1), Gaussian(jnp.zeros(2)), jnp.zeros(2, int), 2, key=key)
    learn = learner.Descent(objective.ImplicitScoreMatching(), optax.sgd(0.1))
    with pytest.raises(TypeError, match="ImplicitScoreMatching trains energies of real numbers"):
        learn.init(energy, jnp.zeros((4, 3), jnp.uint8), key=key)
