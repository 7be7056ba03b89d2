"""Bennett's ratio against closed forms, and its error against the spread that it has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees, bound
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from energax.energy import Gaussian, GaussianMixture, Normalised, draws
from energax.evaluate import bennett_ratio
from energax.evaluate.bennett import bridge_log_z, fit_proposal, mix

RUNS = 200


def works(rng, lower, upper, shift=1.0):
    """w = E_lower - E_upper at draws of N(0, 1) and N(1, 1), the latter with log Z = `shift`."""
    x, y = rng.normal(size=lower), 1 + rng.normal(size=upper)
    return x - 0.5 + shift, y - 0.5 + shift


@pytest.mark.parametrize(("lower", "upper"), [(100, 100), (50, 400)])
def test_the_ratio_is_right_and_its_error_honest(lower, upper):
    rng = np.random.default_rng(lower)
    found = [bennett_ratio(*works(rng, lower, upper)) for _ in range(RUNS)]
    values, errors = (np.array([float(getattr(f, n)) for f in found]) for n in ("value", "error"))
    assert agrees(values, 1.0)
    assert 0.8 < errors.mean() / values.std(ddof=1) < 1.25
    # Negative control: without the counts of draws the root is elsewhere.
    assert not agrees(values + np.log(upper / lower) + (lower == upper), 1.0)


def test_it_is_logistic_regression_with_a_free_intercept():
    """The intercept of a classifier of upper against lower draws, its slope in w held at 1."""
    lower, upper = works(np.random.default_rng(0), 300, 500)
    found = float(bennett_ratio(lower, upper).value)
    offset = np.log(500 / 300)
    surplus = expit(lower - found + offset).sum() - expit(found - offset - upper).sum()
    assert abs(surplus) < 1e-6
    # A free slope is near 1 for these, and its intercept near: another library, another equation.
    w, label = np.concatenate([lower, upper])[:, None], np.repeat([0, 1], [300, 500])
    fitted = LogisticRegression(C=1e6).fit(w, label)
    assert np.isclose(fitted.coef_[0, 0], 1, atol=0.3)
    assert np.isclose(offset - fitted.intercept_[0], found, atol=0.3)


def test_draws_of_one_family_count_as_one():
    """Each upper draw four times: the error of the sum must not halve."""
    lower, upper = works(np.random.default_rng(1), 400, 100)
    family = np.tile(np.arange(100), 4)
    naive = bennett_ratio(lower, np.tile(upper, 4))
    honest = bennett_ratio(lower, np.tile(upper, 4), upper_family=family)
    assert float(honest.value) == float(naive.value)
    assert float(honest.error) > 1.3 * float(naive.error)


def test_what_is_no_number_is_said_to_be_none():
    assert np.isnan(float(bennett_ratio(np.array([0.0, np.nan]), np.zeros(2)).value))


@pytest.mark.parametrize("shape", [(2,), (1, 2, 2)])
def test_a_bridge_finds_log_z(shape, key, precision):
    """Of 1.5 N(0.5, 0.8^2) with log Z = -0.7, from 40 bridges: each value is independent."""
    energy = Normalised(Gaussian(jnp.full(shape, 0.5), 0.8), jnp.asarray(0.7))
    truth = float(Gaussian(jnp.full(shape, 0.5), 0.8).log_z()) - 0.7

    def bridge(key):
        fit, there, go = jax.random.split(key, 3)
        proposal = fit_proposal(np.asarray(draws(energy.energy, 200, key=fit)))
        x = np.asarray(draws(energy.energy, 100, key=there))
        return float(bridge_log_z(energy, proposal, x, np.arange(100), key=go).value)

    found = [bridge(k) for k in jax.random.split(key, 40)]
    assert agrees(found, truth)
    assert abs(np.mean(found) - truth - 0.7) / (np.std(found) / np.sqrt(40)) > bound(40)


def test_a_mixture_of_two_has_all_components(key):
    left, right = (
        fit_proposal(np.asarray(draws(Gaussian(jnp.full(2, c)), 64, key=key))) for c in (-5.0, 5.0)
    )
    both = mix(left, right)
    assert isinstance(both, GaussianMixture)
    assert np.isclose(float(jnp.sum(jnp.exp(both.log_weights))), 1.0, atol=1e-5)
    share = np.mean(np.asarray(draws(both, 4000, key=key))[:, 0] > 0)
    assert abs(share - 0.2) < 0.04  # six standard errors
    assert np.isfinite(float(fit_proposal(np.ones((8, 2))).log_weights[0]))
