"""log Z on a grid and by plain importance sampling, and when an interval is refused."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees

from energax.energy import Gaussian, GaussianMixture, Neural, UniformBox
from energax.evaluate import Estimate, certify, importance_log_z, kl_by_quadrature, quadrature
from energax.evaluate.log_z import (
    bound_share,
    combine_ends,
    confirm,
    find_drift,
    find_missing_mass,
    find_unreached,
    hide,
    log_mean,
)


def mixture():
    means = np.array([[-1.0, 0.5], [1.0, 0.0]])
    factors = np.array([0.4, 0.6])[:, None, None] * np.eye(2)
    return GaussianMixture(np.array([0.0, 1.0]), means, factors)


GRIDS = {  # name -> (energy, its exact log Z, low, high)
    "one axis": (lambda: Gaussian(jnp.ones(1), 0.3), 0.5 * math.log(2 * math.pi * 0.09), -3, 5),
    "two axes": (
        lambda: Gaussian(jnp.zeros(2), 0.5),
        math.log(2 * math.pi * 0.25),
        -5,
        np.array([5, 6]),
    ),
    "an image": (lambda: Gaussian(jnp.zeros((1, 2)), 0.5), math.log(2 * math.pi * 0.25), -5, 5),
    "mixture": (mixture, 0.0, -6, 6),
    "box": (lambda: UniformBox((2,), -1.0, 1.0), math.log(4), -1, 1),
}


@pytest.mark.parametrize("name", GRIDS)
def test_quadrature_is_exact_within_its_error(name, precision):
    make, exact, low, high = GRIDS[name]
    found = quadrature(make(), low, high, points=256)
    rounding = 1e-10 if precision == "float64" else 1e-4
    assert abs(float(found.value) - exact) <= float(found.error) + rounding
    assert float(found.error) < 10 * rounding
    assert certify(found).certified


def test_quadrature_notices_mass_outside_its_box():
    found = quadrature(Gaussian(jnp.zeros(2), 1.0), -1, 1, points=128)
    assert float(found.error) > 0.1
    flat = quadrature(Neural(lambda x: 0.01 * jnp.sum(x**2), (2,)), -1, 1, points=64)
    refused = certify(Estimate(flat.value, 5 * flat.error, flat.size))
    assert not refused.certified
    assert "box is too small" in refused.why


def test_quadrature_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="at most 2 axes"):
        quadrature(Gaussian(jnp.zeros(3)), -1, 1)
    with pytest.raises(ValueError, match="`low` must be below `high`"):
        quadrature(Gaussian(jnp.zeros(2)), 1, 1)
    endless = quadrature(Neural(lambda x: -jnp.sum(x**2) * jnp.inf, (1,)), -1, 1, points=16)
    assert not certify(endless).certified


def test_kl_on_a_grid_is_the_closed_form():
    distribution, model = Gaussian(jnp.array([0.3, -0.2]), 0.5), Gaussian(jnp.zeros(2), 0.8)
    exact = 2 * (math.log(0.8 / 0.5) + 0.25 / 1.28 - 0.5) + 0.13 / 1.28
    found = kl_by_quadrature(distribution, model, model.log_z(), -5, 5, points=200)
    assert abs(float(found.value) - exact) < 1e-9
    # Negative control: the other direction is another number.
    other = kl_by_quadrature(model, distribution, distribution.log_z(), -5, 5, points=200)
    assert abs(float(other.value) - exact) > 0.1


def test_importance_weights_average_to_z(key, precision):
    target, base = mixture(), Gaussian(jnp.zeros(2), 1.5)
    ratios = jax.vmap(lambda k: jnp.exp(importance_log_z(target, base, 500, key=k).value))
    found = np.asarray(ratios(jax.random.split(key, 40)))
    assert agrees(found, 1.0)
    # Negative control: the base without its log Z.
    assert not agrees(found * np.exp(-float(base.log_z())), 1.0)


def test_error_of_a_log_mean_is_its_spread():
    rng = np.random.default_rng(0)
    found = [log_mean(rng.normal(-0.32, 0.8, 200), np.arange(200)) for _ in range(2000)]
    spread = np.std([float(e.value) for e in found])
    error = np.mean([float(e.error) for e in found])
    assert abs(error / spread - 1) < 0.08  # the spread itself is known to 1.6%


def test_siblings_count_as_one():
    weights = np.random.default_rng(0).normal(size=50)
    once = log_mean(weights, np.arange(50))
    twice = log_mean(np.repeat(weights, 2), np.repeat(np.arange(50), 2))
    naive = log_mean(np.repeat(weights, 2), np.arange(100))
    assert np.isclose(float(twice.error), float(once.error))
    assert float(naive.error) < 0.75 * float(once.error)


def estimate(value, error=0.05, size=200.0):
    return Estimate(jnp.asarray(value), jnp.asarray(error), jnp.asarray(size))


REFUSALS = {  # name -> (forward, reverse, trouble, part of the reason)
    "forward collapsed": (estimate(0.0, size=1.9), estimate(0.1), "", "1.9 of 512 in the forward"),
    "reverse collapsed": (estimate(0.0), estimate(0.1, size=20.0), "", "20.0 of 512 in the rev"),
    "apart": (estimate(0.0), estimate(1.5), "", "1.5 nats apart"),
    "not a number": (estimate(math.nan), estimate(0.0), "", "forward estimate is not finite"),
    "infinite": (estimate(0.0), estimate(math.inf), "", "reverse estimate is not finite"),
    "not at rest": (estimate(0.0), estimate(0.1), "They drift.", "They drift."),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_interval_is_refused_with_a_reason(name):
    forward, reverse, trouble, reason = REFUSALS[name]
    found = combine_ends(forward, reverse, 512, trouble, level=0.95)
    assert not found.certified
    assert reason in found.why


def test_an_interval_holds_both_ends():
    found = combine_ends(estimate(0.0, 0.1), estimate(0.2, 0.05), 512, level=0.95)
    assert found.certified
    assert np.isclose(found.lower, -0.196, atol=1e-3)
    assert np.isclose(found.upper, 0.298, atol=1e-3)
    assert np.isclose(found.value, 0.1)
    wider = combine_ends(estimate(0.0, 0.1), estimate(0.2, 0.05), 512, level=0.99)
    assert wider.lower < found.lower
    assert wider.upper > found.upper


def test_chains_at_rest_are_distinguished_from_drifting_and_frozen_ones():
    rng = np.random.default_rng(0)
    calm, family = rng.normal(size=(40, 300)), np.arange(300)
    drift = calm + np.linspace(0, 1, 40)[:, None]
    taken = np.full(40, 0.7)
    assert find_drift({"energy": calm}, taken, family) == ""
    assert "mean gap moved by 0.8" in find_drift({"energy": calm, "gap": drift}, taken, family)
    assert "frozen" in find_drift({"energy": calm}, 0 * taken, family)
    assert "not at rest" in find_drift({"energy": calm * np.nan}, taken, family)


def test_a_part_that_annealing_misses_is_noticed():
    values = np.random.default_rng(0).normal(0.2, 0.6, 400)
    assert len(find_unreached(estimate(0.0), values)) == 0
    values[:8] += 20
    assert find_unreached(estimate(0.0), values).tolist() == list(range(8))
    values[9] = np.nan
    assert 9 in find_unreached(estimate(0.0), values)
    assert find_missing_mass(0.029) == ""
    assert "4.0% of the target chains" in find_missing_mass(0.04)


def ends(from_rows=None, bridge=None):
    """A certified interval from -0.1 to 0.1, confirmed or not by other estimates."""
    sure = combine_ends(estimate(0.0, 0.05), estimate(0.0, 0.05), 512, level=0.95)
    return confirm(dataclasses.replace(sure, from_rows=from_rows), bridge)


def test_other_estimates_confirm_or_refuse():
    good = ends(estimate(0.3), estimate(0.1))
    assert good.certified
    assert "Bridge sampling agrees: 0.10 +- 0.05." in good.why
    assert "neither base draws, nor rows, nor hot starts" in good.why
    apart = ends(estimate(0.0), estimate(-0.35))
    assert not apart.certified
    assert "gives log Z -0.35 +- 0.05, annealing 0.00: they disagree" in apart.why
    assert not ends(estimate(0.9), estimate(0.0)).certified
    assert "too vague" in ends(estimate(0.0), estimate(0.0, 0.4)).why
    assert "too vague" in ends(estimate(0.0), estimate(math.nan, math.nan)).why


def test_mass_that_rows_could_not_show_raises_the_upper_end():
    """Clopper and Pearson: of 0 in 200 the upper end at 95% is 1 - 0.025^(1/200)."""
    sure = ends(None, estimate(0.0))
    share = bound_share(0, 200, 0.95)
    assert np.isclose(hide(sure, share).upper - sure.upper, -math.log(0.025) / 200)
    assert hide(sure, share).lower == sure.lower
    assert bound_share(3, 200, 0.95) > bound_share(0, 200, 0.95)
    assert np.isclose(bound_share(3, 200, 0.95), 0.0432, atol=2e-4)  # the textbook's value
    assert bound_share(5, 5, 0.95) == 1
    assert hide(sure, 1.0).upper > 20
