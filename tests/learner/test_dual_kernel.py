"""The dual of the kernel ball by particles: one step by hand, and the distribution that they come
to."""

from unittest.mock import patch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from dual_problems import RADIUS, Place, kernel_dual, place
from spheres import unit

from energax import train
from energax.energy import Flat, Gaussian, Sphere, Tilt, Torus
from energax.evaluate import sphere_grid
from energax.learner.dual import KernelDual, Witness
from energax.network import Square, add_bias, flatten, map_to_circles

MANIFOLDS = {  # name -> (manifold, embedding, the same by hand, rows)
    "sphere": (lambda: Sphere((3,)), flatten, lambda x: x, unit(4, 3)),
    "image": (
        lambda: Sphere((1, 4, 4)),
        flatten,
        lambda x: x.reshape(len(x), -1),
        unit(4, 16).reshape(4, 1, 4, 4),
    ),
    "torus": (
        lambda: Torus((2,)),
        map_to_circles,
        lambda x: np.concatenate([np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)], axis=1) / 2**0.5,
        np.random.default_rng(1).random((4, 2)),
    ),
    "flat": (
        lambda: Flat(Gaussian(jnp.zeros(2), 1.5)),
        add_bias,
        lambda x: np.concatenate([x, np.ones((len(x), 1))], axis=1) / 3**0.5,
        np.random.default_rng(1).normal(size=(4, 2)),
    ),
}


def square_kernel(u, v):
    dim, dot = u.shape[1], u @ v.T
    both = np.sum(u**2, axis=1)[:, None] * np.sum(v**2, axis=1)[None]
    return (both + 2 * dot**2) / (4 * dim * (dim + 2))


def mmd(x, y):
    """By hand, each point with itself included."""
    square = (
        square_kernel(x, x).mean() + square_kernel(y, y).mean() - 2 * square_kernel(x, y).mean()
    )
    return np.sqrt(square)


@pytest.mark.parametrize("name", MANIFOLDS)
def test_a_step_is_the_one_of_its_formula(name, precision):
    """x - rate grad excess - h grad E_tau + sqrt(2h) xi, slopes by differences, then back.

    A drift twice as large, as an older code has it, is noticed.
    """
    make, embedding, by_hand, rows = MANIFOLDS[name]
    manifold = make()
    rules = KernelDual(manifold, Square(), RADIUS, 3.0, embedding=embedding, copies=2)
    rows = rows.astype(precision)
    state = rules.init(manifold.distribution, jnp.asarray(rows), key=jax.random.key(0))
    y = np.asarray(state.particles, float)
    noise = np.random.default_rng(2).normal(size=y.shape)
    with patch.object(jax.random, "normal", lambda key, shape, dtype: jnp.asarray(noise, dtype)):
        # A function of its own for each noise, which it remembers once compiled.
        step = eqx.filter_jit(lambda state, rows: rules.step(state, rows, key=jax.random.key(0)))
        after, metrics = step(state, jnp.asarray(rows))
    u, data = by_hand(y), by_hand(rows.astype(float))
    distance = mmd(u, data)
    assert float(metrics["distance"]) == float(metrics["loss"]) == pytest.approx(distance, rel=1e-3)
    h = 3.0 * distance / RADIUS

    def excess(x):
        return square_kernel(by_hand(x), u).mean(axis=1) - square_kernel(by_hand(x), data).mean(
            axis=1
        )

    pull = np.zeros(y.shape)
    for at in np.ndindex(y.shape[1:]):
        step = np.zeros(y.shape)
        step[(slice(None), *at)] = 1e-5
        pull[(slice(None), *at)] = (excess(y + step) - excess(y - step)) / 2e-5
    tau = y / 1.5**2 if name == "flat" else 0.0

    def moved(drift):
        x = y - drift * pull - h * tau + np.sqrt(2 * h) * noise
        axes = tuple(range(1, x.ndim))
        back = {"torus": lambda: x % 1, "flat": lambda: x}
        return back.get(name, lambda: x / np.sqrt(np.sum(x**2, axis=axes, keepdims=True)))()

    tolerance = 1e-7 if precision == "float64" else 5e-5
    np.testing.assert_allclose(after.particles, moved(3.0), atol=tolerance)
    assert np.max(np.abs(np.asarray(after.particles) - moved(6.0))) > 5 * tolerance


def test_the_energy_is_the_distribution_tilted_by_the_function_that_discriminates_best(precision):
    """f = radius excess / MMD: its mean over particles less rows is radius x MMD, the supremum."""
    make, _, by_hand, rows = MANIFOLDS["image"]
    manifold = make()
    rules = KernelDual(manifold, Square(), RADIUS, 1.0, copies=3)
    state = rules.init(manifold.distribution, jnp.asarray(rows, precision), key=jax.random.key(0))
    energy = eqx.filter_jit(rules.energy)(state)
    assert type(energy) is Tilt
    of_model, of_rows = (
        jax.jit(jax.vmap(energy.network))(part)
        for part in (state.particles, jnp.asarray(rows, precision))
    )
    distance = mmd(by_hand(np.asarray(state.particles, float)), by_hand(rows))
    found = float(jnp.mean(of_model) - jnp.mean(of_rows))
    assert found == pytest.approx(RADIUS * distance, rel=1e-4)
    assert found != pytest.approx(RADIUS * distance**2, rel=0.1)


@pytest.mark.parametrize("name", ["circle", "sphere"])
def test_the_witness_is_the_difference_of_mean_kernels(name):
    at = place(name)
    others = at.nodes[:7]
    parts = jnp.asarray(at.rows), jnp.asarray(others), jnp.asarray(2.5)
    witness = Witness(*parts, at.feature, flatten)
    found = jax.jit(jax.vmap(witness))(jnp.asarray(at.nodes))
    right = at.kernel(at.nodes, others).mean(axis=1) - at.kernel(at.nodes, at.rows).mean(axis=1)
    np.testing.assert_allclose(found, 2.5 * right, atol=1e-9)


def problem(name):
    """The circle with peaks; and the sphere with squares, whose kernel is cheap."""
    if name == "circle":
        return place("circle"), RADIUS, 40, 0.3
    nodes, log_shares = (np.asarray(part) for part in sphere_grid(8))
    rows = np.array([[0.8, 0.6, 0], [0.96, 0.28, 0], [0.6, 0.64, 0.48], [1.0, 0, 0]])
    at = Place(nodes, np.exp(log_shares), rows, unit(2, 3), Square(), square_kernel)
    return at, 9 * RADIUS, 100, 5.0


def moments(x):
    """Of each point, x and x x'."""
    outer = x[..., :, None] * x[..., None, :]
    return np.concatenate([x, outer.reshape(*x.shape[:-1], -1)], axis=-1)


@pytest.mark.parametrize(
    ("name", "precision"),
    [("circle", "float32"), ("sphere", "float64"), ("sphere", "float32")],
    indirect=["precision"],
)
def test_the_particles_come_to_the_optimal_distribution(name, precision, key):
    """Averages along each walk of how far it leans as the optimum does; margin 5% for step size.

    False alarm 1e-6; the uniform distribution, and the optimum of thrice the radius, are noticed.
    """
    at, radius, copies, rate = problem(name)
    manifold, rows = Sphere(at.rows.shape[1:]), jnp.asarray(at.rows, precision)
    rules = KernelDual(manifold, at.feature, radius, rate, copies=copies)
    run = train.start(rules, manifold.distribution, rows, key=key, batch_size=None)

    @eqx.filter_jit
    def walked(state, keys):
        def body(particles, key):
            now = eqx.tree_at(lambda state: state.particles, state, particles)
            after, metrics = rules.step(now, rows, key=key)
            return after.particles, (particles, metrics["distance"])

        return jax.lax.scan(body, state.particles, keys)[1]

    path, distance = walked(run.state, jax.random.split(key, 300))
    assert path.dtype == precision
    (_, nu), (_, other) = kernel_dual(at, radius), kernel_dual(at, 3 * radius)
    flat, right, wrong = (
        distribution @ moments(at.nodes) for distribution in (at.shares, nu, other)
    )
    towards = (right - flat) / np.linalg.norm(right - flat)
    leans = np.mean((moments(np.asarray(path[100:], float)) - flat) @ towards, axis=0)
    expected = np.linalg.norm(right - flat)
    assert agrees(leans, expected, 0.05 * expected)
    assert not agrees(leans, 0.0, 0.05 * expected)
    assert not agrees(leans, (wrong - flat) @ towards, 0.05 * expected)
    points = np.concatenate([at.nodes, at.rows])
    charge = np.append(nu, np.full(len(at.rows), -1 / len(at.rows)))
    best = np.sqrt(charge @ at.kernel(points, points) @ charge)
    itself = float(np.mean(np.diag(at.kernel(at.rows, at.rows)))) / len(run.state.particles)
    assert np.mean(distance[100:]) == pytest.approx(np.sqrt(best**2 + itself), rel=0.1)
