"""Tiny learners, the loop over a few chunks, and equality of two runs in every bit."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from cases import Bowl

from energax.energy import Gaussian
from energax.learner import Descent
from energax.objective import (
    DenoisingScoreMatching,
    JointLikelihood,
    PersistentContrastiveDivergence,
)
from energax.sampler import Langevin
from energax.train import fit, start

ROWS = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 1.5], (64, 2))


@functools.cache
def learner(name):
    """A schedule, an average, chains in a buffer; made once, for each one made is a new program."""
    objective = {
        "dsm": DenoisingScoreMatching(0.3),
        "pcd": PersistentContrastiveDivergence(
            Langevin(0.1), Gaussian(jnp.zeros(2)), steps=2, size=32
        ),
        "joint": JointLikelihood(DenoisingScoreMatching(0.3)),
    }[name]
    return Descent(objective, optax.adam(optax.cosine_decay_schedule(0.1, 100)), ema_decay=0.9)


def create(learner, key, energy=None):
    energy = Bowl(jnp.zeros(2), jnp.ones(2)) if energy is None else energy
    return start(learner, energy, ROWS, key=key, batch_size=16)


def chunks(learner, run, count, **settings):
    """The last run and the metrics of `count` chunks of 5 updates."""
    settings = {"batch_size": 16, "chunk_steps": 5} | settings
    found = []
    for chunk in itertools.islice(fit(learner, run, ROWS, **settings), count):
        found.append(chunk[1])
    return chunk[0], {name: np.concatenate([m[name] for m in found]) for name in found[0]}


def same(one, other):
    """Equal in every bit, keys included."""
    return all(
        np.array_equal(jax.random.key_data(a), jax.random.key_data(b))
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
        else (a.dtype, a.tobytes()) == (b.dtype, b.tobytes())
        for a, b in zip(
            *(jax.tree.leaves(eqx.filter(run, eqx.is_array)) for run in (one, other)), strict=True
        )
    )
