"""The kernel of Stein's discrepancy, its bandwidth, and the limit of a narrow one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from energax.objective import median_bandwidth, stein_kernel
from energax.objective.stein import BANDWIDTH_ROWS


@pytest.mark.parametrize("kernel", ["gaussian", "multiquadric"])
def test_stein_kernel_is_the_one_of_autodiff(kernel, key):
    x, y, a, b = jax.random.normal(key, (4, 3))
    width = 1.4

    def k(x, y):
        q = jnp.sum((x - y) ** 2) / width**2
        return jnp.exp(-q / 2) if kernel == "gaussian" else (1 + q) ** -0.5

    by_x, by_y = jax.grad(k)(x, y), jax.grad(k, argnums=1)(x, y)
    trace = jnp.trace(jax.jacfwd(jax.grad(k), argnums=1)(x, y))
    expected = a @ b * k(x, y) + a @ by_y + b @ by_x + trace
    found = stein_kernel(jnp.stack([x, y]), jnp.stack([a, b]), jnp.asarray(width), kernel)[0, 1]
    assert float(found) == pytest.approx(float(expected))


def test_median_bandwidth_is_that_of_all_pairs():
    rows = np.random.default_rng(0).normal(size=(21, 2, 2))
    expected = np.median(pdist(rows.reshape(21, -1)))
    assert float(median_bandwidth(jnp.asarray(rows))) == pytest.approx(expected)


def test_median_bandwidth_of_many_rows_is_that_of_the_first():
    rows = np.random.default_rng(0).normal(size=(512, 2))
    expected = np.median(pdist(rows[:BANDWIDTH_ROWS]))
    found = float(median_bandwidth(jnp.asarray(rows)))
    assert found == pytest.approx(expected)
    assert found == pytest.approx(np.median(pdist(rows)), rel=0.1)


def test_a_narrow_gaussian_kernel_is_the_fisher_divergence_weighted_by_the_density():
    """By quadrature: sqrt(2 pi) h times the integral of (density times difference of scores)^2."""
    width, x = 0.03, np.linspace(-6, 6, 1201)
    density, score, model = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), -x, -(x - 0.4) / 0.6
    pairs = stein_kernel(
        jnp.asarray(x)[:, None], jnp.asarray(model)[:, None], jnp.asarray(width), "gaussian"
    )
    weight = density * (x[1] - x[0])
    found = weight @ np.asarray(pairs) @ weight / (np.sqrt(2 * np.pi) * width)
    squared = (score - model) ** 2
    assert found == pytest.approx(weight @ (density * squared), rel=0.01)
    assert found != pytest.approx(weight @ squared, rel=0.5)
