"""What restarts do to dual training: score matching, and exact variances of a Gaussian's particles.

The noise of a step is replaced by the nodes of a quadrature rule where an order is measured.
"""

import math
from unittest.mock import patch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from spheres import normal_nodes, unit

from energax.energy import Flat, Gaussian, Sphere, Tilt
from energax.learner.dual import DualTraining, Neurons, VariationBall
from energax.network import Shallow, Square, add_bias, flatten
from energax.sampler import OnManifold

PLACES = {"vector": ((3,), 8), "image": ((1, 1, 5), 4)}
"""Shape of an example, and nodes of the noise along each axis."""


STEP = 10.0
"""Of the neurons: tangent moves and log weights are exact at any, and rounded less if long."""


def players(dim, shape):
    """Five neurons of both signs on the sphere."""
    z, w = unit(5, dim, seed=1), np.linspace(0.5, 3.0, 5)
    network = Shallow(
        jnp.asarray(z), jnp.asarray(w, float), jnp.array([1, -1, 1, 1, -1]), Square(), flatten
    )
    return Tilt(Sphere(shape).distribution, network)


def moves(shape, count, h, rows):
    """Mean over the noise of tangent moves of directions and of log weights, over their steps."""
    neurons = Neurons(STEP, STEP, VariationBall())
    rules = DualTraining(
        OnManifold(Sphere(shape), h), neurons, restart=1.0, copies=1, antithetic=False
    )
    energy = players(math.prod(shape), shape)
    state = rules.init(energy, rows, key=jax.random.key(0))

    def at(node):
        def nodes(key, size, dtype=float):
            return jnp.tile(node.astype(dtype), math.prod(size) // node.size).reshape(size)

        with patch.object(jax.random, "normal", nodes):
            after, _ = rules.step(state, rows, key=jax.random.key(1))
        return after.energy.network

    nodes, shares = normal_nodes(math.prod(shape), count)
    after = jax.jit(jax.vmap(at))(jnp.asarray(nodes))
    before, after = energy.network, jax.tree.map(lambda part: np.asarray(part, float), after)
    z, found = np.asarray(before.directions, float), after.directions
    # z' is parallel to z + step x tangent move, whose part along z is 1.
    tangent = found / np.sum(found * z, axis=2, keepdims=True) - z
    log_weights = np.log(after.weights / np.asarray(before.weights, float))
    return [np.tensordot(shares, part, 1) / STEP for part in (tangent, log_weights)]


def score_matching(shape, rows, laplacian="sphere"):
    """- m / w_j times the tangent slope in z_j of J, and - m times that in w_j.

    J = mean of |P grad f|^2 / 2 - Lap f, with Lap t^2 / 2 = 1 - D t^2 on the sphere.
    """
    network = players(math.prod(shape), shape).network
    x, dim = rows.reshape(len(rows), -1), math.prod(shape)
    signs, count = network.signs.astype(x.dtype), len(network.weights)

    def objective(z, w):
        t = x @ z.T
        slope = (w * signs)[None] * t @ z / count
        slope = slope - jnp.sum(slope * x, axis=1, keepdims=True) * x
        bend = {"sphere": 1 - dim * t**2, "flat": jnp.ones_like(t), "minus": dim * t**2 - 1}
        lap = bend[laplacian] @ (w * signs) / count
        return jnp.mean(jnp.sum(slope**2, axis=1) / 2 - lap)

    z, w = network.directions, network.weights
    of_z, of_w = (np.asarray(part, float) for part in jax.jit(jax.grad(objective, (0, 1)))(z, w))
    z, w = np.asarray(z, float), np.asarray(w, float)
    of_z = of_z - np.sum(of_z * z, axis=1, keepdims=True) * z
    return [-count * of_z / w[:, None], -count * of_w]


def flat(parts):
    return np.concatenate([part.ravel() for part in parts])


@pytest.mark.parametrize("place", PLACES)
def test_restarting_at_every_step_is_score_matching_with_an_error_of_order_one(place, precision):
    """Halving the step size halves the distance within 5%; other Laplacians are far off."""
    shape, count = PLACES[place]
    rows = jnp.asarray(unit(6, math.prod(shape), seed=2).reshape(-1, *shape), precision)
    right = flat(score_matching(shape, rows))
    gaps = []
    for h in (0.004, 0.002, 0.001):
        found = flat(moves(shape, count, h, rows)) / h
        gaps.append(np.linalg.norm(found - right) / np.linalg.norm(right))
    assert gaps[-1] < 0.05
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.05)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.05)
    for wrong in ("flat", "minus"):
        other = flat(score_matching(shape, rows, wrong))
        assert np.linalg.norm(found - other) > 0.2 * np.linalg.norm(right)


A, K, H = 1.7, 1.25, 0.1
"""Mean square of the rows, precision of the model, step size."""


def gaussian_players():
    """E = x^2 / 2 + w x^2 / 4, so that K = 1 + w / 2: by a neuron along the axis."""
    distribution = Gaussian(jnp.zeros(1))
    weights = jnp.full(1, 2 * (K - 1))
    z = jnp.array([[1.0, 0.0]])
    return Tilt(distribution, Shallow(z, weights, jnp.array([1]), Square(), add_bias))


def particles_after(updates, count, key, **settings):
    """Particles whose neurons stand still, with their rows of square A."""
    energy = gaussian_players()
    distribution = energy.distribution
    neurons = Neurons(0.0, 0.0, VariationBall())
    rules = DualTraining(OnManifold(Flat(distribution), H), neurons, **settings)
    rows = math.sqrt(A) * jnp.asarray([[-1.0], [1.0]] * (count // 2))
    state = rules.init(energy, rows, key=key)

    @eqx.filter_jit
    def walked(state):
        def body(state, key):
            moving, still = eqx.partition(state, eqx.is_array)
            return rules.step(eqx.combine(moving, still), rows, key=key)[0], state.particles

        return jax.lax.scan(body, state, jax.random.split(key, updates))

    end, path = walked(state)
    assert np.array_equal(end.energy.network.directions, energy.network.directions)
    return np.asarray(rows, float), np.asarray(end.particles, float), np.asarray(path, float)


R = (1 - H * K) ** 2


@pytest.mark.parametrize("p", [0.1, 0.3, 1.0])
def test_the_variance_with_random_restarts_is_exact(p, precision, key):
    """V = (r p a + 2h) / (1 - r (1 - p)), false alarm 1e-6; a restart after the move is not it."""
    _, x, _ = particles_after(60, 30_000, key, restart=p, copies=1, antithetic=False)
    right = (R * p * A + 2 * H) / (1 - R * (1 - p))
    assert agrees(x**2, right, 1e-4)
    assert not agrees(x**2, p * A + (1 - p) * right)
    assert p == 1 or not agrees(x**2, R * A + 2 * H)


def test_antithetic_pairs_have_that_variance_too(key):
    """Pairs are independent of each other, their two halves are not."""
    rows, x, _ = particles_after(60, 20_000, key, restart=0.3, copies=2)
    right = (R * 0.3 * A + 2 * H) / (1 - R * 0.7)
    both = x.reshape(2, -1)
    assert agrees(np.mean(both**2, axis=0), right, 1e-4)
    # x = decay row + walk, x' = decay row - walk: the sum knows no noise, and ages are equal.
    ages = np.log(np.sum(both, axis=0) / 2 / rows[:, 0]) / math.log(1 - H * K)
    np.testing.assert_allclose(ages, np.round(ages), atol=1e-6)
    assert agrees(ages, 1 / 0.3)
    assert not agrees(ages, 1 / 0.3 - 1)


@pytest.mark.parametrize("every", [1, 4])
def test_periodic_restarts_have_ages_from_one_to_the_period(every, precision, key):
    """Mean age (N + 1) / 2, and the variance of each age r^j a + 2h (1 - r^j) / (1 - r)."""
    rows, end, path = particles_after(3 * every, 10_000, key, every=every)
    path = np.concatenate([path[every:], end[None]])[:, :, 0].reshape(2 * every + 1, 2, -1)
    ages = np.log(path.sum(axis=1) / 2 / rows[:, 0]) / math.log(1 - H * K)
    steps = np.arange(every, 3 * every + 1)
    expected = steps % every + 1
    np.testing.assert_allclose(ages, np.broadcast_to(expected[:, None], ages.shape), atol=1e-3)
    assert np.mean(expected[:-1]) == (every + 1) / 2
    for age, x in zip(expected, path, strict=True):
        right = R**age * A + 2 * H * (1 - R**age) / (1 - R)
        assert agrees(np.mean(x**2, axis=0), right)
        late = R ** (age - 1) * A + 2 * H * (1 - R ** (age - 1)) / (1 - R)
        assert not agrees(np.mean(x**2, axis=0), late)
