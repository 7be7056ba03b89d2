"""How long chains take to find the other cluster of a restricted Boltzmann machine.

    uv run python benchmarks/mixing.py [--sweeps 4000]

64 bits and one hidden unit: two clusters, bits mostly 0 and bits mostly 1, of equal mass, further
apart the larger the coupling. All 128 chains start in the first. Printed is after how many sweeps
of each chain a quarter of them, half of the right share, is in the second: by Gibbs sampling in two
blocks, by parallel tempering from independent fair coins over 8 levels, and by a ladder of 8 rungs
whose couplings rise; a sweep of the last two moves the chains of all levels once.
"""

import argparse

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import energax as ex

BITS, CHAINS, RUNGS = 64, 128, 8
SPACE = ex.space.Bits((BITS,))
BASE = ex.energy.IndependentSites(jnp.zeros((BITS, 2)), SPACE)


def make_rbm(coupling):
    """Two clusters, bits of probability sigmoid(-coupling / 2) and sigmoid(coupling / 2)."""
    weights = jnp.full((BITS, 1), coupling)
    return ex.energy.BernoulliRBM(weights, -weights[:, 0] / 2, -BITS * weights[0] / 2)


def is_second(x):
    """Is the state in the second cluster?"""
    return jnp.mean(x.astype(jnp.float32), axis=-1) > 0.5


def start(coupling):
    """Draws of the first cluster."""
    chance = jax.nn.sigmoid(-coupling / 2)
    return jax.random.bernoulli(jax.random.key(0), chance, (CHAINS, BITS)).astype(jnp.uint8)


def climb_alone(sampler, coupling, sweeps):
    """The share of chains in the second cluster after each sweep."""
    found = ex.sampler.chains(
        sampler,
        make_rbm(coupling),
        start(coupling),
        sweeps,
        key=jax.random.key(1),
        keep=lambda state, info: is_second(state.x),
    )[1]
    return np.asarray(found).mean(axis=0)


@eqx.filter_jit
def exchange(learner, state, sweeps):
    """The same for the top of a ladder."""
    still = ex.energy.weights(state.energy)[1]

    def make(rungs, index):
        key = jax.random.fold_in(jax.random.key(2), index)
        rungs, _ = learner.exchange(still, rungs, state.round + index + 1, key=key)
        return rungs, jnp.mean(is_second(rungs.walkers.x[0]).astype(jnp.float32))

    return jax.lax.scan(make, state.rungs, jnp.arange(sweeps, dtype=jnp.int32))[1]


def climb_ladder(coupling, sweeps):
    """Rungs of rising coupling; every chain starts in the first cluster."""
    learner = ex.learner.Ladder(
        BASE, ex.sampler.BlockGibbs(), optax.sgd(0.1), chains=CHAINS, max_rungs=RUNGS
    )
    state = learner.init(make_rbm(0.0), jnp.zeros((4, BITS), jnp.uint8), key=jax.random.key(3))
    machines = [make_rbm(coupling * (place + 1) / RUNGS) for place in range(RUNGS)]
    ordered = [machines[-1], *machines[:-1], machines[-1]]
    weights = [ex.energy.weights(machine)[0] for machine in ordered]
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *weights)
    x = jnp.broadcast_to(start(coupling), (RUNGS + 1, CHAINS, BITS))
    rungs = eqx.tree_at(
        lambda r: (r.weights, r.walkers.x, r.order, r.count),
        state.rungs,
        (
            stacked,
            x,
            jnp.asarray([*range(1, RUNGS), 0, RUNGS], jnp.int32),
            jnp.asarray(RUNGS, jnp.int32),
        ),
    )
    state = eqx.tree_at(lambda s: (s.energy, s.rungs), state, (machines[-1], rungs))
    return np.asarray(exchange(learner, state, sweeps))


def say(shares):
    """When a quarter of the chains were in the second cluster."""
    there = shares >= 0.25
    if not there.any():
        return f"more than {len(shares)} (share {shares[-1]:.2f})"
    return f"{int(there.argmax()) + 1} (share at the end {shares[len(shares) // 2 :].mean():.2f})"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=4000)
    sweeps = parser.parse_args().sweeps
    levels = ex.sampler.Bridges(BASE, np.linspace(0, 1, RUNGS))
    tempering = ex.sampler.Tempering(ex.sampler.Gibbs(), levels)
    print("| coupling | Gibbs | tempering, 8 levels | ladder, 8 rungs |\n| --- | --- | --- | --- |")
    for coupling in (1.0, 1.5, 2.0, 3.0):
        found = (
            climb_alone(ex.sampler.BlockGibbs(), coupling, sweeps),
            climb_alone(tempering, coupling, min(sweeps, 400)),
            climb_ladder(coupling, min(sweeps, 400)),
        )
        print(f"| {coupling} | {' | '.join(say(part) for part in found)} |", flush=True)


if __name__ == "__main__":
    main()
