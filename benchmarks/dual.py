"""Dual training in 15 dimensions beside the same update in NumPy, and how its cost grows.

    taskset -c 0,1 uv run python benchmarks/dual.py

Both sides do full-batch gradient descent-ascent as published: 10,000 rows, 20,000 particles in
antithetic pairs, 64 neurons, particle step 0.02, neuron steps 0.2, mean weight at most 10, no
restarts. Both start from the same neurons; the noise is each side's own. Times are wall seconds of
1,000 iterations, compilation apart; `--iterations` changes their number.
"""

import argparse
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np

import energax as ex
from energax.reproduce.dual.targets import target

PARTICLE_STEP, NEURON_STEP, RADIUS = 0.02, 0.2, 10.0
ROWS, NEURONS = 10_000, 64


def rows_of(count, test):
    """Rows of the published target in 15 dimensions, and its distribution."""
    distribution = target("old")
    return distribution, ex.data.two_neurons(distribution, train=count, test=test, seed=0)


def transcribed(x, z, w, iterations, dtype, *, seed=0):
    """The update in NumPy, all signs -1: directions and weights after `iterations`."""
    rng = np.random.default_rng(seed)
    x, z, w = (part.astype(dtype) for part in (x, z, w))
    h, step, count = dtype(PARTICLE_STEP), dtype(NEURON_STEP), len(w)
    scale = np.sqrt(2 * h)
    y = np.concatenate([x, x])
    for _ in range(iterations):
        slope = -((y @ z.T > 0) * w) @ z / dtype(count)
        noise = rng.standard_normal(x.shape, dtype=dtype)
        y = y - h * slope + scale * np.concatenate([noise, -noise])
        y /= np.linalg.norm(y, axis=1, keepdims=True)
        on_x, on_y = x @ z.T, y @ z.T
        turn = -((on_x > 0).astype(dtype).T @ x / len(x) - (on_y > 0).astype(dtype).T @ y / len(y))
        lift = np.maximum(on_x, 0).mean(axis=0) - np.maximum(on_y, 0).mean(axis=0)
        turn -= np.sum(turn * z, axis=1, keepdims=True) * z
        z = z - step * turn
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        w = w * np.exp(step * lift)
        w = w * min(1.0, RADIUS / w.mean())
    return z, w


def ours(shape, neurons, data):
    """Learner and run of energax, at its start."""
    manifold = ex.energy.Sphere(shape)
    network = ex.network.make_shallow(shape, neurons, negative=1.0, key=jax.random.key(0))
    walk = ex.sampler.OnManifold(manifold, PARTICLE_STEP)
    ball = ex.learner.VariationBall(RADIUS)
    learner = ex.learner.DualTraining(walk, ex.learner.Neurons(NEURON_STEP, NEURON_STEP, ball))
    players = ex.energy.Tilt(manifold.distribution, network)
    run = ex.train.start(learner, players, data, key=jax.random.key(1), batch_size=None)
    return learner, run


def timed(shape, neurons, data, iterations):
    """Seconds of the first chunk, compilation and all, of the second; energy after the first."""
    learner, run = ours(shape, neurons, data)
    chunks = ex.train.fit(learner, run, data, batch_size=None, chunk_steps=iterations)
    seconds, energy = [], None
    for _ in range(2):
        began = time.perf_counter()
        run, _ = next(chunks)
        seconds.append(time.perf_counter() - began)
        if energy is None:
            energy = jax.tree.map(jnp.copy, learner.energy(run.state))
    return seconds, energy


def kl(distribution, weights, directions, test):
    """KL from the teacher to a model with these neurons."""
    network = ex.network.Shallow(
        jnp.asarray(directions, jnp.float32),
        jnp.asarray(weights, jnp.float32),
        jnp.full(len(weights), -1),
        ex.network.Relu(),
        ex.network.flatten,
    )
    return float(ex.evaluate.kl_by_draws(distribution, network, jnp.asarray(test)).value)


def race(iterations):
    """Both sides on the published setting, in turn."""
    distribution, rows = rows_of(ROWS, 20_000)
    _, start = ours((15,), NEURONS, rows.train)
    network = start.state.energy.network
    z, w = np.asarray(network.directions), np.asarray(network.weights)
    before = peak()
    (first, second), after = timed((15,), NEURONS, rows.train, iterations)
    after = after.network
    print(f"energax: {second:.2f} s for {iterations} iterations, {first - second:.2f} s to compile")
    print(f"  KL {kl(distribution, after.weights, after.directions, rows.test):.4f}")
    print(f"  peak memory {peak():.0f} MiB, of which {before:.0f} before it was compiled")
    for dtype in (np.float64, np.float32):
        began = time.perf_counter()
        at, weights = transcribed(rows.train, z, w, iterations, dtype)
        spent = time.perf_counter() - began
        print(f"NumPy {dtype.__name__}: {spent:.2f} s, {spent / second:.1f} times energax")
        print(f"  KL {kl(distribution, weights, at, rows.test):.4f}")


def peak():
    """Largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def growth(iterations):
    """Milliseconds of an iteration as particles, neurons and dimension double twice."""
    rng = np.random.default_rng(0)
    print("axis | rows | neurons | dimension | ms an iteration")
    for axis in ("rows", "neurons", "dimension"):
        for factor in (1, 2, 4):
            sizes = {"rows": 10_000, "neurons": 64, "dimension": 16}
            sizes[axis] *= factor
            data = rng.standard_normal((sizes["rows"], sizes["dimension"])).astype(np.float32)
            data /= np.linalg.norm(data, axis=1, keepdims=True)
            (_, second), _ = timed((sizes["dimension"],), sizes["neurons"], data, iterations)
            print(axis, *sizes.values(), f"{1e3 * second / iterations:.2f}", sep=" | ")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=1000)
    arguments = parser.parse_args()
    race(arguments.iterations)
    growth(max(1, arguments.iterations // 10))


if __name__ == "__main__":
    main()
