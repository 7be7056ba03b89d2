"""A restricted Boltzmann machine on binary digits: ours beside scikit-learn's, both exact.

    uv run python benchmarks/rbm.py [--seeds 3]

The protocol of both: digits above 7 as bits, 64 visible and 16 hidden units, batches of 50, 100
passes. The test log-likelihood is exact, log Z a sum over the 2^16 states of the hidden units. CPU
seconds are those of the process while it fits; ours include the compilation of its program.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.neural_network import BernoulliRBM

import energax as ex

PASSES, BATCH, HIDDEN = 100, 50, 16


def score(rbm, rows):
    """The exact mean log-likelihood of rows, nats."""
    energies = np.asarray(jax.jit(jax.vmap(rbm))(jnp.asarray(rows)), np.float64)
    return float(-energies.mean() - ex.evaluate.rbm_log_z(rbm).value)


def fit_sklearn(rows, seed):
    """Scikit-learn's machine, with its own usual learning rate, as one of ours."""
    found = BernoulliRBM(
        HIDDEN, learning_rate=0.1, batch_size=BATCH, n_iter=PASSES, random_state=seed
    ).fit(rows.train.reshape(len(rows.train), -1).astype(float))
    visible = found.intercept_visible_.reshape(rows.shape)
    return ex.energy.BernoulliRBM(
        *(jnp.asarray(part) for part in (found.components_.T, visible, found.intercept_hidden_))
    )


def fit_energax(rows, seed, **options):
    """Ours, by persistent contrastive divergence; the rate was chosen on 300 training rows."""
    steps = PASSES * len(rows.train) // BATCH
    usual = {"batch_size": BATCH, "steps": steps, "chunk_steps": steps, "buffer_size": BATCH}
    usual |= {"validation": 0.0, "learning_rate": 0.02, "ema_decay": 0.99}
    options = usual | options
    model = ex.fit(rows, method="pcd", network="rbm", width=HIDDEN, seed=seed, **options)
    return model.energy


def measure(fit, rows, seed):
    """Test log-likelihood, and CPU seconds of the fit."""
    start = time.process_time()
    rbm = fit(rows, seed)
    jax.block_until_ready(rbm.weights)
    seconds = time.process_time() - start
    return score(rbm, rows.test), seconds


def main():
    """Print the table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    rows, seeds = ex.data.load("digits-binary"), parser.parse_args().seeds
    print("| machine | test log-likelihood, nats (seeds) | CPU s |\n| --- | --- | --- |")
    for name, fit in (("scikit-learn", fit_sklearn), ("energax pcd", fit_energax)):
        found = np.array([measure(fit, rows, seed) for seed in range(seeds)])
        values = ", ".join(f"{value:.2f}" for value in found[:, 0])
        seconds = ", ".join(f"{value:.1f}" for value in found[:, 1])
        print(f"| {name} | {found[:, 0].mean():.2f} ({values}) | {seconds} |", flush=True)


if __name__ == "__main__":
    main()
