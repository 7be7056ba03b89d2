"""Shallow networks: what a neuron makes of a row, and the kernel that all neurons together have."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from scipy.special import gamma, i0e

from energax.network import (
    Peak,
    Relu,
    Shallow,
    Square,
    add_bias,
    flatten,
    make_shallow,
    map_to_circles,
)

SHAPES = [(2,), (3,), (15,), (1, 4, 4)]


def uniform(count, dim):
    """Directions uniform on the sphere, made without JAX."""
    z = np.random.default_rng(5).normal(size=(count, dim))
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def pairs(dim):
    """Two vectors that are not of unit length, the same twice, opposite ones, and square ones."""
    u, v = np.random.default_rng(6).normal(size=(2, dim))
    across = v - (u @ v) / (u @ u) * u
    return [(u, v), (u, u), (u, -u), (u, across), (u, 0.3 * u)]


FEATURES = {"relu": Relu(), "square": Square(), "peak": Peak(2.0)}
BY_HAND = {
    "relu": lambda t: np.maximum(t, 0),
    "square": lambda t: t**2 / 2,
    "peak": lambda t: np.exp(2.0 * (t - 1)),
}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_what_its_formula_says(name, precision):
    t = np.linspace(-1, 1, 41)
    found = FEATURES[name](jnp.asarray(t, precision))
    assert found.dtype == precision
    np.testing.assert_allclose(found, BY_HAND[name](t), rtol=1e-5)


@pytest.mark.parametrize("name", FEATURES)
def test_on_the_circle_the_kernel_is_the_mean_over_a_grid_of_directions(name):
    """Even directions: exact but for the kinks of `Relu`, whose error falls as 1 / count^2."""
    turn = 2 * np.pi * (np.arange(4000) + 0.5) / 4000
    z = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for u, v in pairs(2):
        right = np.mean(BY_HAND[name](z @ u) * BY_HAND[name](z @ v))
        found = FEATURES[name].kernel(jnp.asarray(u), jnp.asarray(v))
        assert float(found) == pytest.approx(right, rel=2e-6, abs=1e-7)
        assert right < 1e-7 or float(found) != pytest.approx(right * 2 / 3, rel=0.1)


@pytest.mark.parametrize("dim", [3, 15, 16])
@pytest.mark.parametrize("name", ["relu", "square"])
def test_on_a_sphere_the_kernel_is_the_mean_over_draws_of_directions(name, dim):
    """False alarm 1e-6 each; dividing by dim + 1, as released code does, is noticed at dim 3."""
    z, kernel = uniform(200_000, dim), jax.jit(FEATURES[name].kernel)
    for u, v in pairs(dim)[:2]:
        values = BY_HAND[name](z @ u) * BY_HAND[name](z @ v)
        assert agrees(values, kernel(u, v))
        assert dim > 3 or not agrees(values, kernel(u, v) * dim / (dim + 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_moments_of_a_ramp_on_the_sphere(shape):
    """E max(t, 0) = Gamma(D/2) / (2 sqrt(pi) Gamma((D+1)/2)), E max(t, 0)^2 = 1 / (2 D) = k(u, u).

    By quadrature of the density of t = <z, u>, proportional to (1 - t^2)^((D - 3) / 2).
    """
    dim = math.prod(shape)
    nodes, shares = np.polynomial.legendre.leggauss(400)
    angle = np.pi / 4 * (nodes + 1)  # t = cos of it, from 1 to 0: half of the sphere
    mass = np.pi / 4 * shares * np.sin(angle) ** (dim - 2)
    mass = mass / mass.sum() / 2
    ramp = Relu()(jnp.asarray(np.cos(angle)))
    first = gamma(dim / 2) / (2 * math.sqrt(math.pi) * gamma((dim + 1) / 2))
    assert mass @ ramp == pytest.approx(first, rel=1e-12)
    assert mass @ ramp**2 == pytest.approx(1 / (2 * dim), rel=1e-12)
    unit = jnp.asarray(uniform(1, dim)[0])
    assert float(Relu().kernel(unit, unit)) == pytest.approx(1 / (2 * dim), rel=1e-12)


@pytest.mark.parametrize("name", FEATURES)
def test_the_slope_of_a_kernel_is_right_where_vectors_meet_and_where_they_oppose(name, precision):
    """Central differences, in float64; finite in float32 on, and next to, the same point."""
    kernel = FEATURES[name].kernel
    u, v = (np.stack(part).astype(precision) for part in zip(*pairs(2)[:4], strict=True))
    for away in (0.0, 1e-6, 1e-3):
        slope = jax.jit(jax.vmap(jax.grad(kernel)))(u + u.dtype.type(away), v)
        assert bool(jnp.all(jnp.isfinite(slope)))
        if precision == "float64":
            at = (u[:, None] + away, 1e-6 * np.eye(2)[None], v[:, None] + np.zeros((1, 2, 1)))
            both = jax.jit(jax.vmap(jax.vmap(kernel)))
            by_difference = (both(at[0] + at[1], at[2]) - both(at[0] - at[1], at[2])) / 2e-6
            np.testing.assert_allclose(slope, by_difference, atol=2e-6)


def test_the_kernel_of_peaks_is_a_bessel_function():
    """exp(-2 a) I_0(2 a cos((x - y) / 2)) for angles x and y; twice the sharpness is seen."""
    x, y = 0.4, 1.9
    u, v = (jnp.array([math.cos(turn), math.sin(turn)]) for turn in (x, y))
    near = math.cos((x - y) / 2)
    for a in (0.5, 10.0, 200.0):
        right = i0e(2 * a * near) * math.exp(2 * a * (near - 1))
        assert float(Peak(a).kernel(u, v)) == pytest.approx(right, rel=1e-12, abs=0)
        assert float(Peak(2 * a).kernel(u, v)) != pytest.approx(right, rel=0.1, abs=0)


def by_hand(network, u):
    """f by a loop over neurons, in NumPy."""
    w, c, z = (
        np.asarray(part, float) for part in (network.weights, network.signs, network.directions)
    )
    return sum(w[j] * c[j] * max(z[j] @ u, 0) for j in range(len(w))) / len(w)


EMBEDDINGS = {
    "flatten": (flatten, lambda x: x),
    "add_bias": (add_bias, lambda x: np.append(x, 1) / np.sqrt(len(x) + 1)),
    "map_to_circles": (
        map_to_circles,
        lambda x: np.append(np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)) / np.sqrt(len(x)),
    ),
}


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4)])
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_the_network_is_a_mean_of_signed_features(name, shape, precision, key):
    embedding, right = EMBEDDINGS[name]
    network = make_shallow(shape, 10, embedding=embedding, negative=0.3, weight=2.5, key=key)
    assert network.directions.dtype == network.weights.dtype == precision
    assert int(jnp.sum(network.signs == -1)) == 3
    np.testing.assert_allclose(np.linalg.norm(network.directions, axis=1), 1, rtol=1e-6)
    x = np.random.default_rng(3).normal(size=shape).astype(precision)
    u = right(x.reshape(-1).astype(float))
    found = network(jnp.asarray(x))
    assert found.dtype == precision
    assert float(found) == pytest.approx(by_hand(network, u), rel=1e-4, abs=1e-6)
    sum_in_place_of_mean = len(network.weights) * by_hand(network, u)
    assert float(found) != pytest.approx(sum_in_place_of_mean, rel=0.1)


def test_directions_are_uniform_on_the_sphere(key):
    """E z = 0 and E z z' = 1 / D; the half-sphere of the same neurons is noticed."""
    z = np.asarray(make_shallow((1, 2, 2), 20_000, key=key).directions)
    assert agrees(z, np.zeros(4))
    assert agrees(z[:, :, None] * z[:, None], np.eye(4) / 4)
    assert not agrees(np.abs(z), np.zeros(4))


REFUSED = {
    "no neurons": (
        lambda key: make_shallow((3,), 0, key=key),
        "`neurons` must be at least 1; got 0",
    ),
    "a share above 1": (
        lambda key: make_shallow((3,), negative=1.5, key=key),
        r"`negative` must be a share in \[0, 1\]; got 1.5",
    ),
    "a weight below 0": (
        lambda key: make_shallow((3,), weight=-1.0, key=key),
        "`weight` must be at least 0 and finite; got -1",
    ),
    "a weight that is not finite": (
        lambda key: make_shallow((3,), weight=float("nan"), key=key),
        "`weight` must be at least 0 and finite; got nan",
    ),
    "sharpness": (lambda key: Peak(0.0), "`sharpness` must be above 0; got 0.0"),
    "a peak off the circle": (
        lambda key: Peak().kernel(jnp.ones(3), jnp.ones(3)),
        "closed kernel on the circle alone; got dim 3",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_sentence(what, key):
    make, sentence = REFUSED[what]
    with pytest.raises(ValueError, match=sentence):
        make(key)


@pytest.mark.parametrize("name", ["weights", "signs"])
def test_arrays_that_do_not_fit_are_refused(name, key):
    """Seen too where shapes are not checked by annotations: it is an `if`."""
    good = make_shallow((3,), 4, key=key)
    parts = {"weights": good.weights, "signs": good.signs} | {name: getattr(good, name)[:3]}
    with pytest.raises(Exception, match=name):
        Shallow(good.directions, parts["weights"], parts["signs"], Relu(), flatten)
