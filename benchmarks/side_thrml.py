"""Thrml's block Gibbs sampling of the Ising model of `ising.py`, in an environment of its own.

    uv venv benchmarks/.venv-thrml && uv pip install -p benchmarks/.venv-thrml thrml
    uv run python benchmarks/ising.py --peer benchmarks/.venv-thrml/bin/python

Prints sweeps of all chains per CPU second, and the energy per site.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from thrml import Block, SamplingSchedule, SpinNode, sample_states
from thrml.models import IsingEBM, IsingSamplingProgram, hinton_init


def main(side, coupling, chains, sweeps):
    """Times `sweeps` sweeps after a first run of as many, which compiles and equilibrates."""
    nodes = np.array([SpinNode() for _ in range(side * side)]).reshape(side, side)
    pairs = [(nodes[i, j], nodes[(i + 1) % side, j]) for i in range(side) for j in range(side)]
    pairs += [(nodes[i, j], nodes[i, (j + 1) % side]) for i in range(side) for j in range(side)]
    flat, even = list(nodes.ravel()), np.add.outer(range(side), range(side)) % 2 == 0
    weights = jnp.full(len(pairs), coupling)
    model = IsingEBM(flat, pairs, jnp.zeros(len(flat)), weights, jnp.array(1.0))
    blocks = [Block(list(nodes[even])), Block(list(nodes[~even]))]
    program = IsingSamplingProgram(model, blocks, clamped_blocks=[])
    schedule = SamplingSchedule(sweeps - 1, 1, 1)
    first, second, third = jax.random.split(jax.random.key(0), 3)
    state = hinton_init(first, model, blocks, (chains,))

    @jax.jit
    def run(state, key):
        keys = jax.random.split(key, chains)
        return jax.vmap(lambda s, k: sample_states(k, program, schedule, s, [], blocks))(
            state, keys
        )

    def last(found):
        return jax.block_until_ready([part[:, -1] for part in found])

    state = last(run(state, second))
    start = time.process_time()
    state = last(run(state, third))
    seconds = time.process_time() - start
    spins = np.zeros((chains, side, side))
    for part, where in zip(state, (even, ~even), strict=True):
        spins[:, where] = 2 * np.asarray(part, float) - 1
    bonds = spins * (np.roll(spins, 1, 1) + np.roll(spins, 1, 2))
    print(sweeps / seconds, -bonds.mean())


if __name__ == "__main__":
    side, chains, sweeps = (int(word) for word in sys.argv[1:4])
    main(side, float(sys.argv[4]), chains, sweeps)
