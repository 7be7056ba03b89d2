"""How often the interval of a ladder holds log Z: Boltzmann machines of 8 bits, enumerated.

    uv run python benchmarks/ladder_coverage.py [--models 210] [--chains 64] [--rounds 60]

Couplings are standard normal, biases half of that; four rungs are the machine times 1/4, 1/2, 3/4
and 1. All chains start at fair coins; 40 rounds are not measured.
"""

import argparse

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import energax as ex

BITS, RUNGS, SLOTS = 8, 4, 6
SPACE = ex.space.Bits((BITS,))


def make_machine(seed, share=1.0):
    """A random Boltzmann machine, its energy times a share."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(size=(BITS, BITS)), 1)
    biases = rng.normal(size=BITS) / 2
    return ex.energy.BoltzmannMachine(share * (upper + upper.T), share * biases)


def place_rungs(state, seed):
    """The state with the rungs of a machine."""
    shares = [1.0, *(place / RUNGS for place in range(1, RUNGS)), *[1.0] * (SLOTS - RUNGS)]
    weights = [ex.energy.weights(make_machine(seed, share))[0] for share in shares]
    order = [*range(1, RUNGS), 0, *range(RUNGS, SLOTS)]
    return eqx.tree_at(
        lambda s: (s.energy, s.rungs.weights, s.rungs.order, s.rungs.count),
        state,
        (
            make_machine(seed),
            jax.tree.map(lambda *parts: jnp.stack(parts), *weights),
            jnp.asarray(order, jnp.int32),
            jnp.asarray(RUNGS, jnp.int32),
        ),
    )


def main():
    """Print how many intervals hold the truth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=210)
    parser.add_argument("--chains", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=60)
    asked = parser.parse_args()
    base = ex.energy.IndependentSites(jnp.zeros((BITS, 2)), SPACE)
    learner = ex.learner.Ladder(
        base, ex.sampler.Gibbs(), optax.sgd(0.1), chains=asked.chains, max_rungs=SLOTS - 1
    )
    rows = jnp.zeros((4, BITS), jnp.uint8)
    start = learner.init(make_machine(0, 0.0), rows, key=jax.random.key(0))
    held, sound, errors = [], [], []
    for seed in range(1, asked.models + 1):
        found = ex.learner.measure_ladder(
            learner, place_rungs(start, seed), key=jax.random.key(seed), rounds=asked.rounds,
            warmup=40,
        )  # fmt: skip
        exact = ex.evaluate.enumerate_log_z(make_machine(seed), SPACE).value
        held.append(found.low <= exact <= found.high)
        sound.append(found.sound)
        errors.append(found.error)
    held, sound = np.array(held), np.array(sound)
    print(f"{held.sum()} of {len(held)} intervals hold log Z, {held[sound].sum()} of the", end=" ")
    print(f"{sound.sum()} without a doubt; mean error {np.mean(errors):.4f} nats")


if __name__ == "__main__":
    main()
