"""Restricted Boltzmann machines: both free energies, both conditionals, gradient, first values."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from enumeration import distribution, expected_changes
from scipy.special import logsumexp, softmax

from energax.energy import (
    BernoulliRBM,
    CategoricalRBM,
    GaussianRBM,
    change_energies,
    make_rbm,
)
from energax.space import Bits, Categories, Reals


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(jnp.result_type(float))


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


@eqx.filter_jit
def parts(rbm, x):
    """Of examples and of all h: both free energies, both conditional means, and the joint."""
    hs = rbm.hidden_space.enumerate()
    e = jax.vmap(lambda x: rbm.space.embed(x, rbm.weights.dtype))(x)
    energies = jax.vmap(lambda e: jax.vmap(lambda h: joint(rbm, e, h))(hs))(e)
    visible, hidden = jax.vmap(rbm)(x), jax.vmap(rbm.hidden_energy)(hs)
    return Parts(
        *(e, energies, visible, hidden),
        *(jax.vmap(rbm.hidden_given_visible)(x), jax.vmap(rbm.visible_given_hidden)(hs)),
    )


class Parts(NamedTuple):
    """The embedded examples, E(v, h), both free energies, and the mean of each side."""

    e: jax.Array
    joint: jax.Array
    visible: jax.Array
    hidden: jax.Array
    mean_hidden: jax.Array
    mean_visible: jax.Array


def parts_of(rbm):
    """Of all examples of a finite space, or of one that is drawn; in NumPy's numbers."""
    x = normal(9, 1, 2) if isinstance(rbm, GaussianRBM) else rbm.space.enumerate()
    return Parts(*map(np.asarray, parts(rbm, x)))


@pytest.mark.parametrize("name", RBMS)
def test_the_free_energy_sums_over_hidden_units(precision, name):
    tolerance = 1e-11 if precision == "float64" else 2e-5
    rbm = RBMS[name]()
    found = parts_of(rbm)
    assert found.visible.dtype == precision
    assert np.allclose(found.visible, -logsumexp(-found.joint, axis=1), rtol=0, atol=tolerance)
    hs = np.asarray(rbm.hidden_space.enumerate(), precision)
    given = softmax(-found.joint, axis=1) @ hs
    assert np.allclose(found.mean_hidden, given, atol=tolerance)


@pytest.mark.parametrize("name", FINITE)
def test_both_free_energies_have_one_log_z(name):
    """B4, and the conditional means of v given h."""
    rbm = RBMS[name]()
    found = parts_of(rbm)
    exact = logsumexp(-found.visible)
    assert abs(exact - logsumexp(-found.hidden)) < 1e-9
    fault = eqx.tree_at(
        lambda r: r.hidden, rbm, jnp.asarray(2 * np.asarray(rbm.hidden))
    )  # of one side alone
    assert abs(exact - logsumexp(-parts_of(fault).hidden)) > 1e-2
    weights = softmax(-found.joint, axis=0)
    mean = np.einsum("nh,n...->h...", weights, found.e)
    assert np.allclose(found.mean_visible, mean, atol=1e-12)


def test_the_gaussian_one_is_a_mixture_of_gaussians():
    """B4: by quadrature on a grid that is fine beside s. Fault: s for s^2 in the coupling."""
    rbm = RBMS["numbers"]()
    axes = [np.linspace(-14, 14, 701), np.linspace(-22, 22, 501)]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])

    @jax.jit
    def sums(grid):
        def fault(v):
            off = (v - rbm.visible) / rbm.std
            logits = rbm.hidden + (v / rbm.std) @ rbm.weights
            return jnp.sum(off**2) / 2 - jnp.sum(jax.nn.softplus(logits))

        each = jax.vmap(rbm.hidden_energy)(rbm.hidden_space.enumerate())
        over = (jax.vmap(energy)(grid) for energy in (rbm, fault))
        return [jax.nn.logsumexp(-energies) for energies in (each, *over)]

    exact, found, wrong = map(float, sums(grid))
    assert abs(found + np.log(cell) - exact) < 1e-6
    assert abs(wrong + np.log(cell) - exact) > 1e-2


@pytest.mark.parametrize("name", FINITE)
def test_the_gradient_is_that_of_the_likelihood(name, key):
    """B5: E_data - E_model of v times the mean of h. Fault: a drawn h for its mean."""
    rbm = RBMS[name]()
    xs, found = rbm.space.enumerate(), parts_of(rbm)

    @eqx.filter_jit
    def grad_and_draws(rbm):
        def log_likelihood(rbm):
            energies = jax.vmap(rbm)(xs)
            return -energies[11] - jax.nn.logsumexp(-energies)

        keys = jax.random.split(key, len(xs))
        drawn = jax.vmap(lambda x, k: rbm.sample_hidden(x, key=k))(xs, keys)
        return jax.grad(log_likelihood)(rbm).weights, drawn

    grad, drawn = map(np.asarray, grad_and_draws(rbm))
    p = softmax(-found.visible) - np.eye(len(xs))[11]

    def statistics(hs):
        return -np.einsum("n,n...,nh->...h", p, found.e, hs).reshape(grad.shape)

    assert np.allclose(statistics(found.mean_hidden), grad, atol=1e-10)
    assert not np.allclose(statistics(drawn), grad, atol=1e-3)


@pytest.mark.parametrize("name", FINITE)
def test_changes_are_differences_of_free_energies(precision, name):
    rbm = RBMS[name]()
    tolerance = 1e-12 if precision == "float64" else 2e-5
    x = jnp.asarray(np.asarray(rbm.space.points(np.array([14], np.int32)))[0])
    found = np.asarray(jax.jit(lambda x: change_energies(rbm, x, rbm.space))(x))
    expected = expected_changes(rbm.space, x, distribution(rbm)[0])
    assert np.allclose(found, expected, rtol=0, atol=tolerance)
    assert np.all(found[np.arange(len(found)), np.asarray(x).reshape(-1)] == 0)


@pytest.mark.parametrize("name", RBMS)
def test_draws_of_each_side_have_the_means_given_the_other(name, key):
    """20,000 draws; `agrees` states the rate. Negative control: the means given another h."""
    rbm = RBMS[name]()
    found = parts_of(rbm)

    @eqx.filter_jit
    def draw(rbm, keys):
        h = rbm.hidden_space.enumerate()[6]
        v = jax.vmap(lambda k: rbm.sample_visible(h, key=k))(keys[0])
        means = rbm.hidden_given_visible(v[0])
        h = jax.vmap(lambda k: rbm.sample_hidden(v[0], key=k))(keys[1])
        return v, jax.vmap(lambda x: rbm.space.embed(x, rbm.weights.dtype))(v), h, means

    v, es, h, given = map(np.asarray, draw(rbm, jax.random.split(key, (2, 20_000))))
    mean = found.mean_visible[6]
    assert agrees(es, mean)
    assert not agrees(es, found.mean_visible[9])
    assert h.dtype == np.uint8
    assert agrees(h, given)
    if name == "numbers":
        assert agrees((es - mean) ** 2, STD**2)
        assert not agrees((es - mean) ** 2, STD)
    else:
        assert v.dtype == np.uint8


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
