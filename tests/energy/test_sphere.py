"""Distributions on the sphere that are known exactly, and what is measured against them."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from scipy.special import logsumexp
from spheres import BIMODAL, OneNeuron, unit

from energax.data import TwoNeurons, two_neurons
from energax.energy import Sphere, UniformSphere, draws
from energax.evaluate import sphere_grid

SHAPES = [(3,), (1, 4, 4)]
energies = eqx.filter_jit(lambda distribution, x: jax.vmap(distribution)(x))
log_z = eqx.filter_jit(lambda distribution: distribution.log_z())


@pytest.mark.parametrize(("shape", "area"), [((2,), 2 * math.pi), ((3,), 4 * math.pi)])
def test_the_area_of_the_circle_and_of_the_sphere(shape, area):
    assert float(UniformSphere(shape).log_z()) == pytest.approx(math.log(area), rel=1e-14)


@pytest.mark.parametrize("dim", [4, 15, 16])
def test_the_area_grows_as_areas_of_circles_do(dim):
    """area(D) = 2 pi / (D - 2) area(D - 2): by the shape (1, D) too."""
    small, large = (float(UniformSphere((1, size)).log_z()) for size in (dim - 2, dim))
    if dim == 4:
        small = math.log(2 * math.pi)
    assert large - small == pytest.approx(math.log(2 * math.pi / (dim - 2)), rel=1e-12)
    assert large - small != pytest.approx(math.log(2 * math.pi / (dim - 1)), rel=1e-2)


@pytest.mark.parametrize("shape", SHAPES)
def test_uniform_draws_are_on_the_sphere_and_have_its_moments(shape, precision, key):
    """E x = 0, E x^2 = 1 / D, E x^4 = 3 / (D (D + 2)), not the 3 / D^2 of normal numbers."""
    distribution, dim = UniformSphere(shape), math.prod(shape)
    x = draws(distribution, 20_000, key=key)
    assert x.dtype == precision
    assert float(distribution(x[0])) == 0
    flat = np.asarray(x, float).reshape(len(x), -1)
    np.testing.assert_allclose(np.sum(flat**2, axis=1), 1, rtol=1e-5)
    assert agrees(flat, np.zeros(dim))
    assert agrees(flat**4, np.full(dim, 3 / (dim * (dim + 2))))
    assert not agrees(flat**4, np.full(dim, 3 / dim**2))


def test_the_grid_of_the_sphere_is_exact_for_polynomials_of_its_degree():
    """x^4 z^4, of degree 8: exact with 5 points, not with 2. A grid of even heights is not."""
    right = 3 * 3 / (3 * 5 * 7 * 9)
    for points, exact in ((5, True), (2, False)):
        nodes, log_shares = sphere_grid(points)
        np.testing.assert_allclose(np.linalg.norm(nodes, axis=1), 1, rtol=1e-14)
        shares, nodes = np.exp(np.asarray(log_shares)), np.asarray(nodes)
        assert shares.sum() == pytest.approx(1, rel=1e-13)
        found = float(shares @ (nodes[:, 0] ** 4 * nodes[:, 2] ** 4))
        assert (found == pytest.approx(right, rel=1e-12)) == exact


@pytest.mark.parametrize("b", [0.5, 5.0])
def test_the_mass_of_one_neuron_in_closed_form(b):
    """(1 + (e^b - 1) / b) / 2 on the 2-sphere: 1e-5 of it for a kink that runs across the grid."""
    nodes, log_shares = sphere_grid(200)
    for z in (np.array([0.0, 0.0, 1.0]), unit(1, 3)[0]):
        distribution = OneNeuron(jnp.asarray(z), b)
        found = np.exp(log_shares) @ np.exp(-np.asarray(energies(distribution, nodes)))
        assert float(found) == pytest.approx(distribution.mean_mass(), rel=1e-5)
    assert float(found) != pytest.approx(math.expm1(b) / b, rel=1e-2)


@pytest.mark.parametrize("angle", [0.3, 1.575, 2.55, 3.1])
def test_the_constant_of_two_neurons_is_that_of_a_grid_on_the_sphere(angle, precision):
    """To 1e-4 in the log, the error of the grid at the kinks."""
    distribution = TwoNeurons(np.stack([turned(0.0), turned(angle)]), 5.0)
    assert distribution.angle == pytest.approx(angle, abs=1e-6 if precision == "float32" else 1e-12)
    nodes, log_shares = sphere_grid(300)
    exponents = np.asarray(log_shares) - np.asarray(energies(distribution, nodes))
    found = math.log(4 * math.pi) + logsumexp(exponents)
    assert float(log_z(distribution)) == pytest.approx(found, abs=1e-4)
    weaker = TwoNeurons(np.asarray(distribution.directions), 4.9)
    assert float(log_z(weaker)) != pytest.approx(found, abs=1e-2)


def turned(angle):
    """At `angle` from (0.6, 0, 0.8), out of the coordinate planes."""
    return math.cos(angle) * np.array([0.6, 0, 0.8]) + math.sin(angle) * np.array(
        [0.64, 0.6, -0.48]
    )


OLD = np.array(
    [
        (-0.1581, 0.5860), (-0.1232, 0.1702), (-0.1913, -0.1274), (0.4161, 0.0954),
        (0.4344, 0.1495), (0.1045, 0.1055), (0.3137, 0.2156), (0.2839, 0.1797),
        (0.1072, -0.1128), (0.1849, 0.0606), (-0.2719, -0.1669), (-0.1624, 0.0621),
        (-0.0897, -0.4499), (-0.2070, 0.4556), (0.4179, 0.1786),
    ]
).T  # fmt: skip
"""A teacher in 15 dimensions: its directions are 1.37 rad apart."""


def test_the_constant_in_15_dimensions_is_that_of_many_draws():
    """False alarm 1e-6; the same sum with the density of another dimension is noticed."""
    distribution = TwoNeurons(OLD, 5.0)
    assert distribution.angle == pytest.approx(1.37, abs=0.005)
    x = unit(200_000, 15)
    mass = np.exp(5 * np.maximum(x @ np.asarray(distribution.directions).T, 0).sum(axis=1))
    area = float(UniformSphere((15,)).log_z())
    assert agrees(mass, math.exp(float(log_z(distribution)) - area))
    padded = TwoNeurons(np.pad(OLD, ((0, 0), (0, 1))), 5.0)
    other = float(log_z(padded)) - float(UniformSphere((16,)).log_z())
    assert not agrees(mass, math.exp(other))


def plane_moments(distribution):
    """E of pulls, of their squares and of the squared radius, by an even grid in the plane.

    In v = cos(s)^(dim - 2), uniform for uniform x, and the angle: no code or nodes are shared.
    """
    dim = distribution.shape[0]
    v, turn = (np.arange(1500) + 0.5) / 1500, 2 * np.pi * (np.arange(720) + 0.5) / 720
    r = np.sqrt(1 - v ** (2 / (dim - 2)))[:, None]
    t = np.stack([r * np.cos(turn), r * np.cos(turn - distribution.angle)])
    mass = np.exp(float(distribution.strength) * np.maximum(t, 0).sum(axis=0))
    values = np.stack([*t, *t**2, np.broadcast_to(r**2, mass.shape)])
    return (values * mass).sum(axis=(1, 2)) / mass.sum()


def moments(distribution, x):
    """The same of draws, with the mean square off the plane on each axis."""
    x = np.asarray(x, np.float64)
    t = x @ np.asarray(distribution.directions, float).T
    inside = x @ np.asarray(distribution.frame, float).T
    return np.concatenate([t, t**2, np.sum(inside**2, axis=1, keepdims=True)], axis=1)


@pytest.mark.parametrize(
    ("teacher", "made", "precision"),
    [
        ("bimodal", "sample", "float64"),
        ("old", "sample", "float32"),
        ("bimodal", "two_neurons", "float32"),
        ("old", "two_neurons", "float64"),
    ],
    indirect=["precision"],
)
def test_draws_of_two_neurons_have_the_moments_of_their_density(teacher, made, precision, key):
    """False alarm 1e-6 each; draws of one half as strong are noticed."""
    directions = {"bimodal": BIMODAL, "old": OLD}[teacher]

    def of(strength):
        distribution = TwoNeurons(directions, strength)
        if made == "sample":
            return distribution, draws(distribution, 1500, key=key)
        rows = two_neurons(distribution, train=6000, test=2000)
        assert rows.name == f"two-neurons-{distribution.shape[0]}d"
        assert rows.train.dtype == np.float32
        return distribution, np.concatenate([rows.train, rows.test])

    distribution, x = of(5.0)
    np.testing.assert_allclose(np.linalg.norm(np.asarray(x, float), axis=1), 1, rtol=1e-5)
    right = plane_moments(distribution)
    assert agrees(moments(distribution, x), right, 1e-5)
    frame = np.asarray(distribution.frame, float)
    off = np.asarray(x, float) @ (np.eye(distribution.shape[0]) - frame.T @ frame)
    spread = np.eye(distribution.shape[0]) - frame.T @ frame
    share = (1 - right[4]) / (distribution.shape[0] - 2)
    assert agrees(off[:, :, None] * off[:, None], share * spread, 1e-5)
    assert not agrees(moments(distribution, of(2.5)[1]), right, 1e-5)


def test_a_draw_far_out_in_the_plane_is_on_the_sphere(monkeypatch, key):
    """In float32, where 1 less the squared radius is rounded away, and may be below 0."""
    with jax.enable_x64(False):
        distribution = TwoNeurons(BIMODAL)
        keys = jax.random.split(key, 200)
        uniform = jax.random.uniform

        def near_the_rim(key, shape=(), dtype=float):
            return uniform(key, shape, dtype) * jnp.array([1.0, 1e-4, 1e-3])

        monkeypatch.setattr(jax.random, "uniform", near_the_rim)
        x = jax.jit(jax.vmap(lambda k: distribution.sample(key=k)))(keys)
        Sphere((3,)).check("draws", np.asarray(x))


def test_rows_are_the_same_for_a_seed_and_others_for_another():
    distribution = TwoNeurons(BIMODAL)
    one, same, other = (
        two_neurons(distribution, train=50, test=20, seed=seed) for seed in (1, 1, 2)
    )
    assert one.digest == same.digest != other.digest
