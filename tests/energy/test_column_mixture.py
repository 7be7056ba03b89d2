"""Mixtures of independent columns: density, draws, marginals over hidden cells, and their fit."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from mixed_columns import AXIS, SPACE, STEP, list_rows, truth
from scipy.stats import norm

from energax.energy import ColumnMixture, draws, fit_columns
from energax.space import Columns

KEY = jax.random.key(0)
ROWS, VOLUMES = list_rows()


def densities(mixture):
    return np.asarray(jnp.exp(-jax.jit(jax.vmap(mixture))(ROWS)))


def test_the_density_adds_up_to_one():
    assert np.isclose(densities(truth()) @ VOLUMES, 1, atol=1e-8)


def test_a_hole_that_is_not_counted_is_noticed():
    """Negative control of the sum."""
    found = densities(truth()) * ~np.isnan(ROWS[:, 0])
    assert found @ VOLUMES < 0.95


def test_draws_have_the_shares_and_moments_of_the_density():
    """False alarms: 1e-6 a number. The same draws are not those of another weight."""
    weights = densities(truth()) * VOLUMES

    def features(rows):
        number, holes = jnp.nan_to_num(rows), jnp.isnan(rows)
        return np.concatenate([number, number**2, number * number[:, ::-1], holes], axis=1)

    expected = weights @ features(ROWS)
    assert agrees(features(draws(truth(), 20_000, key=KEY)), expected)
    other = eqx.tree_at(lambda m: m.log_weights, truth(), jnp.log(jnp.array([0.55, 0.45])))
    assert not agrees(features(draws(other, 20_000, key=KEY)), expected)


def test_components_given_some_cells_are_those_of_bayes():
    """Against the densities of single components, the hidden cell summed over."""
    x, hidden = jnp.array([0.3, 1.0, jnp.nan]), jnp.array([False, False, True])
    each = []
    for k in range(2):
        alone = jnp.where(jnp.arange(2) == k, 0.0, -jnp.inf)
        single = eqx.tree_at(lambda m: m.log_weights, truth(), alone)
        cells = [0.0, 1.0, np.nan]
        each.append(sum(float(jnp.exp(-single(x.at[2].set(cell)))) for cell in cells))
    found = np.asarray(jnp.exp(truth().given(x, hidden)))
    expected = np.array(each) * [0.6, 0.4]
    assert np.allclose(found, expected / expected.sum(), atol=1e-10)


def test_filled_cells_are_known_ones_and_no_holes():
    x = jnp.array([jnp.nan, 2.0, jnp.nan])
    hidden = jnp.isnan(x)
    found = jax.vmap(lambda k: truth().fill(x, hidden, key=k))(jax.random.split(KEY, 50))
    assert not jnp.isnan(found).any()
    assert (found[:, 1] == 2).all()
    assert set(np.unique(found[:, 2])) == {0.0, 1.0}


def density_of_proposals(x):
    """Half the density of the number given the rest, half its marginal, by the textbook."""
    mixture = truth()
    rest = mixture.given(x, jnp.array([True, False, False]))
    share = (np.exp(np.asarray(rest)) + np.array([0.6, 0.4])) / 2
    gone = np.exp(np.asarray(mixture.log_states[:, 0, 1]))
    bumps = np.exp(np.asarray(mixture.log_shares[:, 0]))

    def density(cell):
        if np.isnan(cell):
            return share @ gone
        parts = norm.pdf(cell, np.asarray(mixture.means[:, 0]), np.asarray(mixture.stds[:, 0]))
        return share @ ((1 - gone) * np.sum(bumps * parts, axis=1))

    return density


def test_proposals_for_a_number_have_the_density_that_they_say():
    """Formula, total mass, and draws (false alarms: 1e-6). The cell itself comes first."""
    x = jnp.array([0.3, 1.0, jnp.nan])
    found = truth().propose(x, 0, 4000, key=KEY)
    assert (found.cells[0], int(found.present)) == (x[0], 0)
    density = density_of_proposals(x)
    said = np.exp(-np.asarray(found.log_weight[:50]))
    assert np.allclose(said, [density(float(cell)) for cell in found.cells[:50]], atol=1e-10)
    grid = np.array([density(cell) for cell in AXIS])
    assert np.isclose(grid.sum() * STEP + density(np.nan), 1, atol=1e-8)
    drawn = np.asarray(jnp.nan_to_num(found.cells[1:]))[:, None] ** [1, 2]
    moments = STEP * grid @ (AXIS[:, None] ** [1, 2])
    assert agrees(drawn, moments)
    assert not agrees(drawn + 0.1, moments)


def test_a_category_is_proposed_every_state_that_it_has():
    x = jnp.array([0.3, 1.0, jnp.nan])
    found = truth().propose(x, 2, 5, key=KEY)
    assert found.cells[:2].tolist() == [0.0, 1.0]
    assert jnp.isnan(found.cells[2])
    assert found.log_weight.tolist() == [0.0, 0.0, 0.0, -np.inf, -np.inf, -np.inf]
    assert int(found.present) == 2


def test_nodes_integrate_over_a_number():
    """Of the distribution itself, exactly: what is left is the density of the other cells."""
    x, mixture = jnp.array([0.3, 1.0, 0.0]), truth()
    nodes, log_weight = mixture.list_nodes(x, 0, 4)
    rows = jnp.tile(x, (len(nodes), 1)).at[:, 0].set(nodes)
    total = jnp.sum(jnp.exp(log_weight - jax.vmap(mixture)(rows)))
    at = (np.asarray(ROWS[:, 1]) == 1) & (np.asarray(ROWS[:, 2]) == 0)
    at &= ~np.isnan(np.asarray(ROWS[:, 0]))
    assert np.isclose(float(total), densities(mixture)[at].sum() * STEP, atol=1e-8)


def sample_rows(count):
    return np.asarray(draws(truth(), count, key=KEY))


def test_one_component_has_the_frequencies_and_moments_of_the_known_cells():
    rows = sample_rows(4000)
    found = fit_columns(rows, SPACE, pseudocount=1e-3)
    gone = np.isnan(rows).mean(axis=0)
    states = np.exp(np.asarray(found.log_states[0]))
    assert np.allclose(states[[0, 2], [1, 2]], gone[[0, 2]], atol=1e-3)
    assert np.isclose(states[1, 2], (rows[:, 1] == 2).mean(), atol=1e-3)
    shares = np.exp(np.asarray(found.log_shares[0, 0]))
    assert np.isclose(shares @ np.asarray(found.means[0, 0]), np.nanmean(rows[:, 0]), atol=1e-3)


def test_a_fit_of_two_components_is_nearly_as_good_as_the_truth():
    rows, test = sample_rows(3000), draws(truth(), 3000, key=jax.random.key(1))

    def loss(mixture):
        return float(jnp.mean(jax.jit(jax.vmap(mixture))(test)))

    best, two, one = (loss(m) for m in (truth(), *(fit_columns(rows, SPACE, k) for k in (2, 1))))
    assert best - 0.01 < two < best + 0.05 < one


@pytest.mark.parametrize("wrong", [{"pseudocount": 0.0}, {"components": 5}])
def test_a_fit_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"pseudocount|components"):
        fit_columns(np.zeros((3, 1)), Columns((2,), (False,)), **wrong)


def test_parts_of_other_shapes_are_refused():
    parts = dataclasses.asdict(truth())
    arrays = [parts[name] for name in ("log_weights", "logits", "shares", "means")]
    with pytest.raises(ValueError, match="`stds` must have shape"):
        ColumnMixture(*arrays, np.ones((2, 3, 1)), SPACE)
