"""The divergences that teaching minimises: the equations of the paper, and one put right."""

import functools

import jax
import numpy as np
import pytest
from cases import SHAPES
from teaching import (
    decoding,
    divergence,
    inverse_distribution,
    mean_divergence,
    of_model,
    of_x,
    posterior_distribution,
    scene,
    slope_of,
)


def test_the_generator_minimises_the_divergences_that_the_paper_names_once_eq_13_is_put_right():
    """Eq. 11 is a chain rule. Eq. 13 is one with the distribution of the kept z in place of a
    posterior."""
    here = scene(SHAPES["image"])
    data, drawn = here.inferred(), here.revised()

    def chain_rule(pair, w, b, distribution=None):
        distribution = (
            inverse_distribution(pair, of_x(pair)) if distribution is None else distribution
        )
        marginal = divergence(*of_x(pair), *of_model(w, b))
        return marginal + mean_divergence(distribution, posterior_distribution(w, b), of_x(pair))

    posterior_before = jax.jit(posterior_distribution)(here.w, here.b)
    for pair in (data, drawn):
        right = slope_of(lambda w, b, pair=pair: decoding(w, b, pair), here.w, here.b)[1]
        found = slope_of(functools.partial(chain_rule, pair), here.w, here.b)[1]
        assert np.allclose(found, right, rtol=1e-8)
    printed = slope_of(lambda w, b: chain_rule(drawn, w, b, posterior_before), here.w, here.b)[1]
    assert not np.allclose(printed, right, rtol=0.1)


def test_eq_13_as_printed_is_off_by_the_figures_of_one_dimension():
    """w = 1.3, s = 0.4, energy of N(0, 2.5), one step of 0.3: 1.0835 beside 0.0023."""
    w, v, h, noise = 1.3, 2.5, 0.3, 0.4
    r, total = 1 - h / v, 1.3**2 + 0.4**2
    moved = r**2 * total + 2 * h
    joint = np.array([[moved, r * w], [r * w, 1.0]])
    model = np.array([[total, w], [w, 1.0]])
    zero = np.zeros(2)
    left = jax.jit(divergence)(zero, joint, zero, model)
    printed = jax.jit(divergence)(zero[:1], joint[:1, :1], zero[:1], model[:1, :1])
    distribution = (np.array([[r * w / moved]]), zero[:1], np.array([[1 - (r * w) ** 2 / moved]]))
    precision = 1 + w**2 / noise**2
    true = (np.array([[w / noise**2 / precision]]), zero[:1], np.array([[1 / precision]]))
    put_right = printed + jax.jit(mean_divergence)(distribution, true, (zero[:1], joint[:1, :1]))
    assert float(left) == pytest.approx(1.0835, abs=1e-4)
    assert float(printed) == pytest.approx(0.0023, abs=1e-4)
    assert float(put_right) == pytest.approx(float(left), rel=1e-10)
