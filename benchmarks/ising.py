"""Ising models: how fast chains are and what they measure, and couplings from samples.

    uv run python benchmarks/ising.py [--peer PYTHON]   # 32 x 32, J = 0.4, 64 chains
    uv run python benchmarks/ising.py --inverse         # 10 x 10 and a spin glass, 2,000 samples

`--peer` is the interpreter of an environment with thrml (see `side_thrml.py`): both are timed in
the same run, in turn, in CPU seconds; run them on one thread. Energies are those of Kaufman's
formula for the finite torus. In the inverse problem each sample is the end of a Gibbs chain of its
own, after 1,000 sweeps; errors are those of J, over the edges and over all other pairs, and of the
matrix of zeros.
"""

import argparse
import subprocess
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import energax as ex

SIDE, COUPLING, CHAINS = 32, 0.4, 64
METHODS = {
    "pseudo-likelihood": {},
    "ratio-matching": {},
    "flow": {},
    "pcd": {"chain_steps": 2, "buffer_size": 1024, "reinit_probability": 0.0},
    "ladder": {"ladder_chains": 128, "max_rungs": 8},
}
USUAL = {
    "network": "pairs",
    "base": "sites",
    "steps": 1500,
    "batch_size": 500,
    "learning_rate": 0.02,
    "validation": 0.0,
    "chunk_steps": 500,
}


def run_ours(sweeps):
    """Sweeps per second of all chains, and the mean energy and |magnetisation| per site."""
    edges = ex.energy.lattice_edges((SIDE, SIDE))
    energy = ex.energy.Ising(COUPLING, jnp.zeros((SIDE, SIDE)), edges)
    walk = ex.sampler.Gibbs(colours=ex.energy.colour_sites(edges, SIDE * SIDE))
    x = jax.random.bernoulli(jax.random.key(0), 0.5, (CHAINS, SIDE, SIDE)).astype(jnp.uint8)

    @jax.jit
    def go(x, key):
        state, _ = ex.sampler.chains(walk, energy, x, sweeps, key=key, keep=ex.sampler.nothing)
        return state.x

    x = jax.block_until_ready(go(x, jax.random.key(1)))
    start = time.process_time()
    x = jax.block_until_ready(go(x, jax.random.key(2)))
    return sweeps / (time.process_time() - start), energy, walk, x


def average(energy, walk, x, samples):
    """Energy and |magnetisation| a site over `samples` states ten sweeps apart, with errors."""

    def keep(state, info):
        spins = 2 * state.x.astype(jnp.float32) - 1
        return info.energy / COUPLING / SIDE**2, abs(jnp.mean(spins))

    _, found = ex.sampler.chains(
        walk, energy, x, 10 * samples, key=jax.random.key(3), keep=keep, thin=10
    )
    by_chain = [np.asarray(part, np.float64).mean(axis=1) for part in found]
    return [(part.mean(), part.std(ddof=1) / CHAINS**0.5) for part in by_chain]


def time_chains(asked):
    """Print speeds in turn, and what the chains measure."""
    rounds = [], []
    for _ in range(asked.rounds):
        speed, energy, walk, x = run_ours(asked.sweeps)
        rounds[0].append(speed)
        if asked.peer:
            side = Path(__file__).parent / "side_thrml.py"
            words = [asked.peer, side, SIDE, CHAINS, asked.sweeps, COUPLING]
            said = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
            rounds[1].append(float(said.stdout.split()[0]))
    print("| library | sweeps of 64 chains in a CPU second (median) |\n| --- | --- |")
    for name, speeds in zip(("energax", "thrml"), rounds, strict=True):
        if speeds:
            print(f"| {name} | {np.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f}) |")
    measured = average(energy, walk, x, asked.sweeps // 10)
    exact = ex.evaluate.torus_energy(COUPLING, SIDE, SIDE)
    (value, error), (size, spread) = measured
    print(f"energy a site {value:.5f} ± {error:.5f}, exact {exact:.6f}")
    print(f"|magnetisation| a site {size:.4f} ± {spread:.4f}")


def make_lattice():
    """A 10 x 10 torus of equal couplings."""
    edges = ex.energy.lattice_edges((10, 10))
    return ex.energy.Ising(0.3, jnp.zeros((10, 10)), edges)


def make_glass():
    """A 10 x 10 torus with couplings of both signs and a small field."""
    rng, edges = np.random.default_rng(5), ex.energy.lattice_edges((10, 10))
    couplings = rng.normal(size=len(edges)) * 0.5
    return ex.energy.Ising(couplings, 0.1 * rng.normal(size=(10, 10)), edges)


def sample(energy, count):
    """Rows, each the end of a chain of its own that starts at fair coins."""
    walk = ex.sampler.Gibbs(colours=ex.energy.colour_sites(energy.edges, 100))
    x = jax.random.bernoulli(jax.random.key(0), 0.5, (count, 10, 10)).astype(jnp.uint8)
    state, _ = ex.sampler.chains(
        walk, energy, x, 1000, key=jax.random.key(1), keep=ex.sampler.nothing
    )
    return np.asarray(state.x)


def solve_inverse():
    """Print the table of errors."""
    print("| model | method | J on edges, RMSE | elsewhere | zeros, on edges | CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, make in (("lattice, J = 0.3", make_lattice), ("spin glass, sd 0.5", make_glass)):
        truth = make()
        full = np.asarray(ex.energy.convert_to_boltzmann(truth).weights) / 4
        rows = sample(truth, 2000)
        data = ex.data.Dataset(name, rows, rows[:1], states=2)
        linked = full != 0
        other = ~linked & ~np.eye(len(full), dtype=bool)
        zeros = np.sqrt((full[linked] ** 2).mean())
        for method, options in METHODS.items():
            start = time.process_time()
            model = ex.fit(data, method=method, seed=0, **(USUAL | options))
            found = np.asarray(model.energy.weights, np.float64) / 4
            seconds = time.process_time() - start
            errors = [np.sqrt(((found - full)[part] ** 2).mean()) for part in (linked, other)]
            line = f"{errors[0]:.4f} | {errors[1]:.4f} | {zeros:.3f} | {seconds:.0f}"
            print(f"| {name} | {method} | {line} |", flush=True)


def main():
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="Python of an environment with thrml")
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inverse", action="store_true")
    asked = parser.parse_args()
    if asked.inverse:
        solve_inverse()
    else:
        time_chains(asked)


if __name__ == "__main__":
    main()
