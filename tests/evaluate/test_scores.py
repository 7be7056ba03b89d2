"""Likelihood, baselines, discrepancy and chains against closed forms."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees, bound

from energax.evaluate import (
    Estimate,
    bits_per_dim,
    certify,
    fit_baselines,
    health,
    log_likelihood,
    mmd,
)

BOUND = bound(1000)


def known_log_z(value, error=0.0):
    return certify(Estimate(jnp.asarray(value), jnp.asarray(error), jnp.asarray(1.0)))


def test_log_likelihood_is_minus_energy_minus_log_z_plus_log_det():
    found = log_likelihood(np.array([[1.0, 3.0]]), np.array([[0.5, 0.5]]), known_log_z(2.0, 0.1))
    assert np.allclose(found.rows, [-2.5, -4.5])
    assert np.isclose(found.value, -3.5)
    assert np.allclose([found.lower, found.upper], [-3.6, -3.4])
    assert np.isclose(found.error, math.sqrt(2) / math.sqrt(2))
    assert found.certified


def test_interval_counts_the_noise_of_dequantisation():
    """Rows of unit noise, 8 copies: the interval holds the noiseless mean as often as it says."""
    rng = np.random.default_rng(0)
    rows = 10 * rng.normal(size=50)
    hits = []
    for _ in range(2000):
        energies = rows + rng.normal(size=(8, 50))
        found = log_likelihood(energies, np.zeros((8, 50)), known_log_z(0.0))
        hits.append(found.lower <= -rows.mean() <= found.upper)
    assert agrees(np.array(hits, float), 0.95)


def test_bits_of_uniform_whole_numbers_are_the_log_of_their_count():
    # Uniform on the unit box has log-density 0; every pixel of 256 levels then costs 8 bits.
    assert np.isclose(bits_per_dim(0.0, 784, 256), 8.0)
    assert np.isclose(bits_per_dim(-2 * math.log(2), 2, None), 1.0)


def test_baselines_reach_the_entropy_of_a_gaussian():
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 0.3, 2.0])
    train, test = (scale * rng.normal(size=(n, 3)) for n in (600, 1000))
    found = fit_baselines(train, test[None])
    best = -1.5 * math.log(2 * math.pi * math.e) - np.log(scale).sum()
    for name, baseline in found.items():
        assert baseline.value < best + BOUND * baseline.error, name
        assert baseline.size == 1000
        assert baseline.setting
    assert abs(found["Gaussian"].value - best) < BOUND * found["Gaussian"].error
    # Negative control: the bound can tell a Gaussian that is 20% too wide.
    assert abs(found["Gaussian"].value - 0.2 - best) > BOUND * found["Gaussian"].error / 2


def test_baselines_choose_components_where_they_are_needed():
    rng = np.random.default_rng(1)
    centres = 6 * rng.normal(size=(10, 2))
    train, test = (
        centres[rng.integers(10, size=n)] + 0.3 * rng.normal(size=(n, 2)) for n in (800, 400)
    )
    found = fit_baselines(train, np.stack([test, test]))
    assert found["mixture, full covariances"].value > found["Gaussian"].value + 1
    # With few rows the large mixtures are left out, not fitted badly.
    few = fit_baselines(train[:40], test[None])
    assert few["mixture, full covariances"].setting == "1 component"


def discrepancies(shift, sizes, count=150):
    rng = np.random.default_rng(0)
    found = [
        mmd(rng.normal(size=(sizes[0], 3)) + shift, rng.normal(size=(sizes[1], 3)), bandwidth=2.0)
        for _ in range(count)
    ]
    return tuple(np.array([float(getattr(e, n)) for e in found]) for n in ("value", "error"))


def exact_mmd(shift, width=2.0, dim=3):
    """Of N(shift, I) against N(0, I): E k(a, b) is Gaussian in the distance of the means."""
    spread = width**2 + 2
    scale = (width**2 / spread) ** (dim / 2)
    return 2 * scale * (1 - math.exp(-dim * shift**2 / (2 * spread)))


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_mmd_is_unbiased_and_its_error_is_its_spread(shift):
    sizes = (30, 90)
    values, errors = discrepancies(shift, sizes)
    assert agrees(values, exact_mmd(shift))
    ratio = math.sqrt(np.mean(errors**2)) / values.std(ddof=1)
    assert 0.8 < ratio < 1.6  # the spread of 150 values is known to 6%; the null has long tails
    # Negative control: the biased form, with each row's kernel with itself left in.
    assert not agrees(values + 2 / min(sizes), exact_mmd(shift))


def test_mmd_tells_samples_apart():
    rng = np.random.default_rng(0)
    same, other = rng.normal(size=(2, 400, 4)), rng.normal(size=(400, 4)) * 1.4
    null, far = mmd(same[0], same[1]), mmd(other, same[1])
    assert abs(float(null.value)) < BOUND * float(null.error)
    assert float(far.value) > BOUND * float(far.error)
    with pytest.raises(ValueError, match="need 2 rows"):
        mmd(same[0][:1], same[1])
    with pytest.raises(ValueError, match="`bandwidth` must be above 0"):
        mmd(same[0], np.zeros((5, 4)))


def autoregression(memory, chains, draws, shift=0.0):
    """Chains x' = memory x + noise, stationary: n (1 - memory) / (1 + memory) effective draws."""
    rng = np.random.default_rng(0)
    x = np.zeros((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for t in range(1, draws):
        x[:, t] = memory * x[:, t - 1] + math.sqrt(1 - memory**2) * rng.normal(size=chains)
    return x + shift * np.arange(chains)[:, None]


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_effective_size_of_an_autoregression_is_its_closed_form(memory):
    found = health(autoregression(memory, 4, 4000))
    assert np.isclose(found.size, 16000 * (1 - memory) / (1 + memory), rtol=0.15)
    assert found.rhat < 1.01
    assert found.sound


SICK = {  # part of the verdict -> trace
    "have not mixed": lambda: autoregression(0.5, 4, 400, shift=1.0),
    "effective draws": lambda: autoregression(0.8, 4, 100),
    "frozen": lambda: np.ones((4, 50)) * np.arange(4)[:, None],
    "not finite": lambda: np.full((4, 50), np.nan),
}


@pytest.mark.parametrize("verdict", SICK)
def test_sick_chains_get_their_verdict(verdict):
    found = health(SICK[verdict]())
    assert not found.sound
    assert verdict in found.verdict


def test_a_trace_too_short_is_refused():
    with pytest.raises(ValueError, match="at least 2 chains of at least 8 draws"):
        health(np.zeros((1, 50)))
