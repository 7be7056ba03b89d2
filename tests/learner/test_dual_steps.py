"""One step of dual training by hand, what holds after any number of them, and going on again."""

import math
from unittest.mock import patch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from spheres import unit

from energax import train
from energax.energy import Flat, Gaussian, Sphere, Tilt
from energax.evaluate import sphere_grid
from energax.learner.dual import (
    DualTraining,
    KernelBall,
    KernelDual,
    Neurons,
    PrimalTraining,
    VariationBall,
)
from energax.network import Relu, Square, add_bias, flatten, make_shallow
from energax.sampler import OnManifold
from energax.train import Checkpoints

SHAPES = [(3,), (1, 2, 2)]
both = pytest.mark.parametrize(
    ("shape", "precision"), [(SHAPES[0], "float64"), (SHAPES[1], "float32")], indirect=["precision"]
)
H = 0.05


def rows_of(shape, count=10, dtype=float):
    return jnp.asarray(unit(count, math.prod(shape), seed=2).reshape(count, *shape), dtype)


def players(shape, **settings):
    network = make_shallow(shape, 6, key=jax.random.key(3), weight=1.5, **settings)
    return Tilt(Sphere(shape).distribution, network)


def dual(shape, neurons, **settings):
    return DualTraining(OnManifold(Sphere(shape), H), neurons, **settings)


def as_arrays(network):
    parts = network.directions, network.weights, network.signs
    return (np.asarray(part, float) for part in parts)


def by_hand(network, rows, particles, noise, ball, sign=1.0):
    """Particles, directions, weights after a step of direction 0.3 and weight 0.7, by NumPy.

    As in the released code: the slope is not projected, m and w do not enter the directions.
    """
    (z, w, c), x, y = (
        as_arrays(network),
        rows.reshape(len(rows), -1),
        particles.reshape(len(particles), -1),
    )
    slope = ((y @ z.T > 0) * (w * c)) @ z / len(w)
    y = y - H * slope + np.sqrt(2 * H) * noise.reshape(y.shape)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    on, t, s = (y @ z.T > 0).astype(float), x @ z.T, y @ z.T
    pull = sign * c[:, None] * (on.T @ y / len(y) - (t > 0).astype(float).T @ x / len(x))
    pull = pull - np.sum(pull * z, axis=1, keepdims=True) * z
    gap = np.maximum(s, 0).mean(axis=0) - np.maximum(t, 0).mean(axis=0)
    after = z + 0.3 * pull
    after /= np.linalg.norm(after, axis=1, keepdims=True)
    if ball == "variation":
        weights = w * np.exp(sign * 0.7 * c * gap)
        return y, after, weights * min(1, 1.4 / weights.mean()), gap
    weights = w + sign * 0.7 * c * gap
    return y, z, weights * min(1, 1.4 / np.sqrt(np.mean(weights**2))), gap


@both
@pytest.mark.parametrize("ball", ["variation", "kernel"])
def test_a_step_is_the_one_of_its_formulas(ball, shape, precision):
    """Particles first, then both layers, from the same particles; a wrong sign is noticed."""
    made = {"variation": VariationBall, "kernel": KernelBall}[ball](1.4)
    neurons = Neurons(0.3 if ball == "variation" else 0.0, 0.7, made)
    rules, energy, rows = dual(shape, neurons), players(shape), rows_of(shape, dtype=precision)
    state = rules.init(energy, rows, key=jax.random.key(0))
    half = np.random.default_rng(4).normal(size=rows.shape)
    with patch.object(jax.random, "normal", lambda key, size, dtype: jnp.asarray(half, dtype)):
        # A function of its own for each noise, which it remembers once compiled.
        once = eqx.filter_jit(lambda state: rules.step(state, rows, key=jax.random.key(1)))
        after, metrics = once(state)
    x, noise = np.asarray(rows, float), np.concatenate([half, -half])
    start = np.concatenate([x, x])
    tolerance = {"float64": 1e-10, "float32": 2e-5}[precision]
    for sign, right in ((1.0, True), (-1.0, False)):
        y, z, w, gap = by_hand(energy.network, x, start, noise, ball, sign)
        found = after.energy.network
        np.testing.assert_allclose(np.asarray(after.particles).reshape(y.shape), y, atol=tolerance)
        assert np.allclose(found.weights, w, atol=tolerance) == right
        assert np.allclose(found.directions, z, atol=tolerance) == (right or ball == "kernel")
    _, weights, signs = as_arrays(energy.network)
    expected = {
        "loss": -np.mean(weights * signs * gap),
        "variation": 1.5,
        "distance": np.max(np.abs(gap)) if ball == "variation" else np.sqrt(np.mean(gap**2)),
    }
    for name, value in expected.items():
        assert float(metrics[name]) == pytest.approx(value, abs=tolerance)
    assert int(after.updates) == 1
    assert np.array_equal(found.signs, energy.network.signs)


@pytest.mark.parametrize("made", [VariationBall, KernelBall])
def test_weights_inside_the_ball_stay_as_they_are(made):
    """And those outside are scaled to its surface."""
    network, still = players((2,)).network, jnp.zeros(())
    gap = jnp.zeros_like(network.weights)
    inside, outside = (made(radius).move_weights(network, gap, still) for radius in (50.0, 0.1))
    assert np.array_equal(inside, network.weights)
    scaled = eqx.tree_at(lambda n: n.weights, network, outside)
    assert float(made(0.1).norm(scaled)) == pytest.approx(0.1, rel=1e-5)


@both
@pytest.mark.parametrize("radius", [2.0, float("inf")])
def test_what_holds_after_every_step(shape, radius, precision, key):
    """A24: weights above 0 and in the ball, directions and particles on spheres; all finite.

    Without a radius the same weights leave the ball that the cap keeps them in.
    """
    rules = dual(shape, Neurons(0.5, 2.0, VariationBall(radius)), restart=0.2, every=7)
    rows = rows_of(shape, 20, precision)
    started = train.start(rules, players(shape), rows, key=key, batch_size=None)
    means = []
    for run, metrics in train.fit(rules, started, rows, batch_size=None, chunk_steps=10):
        network, particles = run.state.energy.network, run.state.particles
        assert network.weights.dtype == particles.dtype == precision
        assert bool(jnp.all(network.weights > 0))
        means.append(float(jnp.mean(network.weights)))
        assert means[-1] <= radius * (1 + 1e-6)
        np.testing.assert_allclose(np.linalg.norm(network.directions, axis=1), 1, rtol=1e-6)
        Sphere(shape).check("particles", np.asarray(particles))
        assert all(np.all(np.isfinite(values)) for values in metrics.values())
        if int(run.step) == 60:
            break
    assert (max(means) > 2.01) == math.isinf(radius)


@pytest.mark.parametrize(
    ("antithetic", "precision"), [(True, "float32"), (False, "float64")], indirect=["precision"]
)
def test_after_a_restart_antithetic_halves_have_noise_that_sums_to_zero(antithetic, precision, key):
    """In flat space the two halves' mean is the step without noise; plain noise leaves it."""
    distribution = Gaussian(jnp.zeros((1, 2, 2)), 0.8)
    network = make_shallow((1, 2, 2), 5, Square(), add_bias, key=key)
    neurons = Neurons(0.0, 0.0, VariationBall())
    rules = DualTraining(
        OnManifold(Flat(distribution), H), neurons, restart=1.0, copies=4, antithetic=antithetic
    )
    rows = 2 * rows_of((1, 2, 2), 6, precision)
    state = rules.init(Tilt(distribution, network), rows, key=key)
    once = eqx.filter_jit(lambda state, key: rules.step(state, rows, key=key)[0])
    for step in range(2):
        state = once(state, jax.random.fold_in(key, step))
    halves = np.asarray(state.particles).reshape(2, 12, 1, 2, 2)
    still = rows - H * jax.jit(jax.vmap(jax.grad(Tilt(distribution, network))))(rows)
    still = np.concatenate([np.asarray(still)] * 2)
    exact = np.allclose(halves.mean(axis=0), still, atol=1e-5)
    assert exact == antithetic
    assert not np.allclose(halves[0], halves[1], atol=0.05)
    assert not np.allclose(halves[0][:6], halves[0][6:], atol=0.05), (
        "copies have noise of their own"
    )


def same(one, other):
    return all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


LEARNERS = {
    "dual": lambda rows: (
        dual((3,), Neurons(0.2, 0.3, VariationBall(4.0)), restart=0.1, every=5),
        players((3,)),
    ),
    "primal": lambda rows: (
        PrimalTraining(Sphere((3,)), Neurons(0.2, 0.3, VariationBall(4.0)), *sphere_grid(6)),
        players((3,)),
    ),
    "kernel": lambda rows: (
        KernelDual(Sphere((3,)), Relu(), 2.0, 0.5, embedding=flatten, copies=2),
        Sphere((3,)).distribution,
    ),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_that_goes_on_is_the_run_that_never_stopped(name, key, tmp_path):
    """All rows at each update; bit for bit, by way of a checkpoint. A lost particle is seen."""
    rows = rows_of((3,))
    rules, made = LEARNERS[name](rows)

    def start_run(key):
        return train.start(rules, made, rows, key=key, batch_size=None)

    def on(run, chunks):
        steps = train.fit(rules, run, rows, batch_size=None, chunk_steps=4)
        return [next(steps) for _ in range(chunks)][-1][0]

    def bits(run):
        leaves = jax.tree.leaves(eqx.filter(run.state, eqx.is_array))
        return [np.asarray(leaf) for leaf in leaves]

    whole = bits(on(start_run(key), 4))
    half = on(start_run(key), 2)
    Checkpoints(tmp_path).save(half)
    again = Checkpoints(tmp_path).restore(start_run(jax.random.key(9)))
    assert int(again.step) == 8
    assert same(whole, bits(on(again, 2)))
    if name != "primal":
        moved = Checkpoints(tmp_path).restore(start_run(jax.random.key(9)))
        first = moved.state.particles[::-1]
        moved = eqx.tree_at(lambda run: run.state.particles, moved, first)
        assert not same(whole, bits(on(moved, 2)))


def test_a_run_sees_all_rows_in_their_order_where_no_batch_size_is_given(key):
    """So that particles restart at their own rows: with `restart` 1 and no noise they are rows."""
    rules = DualTraining(OnManifold(Sphere((3,)), 1e-12), Neurons(0.0, 0.0, VariationBall()), 1.0)
    rows = rows_of((3,))
    for size, same in ((None, True), (10, False)):
        run = train.start(rules, players((3,)), rows, key=key, batch_size=size)
        run, _ = next(train.fit(rules, run, rows, batch_size=size, chunk_steps=3))
        copies = np.asarray(run.state.particles).reshape(2, 10, 3)
        assert np.allclose(copies, np.stack([rows] * 2), atol=1e-4) == same


def test_neurons_slow_down_along_a_cosine_to_rest(key):
    """Directions and weights move by (1 + cos(pi k / horizon)) / 2 of their steps."""
    shape, horizon = (3,), 4
    neurons = Neurons(0.3, 0.7, VariationBall())
    rows, start = rows_of(shape), players(shape)
    moves = {}
    for name, settings in {"slow": {"horizon": horizon}, "fixed": {}}.items():
        learner = dual(shape, neurons, **settings)
        step = eqx.filter_jit(lambda state, learner=learner: learner.step(state, rows, key=key))
        moves[name] = []
        for done in (0, 1, 3, 4, 9):
            state = learner.init(start, rows, key=jax.random.key(0))
            state = eqx.tree_at(lambda s: s.updates, state, jnp.asarray(done, jnp.int32))
            after, _ = step(state)
            change = jnp.log(after.energy.network.weights / start.network.weights)
            moves[name].append((np.asarray(change), np.asarray(after.particles)))
    pace = (1 + np.cos(np.pi * np.minimum(np.array([0, 1, 3, 4, 9]) / horizon, 1))) / 2
    for (slow, near), (fixed, far), share in zip(*moves.values(), pace, strict=True):
        assert np.allclose(slow, share * fixed, atol=1e-12)
        assert np.allclose(near, far, atol=0)
    assert np.ptp(pace) == 1, "from all to nothing: a pace that does not fall would be seen"


def test_the_average_is_that_of_directions_and_weights():
    shape, decay = (3,), 0.5
    neurons = Neurons(0.3, 0.7, VariationBall())
    learner = dual(shape, neurons, ema_decay=decay)
    rows = rows_of(shape)
    state = learner.init(players(shape), rows, key=jax.random.key(0))
    expected, step = np.asarray(state.energy.network.directions), eqx.filter_jit(learner.step)
    for update in range(12):
        state, _ = step(state, rows, key=jax.random.key(update))
        now = min(decay, (1 + update) / (10 + update))
        last = np.asarray(state.energy.network.directions)
        expected = now * expected + (1 - now) * last
    kept = np.asarray(learner.energy(state).network.directions)
    assert np.allclose(kept, expected, atol=1e-12)
    assert not np.allclose(kept, last, atol=1e-4), "it is not the last one"
