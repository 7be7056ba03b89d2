"""A Potts model of the RNA family RF00379 by a ladder, beside the published one.

    uv run python benchmarks/rna.py [--updates 600] [--uniform]

Sequences count by their weights (1 / how many are alike), in training and in the likelihood;
`--uniform` counts them alike. How many updates are made is chosen on a part of the training
sequences: whole groups of alike ones, a sixth of them. Then the model is trained on all. log Z and
its interval come from the ladder, whose weights then stand still; connected correlations from its
chains. Published: adabmDCA 2.1, log Z by thermodynamic integration.
"""

import argparse
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.sparse.csgraph import connected_components

import energax as ex

EVERY = 50
"""Updates between two looks at the sequences to choose by."""

PUBLISHED = {False: "-0.706", True: "-0.669"}


def split_groups(rows, share=1 / 6):
    """Which sequences to choose by: groups that are connected by alike pairs, smallest first."""
    flat = np.asarray(rows)
    same = sum(
        (flat == letter).astype(np.float32) @ (flat == letter).astype(np.float32).T
        for letter in range(5)
    )
    groups = connected_components(same / flat.shape[1] > 0.8)[1]
    order = np.random.default_rng(0).permutation(groups.max() + 1)
    chosen, count = [], 0
    for group in order:
        size = int((groups == group).sum())
        if count + size <= share * len(rows):
            chosen, count = [*chosen, group], count + size
    return np.isin(groups, chosen)


def start(rows, weights, options):
    """A ladder from independent sites, its state, and weighted rows."""
    space = ex.space.Categories((rows.shape[1],), 5)
    base = ex.energy.fit_sites(rows, space, pseudocount=0.5, weights=weights)
    sites = space.sites
    energy = ex.energy.Potts(jnp.zeros((sites, 5, sites, 5)), base.log_probabilities)
    learner = ex.learner.Ladder(
        base,
        ex.sampler.Gibbs(),
        optax.sgd(options.rate),
        chains=options.chains,
        max_rungs=options.rungs,
    )
    data = ex.data.Weighted(rows, weights)
    run = ex.train.start(learner, energy, data, key=jax.random.key(options.seed), batch_size=512)
    return learner, run, data


def train(rows, weights, updates, options, look=None):
    """The learner and its state after these updates; `look` sees every `EVERY`th."""
    learner, first, data = start(rows, weights, options)
    run = first
    for run, metrics in ex.train.fit(learner, first, data, batch_size=512, chunk_steps=EVERY):
        if look is not None and look(int(run.step), run.state, metrics):
            break
        if int(run.step) >= updates:
            break
    return learner, run.state


@eqx.filter_jit
def evaluate(energy, rows):
    """Energies of rows."""
    return jax.lax.map(energy, rows, batch_size=256)


def choose_updates(rows, weights, held, options):
    """The number of updates with the highest weighted likelihood on the sequences held out."""
    found = {}

    def look(step, state, metrics):
        energies = np.asarray(evaluate(state.energy, jnp.asarray(rows[held])), np.float64)
        mean = -(weights[held] @ energies) / weights[held].sum() - metrics["log_z"][-1]
        found[step] = mean / rows.shape[1]
        names = ("rungs", "swap_rate_min", "lag", "paused", "log_z_error")
        health = ", ".join(f"{name} {metrics[name][-1]:.2f}" for name in names)
        print(f"  {step} updates: {found[step]:.4f} nats a site held out; {health}", flush=True)
        return step - max(found, key=found.get) >= 4 * EVERY

    train(rows[~held], weights[~held], options.updates, options, look)
    return max(found, key=found.get)


@eqx.filter_jit
def draw(learner, state, rounds, key):
    """States of the top after every fourth exchange round, weights as they are."""
    still = ex.energy.weights(state.energy)[1]

    def make(rungs, index):
        for part in range(4):
            go = jax.random.fold_in(key, 4 * index + part)
            now = state.round + 4 * index + part + 1
            rungs, _ = learner.exchange(still, rungs, now, key=go)
        return rungs, rungs.walkers.x[0]

    return jax.lax.scan(make, state.rungs, jnp.arange(rounds, dtype=jnp.int32))[1]


def correlate(x, y, weights):
    """Pearson's correlation of connected correlations of all pairs of sites."""
    first, second = (
        np.cov(np.eye(5)[part].reshape(len(part), -1), rowvar=False, aweights=each)
        for part, each in ((x, np.ones(len(x))), (y, weights))
    )
    site = np.arange(len(first)) // 5
    upper = site[:, None] < site[None]
    return float(np.corrcoef(first[upper], second[upper])[0, 1])


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--chains", type=int, default=256)
    parser.add_argument("--rungs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--uniform", action="store_true")
    options = parser.parse_args()
    data, begin, cpu = ex.data.load("rna"), time.perf_counter(), time.process_time()
    both = data.row_weights, data.test_weights
    own, other = [np.ones(len(part)) for part in both] if options.uniform else both
    updates = choose_updates(data.train, own, split_groups(data.train), options)
    learner, state = train(data.train, own, updates, options)
    spent = time.perf_counter() - begin, time.process_time() - cpu
    log_z = ex.learner.measure_ladder(
        learner, state, key=jax.random.key(1), rounds=300, rows=jnp.asarray(data.test[:256])
    )
    energies = np.asarray(evaluate(state.energy, jnp.asarray(data.test)), np.float64)
    mean, error = ex.evaluate.weigh_mean(-energies, other)
    sites = data.train.shape[1]
    low, value, high = ((mean - z) / sites for z in (log_z.high, log_z.value, log_z.low))
    x = np.asarray(draw(learner, state, 40, jax.random.key(2))).reshape(-1, sites)
    print(f"{updates} updates, {spent[0]:.0f} s ({spent[1]:.0f} CPU s), rungs {state.rungs.count}")
    print(f"swaps {[round(rate, 2) for rate in log_z.acceptance]}, doubts {log_z.doubts}")
    print("| test log-likelihood a site | interval of log Z | error over rows | published |")
    print("| --- | --- | --- | --- |")
    print(f"| {value:.4f} | {low:.4f} to {high:.4f} | {error / sites:.4f} |", end=" ")
    print(f"{PUBLISHED[options.uniform]} |")
    scores = correlate(x, data.train, own), correlate(x, data.test, other)
    print(f"Pearson, train {scores[0]:.3f}, test {scores[1]:.3f}; published 0.952, 0.806")


if __name__ == "__main__":
    main()
