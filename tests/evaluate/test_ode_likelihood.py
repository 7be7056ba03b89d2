"""Log-densities along the probability flow, against closed forms, within the error they state."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from noisy_distributions import bowl, distribution, energy, scores, shrunk

from energax.energy import Gaussian, NoisyScore, Unshrunk, draws, log_density
from energax.evaluate import flow_log_density, flow_log_density_by_probes, flow_ode

BROAD, FINE, COUNT = 16.0, 0.2, 200
SETTINGS = pytest.mark.parametrize(
    ("shape", "precision"), [((3,), "float64"), ((1, 4, 4), "float32")], indirect=["precision"]
)


def truth(distribution, rows):
    return np.asarray(jax.vmap(lambda x: log_density(distribution, x))(rows), np.float64)


def measured(model, key, prior=None, **tolerances):
    """The estimate for draws of the mixture at the lowest level, and the truth."""
    shape = model.shape
    rows = draws(distribution(shape, FINE), COUNT, key=key)
    prior = distribution(shape, BROAD) if prior is None else prior
    found = flow_log_density(model, prior, BROAD, FINE, rows, **tolerances)
    return found, truth(distribution(shape, FINE), rows)


def within(found, expected):
    """Nearly all rows within their error, none far outside it."""
    gap = np.abs(np.asarray(found.value, np.float64) - expected)
    return bool(np.mean(gap <= found.error) > 0.95 and np.all(gap <= 4 * found.error))


@SETTINGS
def test_exact_scores_give_the_mixtures_density(shape, precision, key):
    """Float32 carries seven digits: its bound is ten times as loose."""
    tolerance, largest = (1e-6, 3e-4) if precision == "float64" else (1e-5, 3e-3)
    found, expected = measured(energy(shape), key, rtol=tolerance, atol=tolerance)
    assert found.value.dtype == precision
    assert within(found, expected)
    assert np.mean(found.error) < largest
    assert np.all(found.size < 60)


@pytest.mark.parametrize("factor", [0.9, 2.0])
def test_a_wrong_drift_is_seen(factor, key):
    """Negative control: 2.0 is the flow without its 1/2."""
    assert not within(*measured(scores((3,), factor), key))


def test_a_wrong_sign_of_the_divergence_is_seen(key, monkeypatch):
    """Negative control."""
    divergence, compiled = flow_ode.divergence, flow_ode._densities

    def turned(field, x, signs):
        value, volume = divergence(field, x, signs)
        return value, -volume

    # Compiled again, for what was compiled before does not know of the fault.
    monkeypatch.setattr(flow_ode, "_densities", eqx.filter_jit(inspect.unwrap(compiled)))
    monkeypatch.setattr(flow_ode, "divergence", turned)
    assert not within(*measured(energy((3,)), key))


def test_a_model_of_shrunk_rows_has_the_same_density(key):
    assert within(*measured(Unshrunk(shrunk((3,))), key))


MEAN, VARIANCE = np.array([0.5, -1.0, 2.0]), np.array([0.3, 1.0, 2.5])


def test_what_the_prior_misses_is_carried_down_whole(key):
    """Gaussian data: the row's place at the highest level is known, and so is each density."""
    prior = Gaussian(jnp.zeros(3), 4.0)
    rows = draws(Gaussian(MEAN, np.sqrt(VARIANCE)), 50, key=key)
    found = flow_log_density(bowl(MEAN, VARIANCE), prior, 4.0, 0.3, rows)
    grown = np.sqrt((VARIANCE + 16.0) / (VARIANCE + 0.09))
    top = jnp.asarray(MEAN + grown * (np.asarray(rows) - MEAN))
    missed = truth(prior, top) - truth(Gaussian(jnp.asarray(MEAN), np.sqrt(VARIANCE + 16)), top)
    exact = truth(Gaussian(jnp.asarray(MEAN), np.sqrt(VARIANCE + 0.09)), rows)
    assert within(found, exact + missed)
    assert not within(found, exact)


TURN = np.array([[0.0, 0.5, 0.2], [-0.5, 0.0, -0.3], [-0.2, 0.3, 0.0]])


def whirl(x, noise):
    """A score that is no gradient: N(0, I) under noise, while all turns about the origin."""
    return -x / (1 + noise**2) + jnp.asarray(TURN) @ x


@pytest.mark.parametrize("kind", ["exact", "probes"])
def test_a_field_that_is_no_gradient_has_a_density_too(kind, key):
    model, prior = NoisyScore(whirl, (3,)), Gaussian(jnp.zeros(3), np.sqrt(1 + 2.0**2))
    rows = jax.random.normal(key, (50, 3))
    if kind == "exact":
        found = flow_log_density(model, prior, 2.0, 0.3, rows)
    else:
        found = flow_log_density_by_probes(model, prior, 2.0, 0.3, rows, key=key)
    assert within(found, truth(Gaussian(jnp.zeros(3), np.sqrt(1.09)), rows))


def probed(model, count, probes, key):
    shape = model.shape
    first, then = jax.random.split(key)
    rows = draws(distribution(shape, FINE), count, key=first)
    found = flow_log_density_by_probes(
        model, distribution(shape, BROAD), BROAD, FINE, rows, probes=probes, key=then
    )
    return found, truth(distribution(shape, FINE), rows)


@SETTINGS
def test_probes_have_the_right_mean_and_the_error_they_state(shape, precision, key):
    found, expected = probed(energy(shape), 400, 16, key)
    assert found.value.dtype == precision
    gap = np.asarray(found.value, np.float64) - expected
    assert agrees(gap, 0.0, 2e-3)
    assert 0.5 < np.mean((gap / found.error) ** 2) < 1.3
    assert np.all(found.size == 16)


def test_probes_of_a_wrong_drift_are_seen(key):
    """Negative control."""
    found, expected = probed(scores((3,), 2.0), 400, 16, key)
    assert not agrees(np.asarray(found.value) - expected, 0.0, 2e-3)


def test_a_solve_that_fails_raises():
    def network(x, noise):
        return jnp.where(noise < 1, jnp.nan, -x / (1 + noise**2))

    with pytest.raises(Exception, match="maximum number of solver steps"):
        flow_log_density(
            NoisyScore(network, (2,)), Gaussian(jnp.zeros(2), 4.0), 4.0, 0.1, jnp.ones((3, 2))
        )


@pytest.mark.parametrize(
    ("noises", "settings", "words"),
    [
        ((0.1, 1.0), {}, "`sigma_max` must be above `sigma_min`; got 0.1 and 1.0"),
        ((1.0, 0.0), {}, "Noises must be above 0; got"),
        ((1.0, 0.1), {"probes": 1}, "`probes` must be at least 2; got 1"),
        ((1.0, 0.1), {"atol": -1.0}, "`atol` must be above 0"),
    ],
)
def test_bad_settings_are_named(noises, settings, words, key):
    with pytest.raises(ValueError, match=words):
        flow_log_density_by_probes(
            energy((3,)), distribution((3,)), *noises, jnp.ones((2, 3)), **settings, key=key
        )
