"""An RBM of 500 units on binarised MNIST, by persistent chains and by a ladder, certified.

    ENERGAX_DATA=... uv run python benchmarks/mnist_rbm.py [--method pcd] [--minutes 25]

The static draw of `mnist-binary`: 50,000 rows to train on, 10,000 to choose by, 10,000 to test on.
Updates are timed first, and as many are made as fit into `--minutes` of CPU time; the learning rate
falls to 0 along a cosine. log Z lies between annealing from below and from above.
"""

import argparse
import time
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import energax as ex

TIMED = 400
"""Updates of the timing."""

USUAL = {
    "network": "rbm",
    "width": 500,
    "base": "sites",
    "batch_size": 128,
    "chain_steps": 1,
    "validation": 0.0,
    "chunk_steps": 100,
    "checkpoint_every": 1000,
}
METHODS = {
    "pcd": {"buffer_size": 128, "reinit_probability": 0.0},
    "ladder": {"ladder_chains": 128, "max_rungs": 24},
}


def fit(rows, asked, steps, seed):
    """The trained model and CPU seconds."""
    start = time.process_time()
    options = USUAL | METHODS[asked.method] | {"learning_rate": asked.rate, "steps": steps}
    model = ex.fit(rows, method=asked.method, seed=seed, **options)
    jax.block_until_ready(model.energy.weights)
    return model, time.process_time() - start


@eqx.filter_jit
def evaluate(energy, rows):
    """Energies of rows."""
    return jax.lax.map(energy, rows, batch_size=2048)


def main():
    """Print validation and test log-likelihood with both ends."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", choices=METHODS, default="pcd")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--particles", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rows = ex.data.load("mnist-binary")
    fit(rows, asked, TIMED, asked.seed)
    seconds = fit(rows, asked, TIMED, asked.seed)[1]
    steps = max(TIMED, int(60 * asked.minutes * TIMED / seconds) // 100 * 100)
    print(f"{1e3 * seconds / TIMED:.1f} ms an update; {steps} updates", flush=True)
    model, seconds = fit(rows, asked, steps, asked.seed)
    print(f"trained in {seconds:.0f} s", flush=True)
    start = time.process_time()
    found = ex.evaluate.annealed_log_z(
        model.energy,
        model.base,
        jnp.asarray(rows.train[:1000]),
        particles=asked.particles,
        key=jax.random.key(1),
    )
    print(f"log Z in {time.process_time() - start:.0f} s: {found.certified}, {found.why}")
    print("| part | low | high | error over rows |\n| --- | --- | --- | --- |")
    for name in ("valid", "test"):
        energies = np.asarray(evaluate(model.energy, jnp.asarray(getattr(rows, name))), np.float64)
        mean, error = -energies.mean(), energies.std() / len(energies) ** 0.5
        print(f"| {name} | {mean - found.upper:.2f} | {mean - found.lower:.2f} | {error:.2f} |")


if __name__ == "__main__":
    main()
