"""How much of the data the noise covers, as noise-contrastive objectives report it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from mean_gradients import RATIO

from energax.energy import Gaussian, Normalised, draws
from energax.objective import (
    NoiseContrastiveEstimation,
    RankingNoiseContrastiveEstimation,
    coverage_warning,
)

SEEDS, BATCH = 2000, 16


def overlap(apart, ratio):
    """Integral of (1 + r) p q / (p + r q) for p = N(apart, 1) and q = N(0, 1), by quadrature."""
    x = np.linspace(-10, 14, 4801)
    p, q = np.exp(-((x - apart) ** 2) / 2), np.exp(-(x**2) / 2)
    return np.sum((1 + ratio) * p * q / (p + ratio * q)) * (x[1] - x[0]) / np.sqrt(2 * np.pi)


def ranked_overlap(apart):
    """Twice the mean share of y ~ q beside x ~ p in a softmax of p / q, by quadrature."""
    x = np.linspace(-10, 14, 1601)
    p, q = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (apart, 0.0))
    share = 1 / (1 + np.exp(apart * (x[:, None] - x[None])))
    return 2 * (p @ share @ q) * (x[1] - x[0]) ** 2


def noise_coverages(make, apart, ratio, key):
    """The metric of independent batches of data from N(apart, 1), with the true model."""
    noise, truth = Gaussian(jnp.zeros(1)), Gaussian(jnp.full(1, float(apart)))
    objective = make(noise, ratio)

    def one(key):
        first, then = jax.random.split(key)
        energy = Normalised(truth, truth.log_z())
        aux = objective(energy, draws(truth, BATCH, key=first), None, key=then)[1]
        return aux.metrics["noise_coverage"]

    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(key, SEEDS)))


@pytest.mark.parametrize("apart", [1.0, 2.5])
@pytest.mark.parametrize("ratio", [1, RATIO])
def test_noise_coverage_is_the_overlap_of_data_and_noise(apart, ratio, key):
    """Issue 11, defect 5. At 1 the share of batches whose mean is clipped is seen by nobody."""
    values = noise_coverages(NoiseContrastiveEstimation, apart, ratio, key)
    right = overlap(apart, ratio)
    assert np.all((values >= 0) & (values <= 1))
    assert agrees(values, right, 0.01)
    assert not agrees(values, right * ratio / (1 + ratio), 0.01)  # without its factor


def test_noise_coverage_of_ranking_is_the_share_of_the_noise(key):
    values = noise_coverages(RankingNoiseContrastiveEstimation, 2.5, 1, key)
    assert agrees(values, ranked_overlap(2.5), 0.01)
    assert not agrees(values, ranked_overlap(2.5) / 2, 0.01)


@pytest.mark.parametrize("make", [NoiseContrastiveEstimation, RankingNoiseContrastiveEstimation])
def test_noise_that_misses_the_data_is_warned_of(make, key):
    """Noise that is the data covers it wholly; noise 8 standard deviations away not at all."""
    near, far = (noise_coverages(make, apart, RATIO, key) for apart in (0.0, 8.0))
    assert np.allclose(near, 1)
    assert far.mean() < 0.01
    assert coverage_warning({"noise_coverage": near}) is None
    assert "closer to the data" in coverage_warning({"noise_coverage": far})
    assert coverage_warning({"loss": 1.0}) is None
