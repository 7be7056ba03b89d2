"""Reverse-time SDE, probability flow and predictor-corrector draw from the distribution of exact
scores."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from noisy_distributions import SHARE, STDS, bowl, centres, distribution, energy, scores, shrunk

from energax.energy import Gaussian, NoisyScore, Unshrunk, draws, score
from energax.sampler import (
    geometric_levels,
    heun_flow,
    power_levels,
    predictor_corrector,
    probability_flow,
    reverse_sde,
)

BROAD, FINE, COUNT = 16.0, 0.2, 2000
DOWN, LONG_DOWN = geometric_levels(BROAD, FINE, 60), geometric_levels(BROAD, FINE, 150)
SAMPLERS = {  # name -> (draws, what is forgiven of a variance, relative to it)
    "flow": (lambda model, x, key: probability_flow(model, BROAD, FINE, x), 0.002),
    "reverse": (
        lambda model, x, key: reverse_sde(model, DOWN, x, key=key),
        0.01,
    ),
    "heun": (
        lambda model, x, key: heun_flow(model, power_levels(BROAD, FINE, 30), x, key=key),
        0.01,
    ),
    "churned": (
        lambda model, x, key: heun_flow(model, power_levels(BROAD, FINE, 60), x, 10.0, key=key),
        0.015,
    ),
    "corrected": (
        lambda model, x, key: predictor_corrector(model, LONG_DOWN, x, key=key),
        0.025,
    ),
}


def right(x, shape, forgiven):
    """Have the modes their shares, their means and their variances?"""
    rows, modes = np.asarray(x, np.float64).reshape(len(x), -1), centres(shape).reshape(2, -1)
    first = rows @ modes[0] > 0
    good = [agrees(first, SHARE)]
    for mode, mine, std in zip(modes, (first, ~first), STDS, strict=True):
        variance = std**2 + FINE**2
        good.append(agrees(rows[mine], mode, forgiven * math.sqrt(variance)))
        good.append(agrees((rows[mine] - mode) ** 2, variance, forgiven * variance))
    return all(good)


def ends(name, model, key):
    """Draws at the lowest level, from exact draws of the highest."""
    first, then = jax.random.split(key)
    return SAMPLERS[name][0](model, draws(distribution(model.shape, BROAD), COUNT, key=first), then)


@pytest.mark.parametrize(
    ("model", "shape", "precision"),
    [(scores, (3,), "float64"), (energy, (1, 2, 2), "float32")],
    indirect=["precision"],
)
@pytest.mark.parametrize("name", SAMPLERS)
def test_far_modes_get_their_shares_means_and_variances(name, model, shape, precision, key):
    x = ends(name, model(shape), key)
    assert x.dtype == precision
    assert right(x, shape, SAMPLERS[name][1])


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_drift_that_is_off_is_seen(name, factor, key):
    """Negative control: half the drift, and twice the drift."""
    assert not right(ends(name, scores((3,), factor), key), (3,), SAMPLERS[name][1])


def test_a_model_of_shrunk_rows_draws_as_well(key):
    assert right(ends("flow", Unshrunk(shrunk((3,))), key), (3,), SAMPLERS["flow"][1])


def test_unshrunk_is_an_exact_change_of_variables():
    exact, other = energy((1, 2, 2)), Unshrunk(shrunk((1, 2, 2)))

    @jax.jit
    def three(x, s):
        return exact.score(x, s), other.score(x, s), score(other.at(s), x)

    for noise in (0.2, 1.0, 7.0):
        x = noise * np.random.default_rng(0).normal(size=(1, 2, 2))
        right, found, fixed = three(x, np.asarray(noise))
        np.testing.assert_allclose(found, right, rtol=1e-9)
        np.testing.assert_allclose(fixed, right, rtol=1e-9)


LEVELS, RATIO = geometric_levels(4.0, 0.3, 9), 0.5
MEAN, VARIANCE = np.array([0.5, -1.0, 2.0]), np.array([0.3, 1.0, 2.5])


def predicted(corrections, predictor=1.0, corrector=2.0):
    """Mean and variance after the walk on N(MEAN, VARIANCE), started at mean 1 and variance 9.

    Each step is linear, so this is exact, bias and all. `predictor`, `corrector`: variance of the
    noise in units of the drift's factor.
    """
    mean, variance = np.ones(3), np.full(3, 9.0)
    for noise, less in itertools.pairwise(LEVELS):
        lost, h = noise**2 - less**2, (RATIO * less) ** 2
        steps = [(noise, lost, predictor)] + corrections * [(less, h, corrector)]
        for s, drift, spread in steps:
            keep = 1 - drift / (VARIANCE + s**2)
            mean = MEAN + keep * (mean - MEAN)
            variance = keep**2 * variance + drift * spread
    return mean, variance


def walked(x, expected):
    """Have the draws this mean and this variance?"""
    mean, variance = expected
    return agrees(x, mean) and agrees((np.asarray(x) - mean) ** 2, variance)


@pytest.mark.parametrize(
    ("corrections", "precision"), [(0, "float64"), (2, "float32")], indirect=["precision"]
)
def test_predictor_corrector_has_the_bias_of_its_linear_walk(corrections, precision, key):
    first, then = jax.random.split(key)
    starts = 1 + 3 * jax.random.normal(first, (20_000, 3))
    model = bowl(MEAN, VARIANCE)
    x = predictor_corrector(model, LEVELS, starts, corrections, RATIO, key=then)
    assert walked(x, predicted(corrections))
    assert not walked(x, (MEAN, VARIANCE + LEVELS[-1] ** 2))
    if corrections == 0:
        assert not walked(x, predicted(corrections, predictor=0.9))
    else:
        assert not walked(x, predicted(corrections, corrector=1.8))
        assert not walked(x, predicted(corrections, corrector=0.0))


def test_the_reverse_sde_gains_more_from_finer_steps_than_predictor_corrector(key):
    """Bias of the variance at the end: of first order for one, far below it for the other."""
    first, then = jax.random.split(key)
    starts = draws(Gaussian(MEAN, np.sqrt(VARIANCE + 16.0)), 20_000, key=first)
    x = reverse_sde(bowl(MEAN, VARIANCE), geometric_levels(4.0, 0.3, 25), starts, key=then)
    assert agrees((np.asarray(x) - MEAN) ** 2, VARIANCE + 0.09, 0.005)
    rough = predictor_corrector(
        bowl(MEAN, VARIANCE), geometric_levels(4.0, 0.3, 25), starts, 0, key=then
    )
    assert not agrees((np.asarray(rough) - MEAN) ** 2, VARIANCE + 0.09, 0.02)


def test_the_flow_has_its_closed_form_both_ways():
    """Of a Gaussian: distance from the mean grows with the standard deviation."""
    x = jnp.asarray([[0.2, -0.7, 4.0], [1.0, 1.0, 1.0]])
    up = probability_flow(bowl(MEAN, VARIANCE), 0.3, 4.0, x, rtol=1e-6, atol=1e-6)
    grown = np.sqrt((VARIANCE + 16.0) / (VARIANCE + 0.09))
    np.testing.assert_allclose(up, MEAN + grown * (np.asarray(x) - MEAN), rtol=2e-5)
    down = probability_flow(bowl(MEAN, VARIANCE), 4.0, 0.3, up, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(down, x, rtol=2e-5, atol=2e-5)


def test_a_flow_that_fails_raises():
    def network(x, noise):
        return jnp.where(noise < 1, jnp.nan, -x / (1 + noise**2))

    with pytest.raises(Exception, match="maximum number of solver steps"):
        probability_flow(NoisyScore(network, (2,)), 4.0, 0.1, jnp.ones((3, 2)))


X = jnp.ones((4, 3))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda m, k: reverse_sde(m, [1.0], X, key=k), "at least 2 falling numbers"),
        (lambda m, k: reverse_sde(m, [0.1, 1.0], X, key=k), "falling numbers above 0; got"),
        (lambda m, k: reverse_sde(m, [1.0, 0.0], X, key=k), "above 0"),
        (lambda m, k: predictor_corrector(m, [2.0, 1.0], X, -1, key=k), "`corrections` must be"),
        (lambda m, k: predictor_corrector(m, [2.0, 1.0], X, ratio=1.5, key=k), "`ratio` must lie"),
        (lambda m, k: probability_flow(m, 1.0, 0.0, X), "Noises must be above 0; got"),
        (lambda m, k: probability_flow(m, 1.0, 0.1, X, rtol=0.0), "`rtol` must be above 0"),
    ],
)
def test_bad_settings_are_named(draw, words, key):
    with pytest.raises(ValueError, match=words):
        draw(energy((3,)), key)
