"""Shares of modes, coverage of neighbourhoods and the Stein discrepancy against exact answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees, bound
from jax.tree_util import Partial
from scipy.stats import norm

from energax.data import Checkerboard, Rings, TwoMoons
from energax.energy import Gaussian, GaussianMixture, draws
from energax.evaluate import (
    coverage,
    expected_coverage,
    kernel_stein,
    label_agreement,
    mode_shares,
)
from energax.objective import KernelStein


def two(weight, gap=6.0, std=1.0):
    """Two Gaussians in the plane, `gap` apart, the first with `weight`."""
    means = np.array([[-gap / 2, 0.0], [gap / 2, 0.0]])
    factors = np.tile(std * np.eye(2), (2, 1, 1))
    return GaussianMixture(np.log([weight, 1 - weight]), means, factors)


MODAL = {
    "moons": TwoMoons(0.1),
    "rings": Rings(),
    "board": Checkerboard(),
    "mixture": two(0.7),
}


@pytest.mark.parametrize("name", MODAL)
def test_every_draw_has_a_mode_and_modes_are_equally_likely(name):
    distribution = MODAL[name]
    rows = draws(distribution, 20_000, key=jax.random.key(0))
    found = np.asarray(jax.vmap(distribution.mode)(rows))
    counted = found[:, None] == np.arange(distribution.modes)
    assert counted.any(axis=1).all()
    shares = (
        [0.7, 0.3] if name == "mixture" else np.full(distribution.modes, 1 / distribution.modes)
    )
    # Tails cross the border between modes: up to 0.2% of moons and mixture here.
    assert agrees(counted.astype(float), shares, margin=0.002)
    wrong = np.asarray(shares) * [1.2, *[1] * (distribution.modes - 1)]
    assert not agrees(counted.astype(float), wrong, margin=0.002)


def test_a_point_on_a_white_square_has_no_mode():
    board = Checkerboard()
    assert int(board.mode(jnp.array([-3.0, -3.0]))) == 0
    assert int(board.mode(jnp.array([-1.0, -3.0]))) == board.modes
    assert int(board.mode(jnp.array([9.0, 9.0]))) == board.modes


def _mode(distribution, x):
    return distribution.mode(x)


def test_shares_of_modes_are_those_of_the_distribution():
    """Weights 0.7 and 0.3, cut half-way where both are equally likely; 0.8 must be noticed."""
    distribution, model = two(0.5), two(0.7)
    found = mode_shares(model, Partial(_mode, distribution), 2, -8.0, 8.0)
    left = 0.7 * norm.cdf(3.0) + 0.3 * norm.cdf(-3.0)
    assert np.allclose(found, [left, 1 - left, 0.0], atol=1e-4)
    other = mode_shares(two(0.8), Partial(_mode, distribution), 2, -8.0, 8.0)
    assert not np.allclose(other, found, atol=1e-2)
    assert np.isclose(other.sum(), 1)


def test_mass_outside_all_modes_is_noticed():
    found = mode_shares(Gaussian(jnp.zeros(2), 8.0), Partial(_mode, Checkerboard()), 8, -4.0, 4.0)
    assert np.isclose(found[-1], 0.5, atol=0.01)
    assert np.isclose(found.sum(), 1)


@pytest.mark.parametrize("shape", [(2,), (1, 2, 2)])
def test_coverage_of_one_distribution_is_as_expected_and_a_lost_mode_is_seen(shape):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 300, *shape))
    fake = rng.normal(size=(200, 100, *shape))
    values = [float(coverage(a, b).value) for a, b in zip(fake, rows, strict=True)]
    assert agrees(values, expected_coverage(100, 300))
    # Half of the data far away, and no draw there.
    rows[:, ::2] += 20
    lost = [float(coverage(a, b).value) for a, b in zip(fake, rows, strict=True)]
    assert np.max(lost) < 0.55 * expected_coverage(100, 300) + 0.1
    assert not agrees(lost, expected_coverage(100, 300))


def test_coverage_needs_more_rows_than_neighbours():
    with pytest.raises(ValueError, match=r"`rows` must be more than 5"):
        coverage(np.zeros((9, 2)), np.zeros((5, 2)))


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4)])
@pytest.mark.parametrize("kernel", ["multiquadric", "gaussian"])
def test_stein_is_zero_for_rows_of_the_model_and_its_error_is_honest(shape, kernel):
    distribution = Gaussian(jnp.zeros(shape), 1.3)
    rows = draws(distribution, 80 * 200, key=jax.random.key(1)).reshape(200, 80, *shape)
    found = [kernel_stein(distribution, part, kernel) for part in rows]
    values, errors = (np.array([float(getattr(f, n)) for f in found]) for n in ("value", "error"))
    assert agrees(values, 0.0)
    # The error it states is the spread that it has: within a quarter, 200 repetitions say.
    assert 0.75 < errors.mean() / values.std(ddof=1) < 1.35
    wide = [
        float(kernel_stein(Gaussian(jnp.zeros(shape), 1.6), part, kernel).value) for part in rows
    ]
    assert np.mean(wide) / (np.std(wide, ddof=1) / np.sqrt(200)) > bound(200)


def test_stein_is_the_objective_of_the_same_name():
    distribution = Gaussian(jnp.zeros(2), 1.3)
    rows = draws(distribution, 100, key=jax.random.key(1)) + 0.5
    loss, _ = KernelStein("multiquadric")(distribution, rows, None, key=jax.random.key(0))
    assert np.isclose(float(kernel_stein(distribution, rows).value), float(loss), rtol=1e-9)


def test_stein_needs_rows():
    with pytest.raises(ValueError, match=r"`rows` must be at least 3"):
        kernel_stein(Gaussian(jnp.zeros(2)), jnp.zeros((2, 2)))


def test_labels_agree_within_a_class_and_not_between_two():
    """Two far classes: draws of one agree, draws half-way between do not; a third of each."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)) + np.repeat([[-9.0, 0.0], [9.0, 0.0]], 200, axis=0)
    labels = np.repeat([0, 1], 200)
    inside, between = rows[:60] + 0.1, 0.05 * rng.normal(size=(30, 2)) + [[0.0, 0.0]]
    assert float(label_agreement(inside, rows, labels).value) == 1.0
    torn = label_agreement(np.concatenate([inside, between]), rows, np.arange(400) % 2)
    assert float(torn.value) < 0.05, "labels that say nothing"
    mixed = label_agreement(np.concatenate([inside, between]), rows, labels, 300)
    assert float(mixed.value) == 0.0, "neighbours of both classes"
    found = label_agreement(rows[150:250], rows, labels, 5)
    assert (float(found.value), float(found.error), float(found.size)) == (1.0, 0.0, 100.0)


def test_labels_must_be_one_for_each_row():
    rows = np.zeros((20, 2))
    with pytest.raises(ValueError, match="`labels` must be one for each of 20 rows; got 3"):
        label_agreement(rows, rows, np.zeros(3, int))
    with pytest.raises(ValueError, match="`rows` must be at least 10, the neighbours; got 4"):
        label_agreement(rows, rows[:4], np.zeros(4, int))
