"""Restricted Boltzmann machines: both free energies, both conditionals, gradient, first values."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from enumeration import distribution, expected_changes
from jax.scipy.special import logsumexp

from energax.energy import (
    BernoulliRBM,
    CategoricalRBM,
    GaussianRBM,
    change_energies,
    make_rbm,
)
from energax.space import Bits, Categories, Reals


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.result_type(float))


STD = np.array([0.5, 1.7])
RBMS = {
    "bits": lambda: BernoulliRBM(normal(0, 6, 4), normal(1, 2, 3), normal(2, 4)),
    "categories": lambda: CategoricalRBM(normal(3, 4, 3, 4), normal(4, 2, 2, 3), normal(5, 4)),
    "numbers": lambda: GaussianRBM(normal(6, 2, 4), normal(7, 2), normal(8, 4), STD),
}
FINITE = ["bits", "categories"]


def joint(rbm, e, h):
    """E(v, h) of an embedded example, by its formula."""
    h = h.astype(e.dtype)
    flat, w = e.reshape(-1), rbm.weights.reshape(-1, rbm.hidden.size)
    if isinstance(rbm, GaussianRBM):
        off = (flat - rbm.visible) / rbm.std
        return jnp.sum(off**2) / 2 - rbm.hidden @ h - (flat / rbm.std**2) @ w @ h
    return -rbm.visible.reshape(-1) @ flat - rbm.hidden @ h - flat @ w @ h


@pytest.mark.parametrize("name", RBMS)
def test_the_free_energy_sums_over_hidden_units(precision, name):
    rbm = RBMS[name]()
    tolerance = 1e-11 if precision == "float64" else 2e-5
    hs = rbm.hidden_space.enumerate()
    x = normal(9, 2) if name == "numbers" else rbm.space.points(jnp.array([19]))[0]
    e = rbm.space.embed(x, rbm.weights.dtype)
    energies = jax.vmap(lambda h: joint(rbm, e, h))(hs)
    value = rbm(x)
    assert value.dtype == jnp.result_type(float)
    assert abs(float(value + logsumexp(-energies))) < tolerance
    given = jax.nn.softmax(-energies) @ hs.astype(e.dtype)
    assert np.allclose(rbm.hidden_given_visible(x), given, atol=tolerance)


@pytest.mark.parametrize("name", FINITE)
def test_both_free_energies_have_one_log_z(name):
    """B4, and the conditional means of v given h."""
    rbm = RBMS[name]()
    xs, hs = rbm.space.enumerate(), rbm.hidden_space.enumerate()
    from_visible = logsumexp(-jax.vmap(rbm)(xs))
    from_hidden = logsumexp(-jax.vmap(rbm.hidden_energy)(hs))
    assert abs(float(from_visible - from_hidden)) < 1e-9
    fault = eqx.tree_at(lambda r: r.hidden, rbm, 2 * rbm.hidden)  # of one side alone
    assert abs(float(from_visible - logsumexp(-jax.vmap(fault.hidden_energy)(hs)))) > 1e-2
    es = jax.vmap(lambda x: rbm.space.embed(x, rbm.weights.dtype))(xs)
    weights = jax.nn.softmax(-jax.vmap(lambda e: joint(rbm, e, hs[5]))(es))
    mean = jnp.tensordot(weights, es, 1)
    assert np.allclose(rbm.visible_given_hidden(hs[5]), mean, atol=1e-12)


def test_the_gaussian_one_is_a_mixture_of_gaussians():
    """B4: by quadrature on a grid that is fine beside s. Fault: s for s^2 in the coupling."""
    rbm = RBMS["numbers"]()
    hs = rbm.hidden_space.enumerate()
    exact = float(logsumexp(-jax.vmap(rbm.hidden_energy)(hs)))
    axes = [jnp.linspace(-14, 14, 701), jnp.linspace(-22, 22, 501)]
    grid = jnp.stack(jnp.meshgrid(*axes), axis=-1).reshape(-1, 2)
    cell = float((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    found = float(logsumexp(-jax.vmap(rbm)(grid))) + np.log(cell)
    assert abs(found - exact) < 1e-6

    def fault(v):
        off = (v - rbm.visible) / rbm.std
        logits = rbm.hidden + (v / rbm.std) @ rbm.weights
        return jnp.sum(off**2) / 2 - jnp.sum(jax.nn.softplus(logits))

    assert abs(float(logsumexp(-jax.vmap(fault)(grid))) + np.log(cell) - exact) > 1e-2


@pytest.mark.parametrize("name", FINITE)
def test_the_gradient_is_that_of_the_likelihood(name, key):
    """B5: E_data - E_model of v times the mean of h. Fault: a drawn h for its mean."""
    rbm = RBMS[name]()
    xs = rbm.space.enumerate()

    def log_likelihood(rbm):
        energies = jax.vmap(rbm)(xs)
        return -energies[11] - logsumexp(-energies)

    grad = jax.grad(log_likelihood)(rbm).weights
    es = jax.vmap(lambda x: rbm.space.embed(x, rbm.weights.dtype))(xs)
    means = jax.vmap(rbm.hidden_given_visible)(xs)
    p = jax.nn.softmax(-jax.vmap(rbm)(xs)) - jnp.eye(len(xs))[11]

    def statistics(hs):
        return -jnp.einsum("n,n...,nh->...h", p, es, hs).reshape(grad.shape)

    assert np.allclose(statistics(means), grad, atol=1e-10)
    drawn = jax.vmap(lambda x, k: rbm.sample_hidden(x, key=k))(xs, jax.random.split(key, len(xs)))
    assert not np.allclose(statistics(drawn.astype(means.dtype)), grad, atol=1e-3)


@pytest.mark.parametrize("name", FINITE)
def test_changes_are_differences_of_free_energies(precision, name):
    rbm = RBMS[name]()
    tolerance = 1e-12 if precision == "float64" else 2e-5
    x = rbm.space.points(jnp.array([14]))[0]
    found = np.asarray(jax.jit(lambda x: change_energies(rbm, x, rbm.space))(x))
    expected = expected_changes(rbm.space, x, distribution(rbm)[0])
    assert np.allclose(found, expected, rtol=0, atol=tolerance)
    assert np.all(found[np.arange(len(found)), np.asarray(x).reshape(-1)] == 0)


@pytest.mark.parametrize("name", RBMS)
def test_draws_of_each_side_have_the_means_given_the_other(name, key):
    """20,000 draws; `agrees` states the rate. Negative control: the means given another h."""
    rbm = RBMS[name]()
    first, second = jax.random.split(key)
    hs = rbm.hidden_space.enumerate()
    v = jax.vmap(lambda k: rbm.sample_visible(hs[6], key=k))(jax.random.split(first, 20_000))
    es = np.asarray(jax.vmap(lambda x: rbm.space.embed(x, rbm.weights.dtype))(v))
    assert agrees(es, rbm.visible_given_hidden(hs[6]))
    assert not agrees(es, rbm.visible_given_hidden(hs[9]))
    x = v[0]
    h = jax.vmap(lambda k: rbm.sample_hidden(x, key=k))(jax.random.split(second, 20_000))
    assert h.dtype == jnp.uint8
    assert agrees(h, rbm.hidden_given_visible(x))
    if name == "numbers":
        assert agrees((es - np.asarray(rbm.visible_given_hidden(hs[6]))) ** 2, STD**2)
        assert not agrees((es - np.asarray(rbm.visible_given_hidden(hs[6]))) ** 2, STD)
    else:
        assert v.dtype == jnp.uint8


def test_an_untrained_machine_has_the_frequencies_of_rows(key):
    """With weights of 0 the visible units are independent, as smoothed counts say."""
    rows = np.array([[0, 2], [1, 2], [1, 0]], np.uint8)
    bits = make_rbm((rows > 0).astype(np.uint8), Bits((2,)), 3, scale=0.0, key=key)
    h = jnp.zeros(3, jnp.uint8)
    assert np.allclose(bits.visible_given_hidden(h), [3 / 5, 3 / 5], atol=1e-6)
    categories = make_rbm(rows, Categories((2,), 3), 3, scale=0.0, key=key)
    expected = [[2 / 6, 3 / 6, 1 / 6], [2 / 6, 1 / 6, 3 / 6]]
    assert np.allclose(categories.visible_given_hidden(h), expected, atol=1e-6)
    real = np.array([[0.0, 5.0], [2.0, 9.0]])
    numbers = make_rbm(real, Reals((2,)), 3, key=key)
    assert np.allclose(numbers.visible, [1.0, 7.0])
    assert np.allclose(numbers.std, [1.0, 2.0])
    assert 0 < float(jnp.std(numbers.weights)) < 0.1
    with pytest.raises(ValueError, match="column 1 does not"):
        make_rbm(real * np.array([1.0, 0.0]), Reals((2,)), 3, key=key)
    with pytest.raises(ValueError, match=r"`weights` must have shape \(2, 3\)"):
        BernoulliRBM(np.zeros((2, 2)), np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="`std` must be above 0"):
        GaussianRBM(np.zeros((2, 3)), np.zeros(2), np.zeros(3), 0.0)
