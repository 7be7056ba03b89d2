"""Every posterior, with an encoder, an energy or without: single precision, and what is refused."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import SHAPES, rows_of
from teaching import LATENT_STEP, arrays, scene

from energax.data import Labelled
from energax.learner import (
    FromEncoder,
    FromPrior,
    Optimisers,
    PersistentPosterior,
    Teaching,
    TeachingPlayers,
    TeachingRules,
    Variational,
)
from energax.network import Encoder
from energax.sampler import Langevin

PLAYERS = ("energy", "generator", "encoder")

POSTERIORS = {
    "encoder": FromEncoder(Langevin(LATENT_STEP), 2),
    "prior": FromPrior(Langevin(LATENT_STEP), 2),
    "kept": PersistentPosterior(Langevin(LATENT_STEP), 64, 2),
    "variational": Variational(),
    "none": None,
}
LISTED = (
    ["generator_size", "acceptance", "input_grad_norm", "displacement"]
    + ["encoder_size", "latent_grad_norm", "latent_displacement"]
    + [f"generator_{name}" for name in ("loss", "data", "grad_norm", "weight_norm")]
    + [f"encoder_{name}" for name in ("loss", "data", "grad_norm", "weight_norm")]
    + ["loss", "energy_chain", "energy_data", "grad_norm", "weight_norm"]
)
"""The order in which an update happens."""


def family(name, here, batch):
    """Rules with one of the posteriors, and a batch that it takes."""
    rules = here.rules(posterior=POSTERIORS[name])
    number = jnp.arange(len(batch), dtype=jnp.int32)
    return rules, Labelled(batch, number) if name == "kept" else batch


MEMBERS = [(name, True, True) for name in POSTERIORS]
MEMBERS += [("encoder", True, False), ("kept", False, True)]
MEMBERS += [(name, False, False) for name in ("prior", "kept", "none")]
"""Each posterior in a game of three; then without an energy, without an encoder, without both."""


@pytest.mark.parametrize(("name", "guessing", "energetic"), MEMBERS)
def test_every_member_of_the_family_runs_in_single_precision(name, guessing, energetic):
    with jax.enable_x64(False):
        here = scene(SHAPES["image"])
        players = jax.tree.map(
            lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf,
            here.players,
        )
        players = TeachingPlayers(
            players.energy if energetic else None,
            players.generator,
            players.encoder if guessing else None,
        )
        rules, batch = family(name, here, jnp.asarray(rows_of(here.at, (16,)), jnp.float32))
        rules = rules if energetic else dataclasses.replace(rules, steps=0)
        adam = optax.adam(0.1)
        learner = Teaching(
            rules, Optimisers(adam, adam, adam), ema_decay=0.9 if energetic else None
        )
        state = learner.init(players, batch, key=jax.random.key(1))
        after, metrics = eqx.filter_jit(learner.step)(state, batch, key=jax.random.key(2))
    assert {str(value.dtype) for value in metrics.values()} == {"float32"}
    assert {str(leaf.dtype) for leaf in arrays(after)} == {"float32"}
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert all(np.isfinite(value) for value in metrics.values())
    assert list(metrics) == [name for name in LISTED if name in metrics]
    there = {"energy": energetic, "generator": True, "encoder": guessing}
    for player in PLAYERS:
        before, now = arrays(getattr(state, player)), arrays(getattr(after, player))
        moved = any(np.any(a != b) for a, b in zip(before, now, strict=True))
        # Nothing infers and nothing revises: a generator that hears of itself alone.
        assert moved == there[player], player


PLAIN = Optimisers(optax.sgd(0.1), optax.sgd(0.1), optax.sgd(0.1))
BAD = {
    "`steps` must be at least 0": lambda: TeachingRules(Langevin(0.1), None, -1),
    "`generator_weight` must be at least 0": lambda: TeachingRules(
        Langevin(0.1), None, generator_weight=-1.0
    ),
    "`steps` must be at least 0;": lambda: FromEncoder(Langevin(0.1), -1),
    "`steps` must be at least 1": lambda: FromPrior(Langevin(0.1), 0),
    "`size` must be at least 1": lambda: PersistentPosterior(Langevin(0.1), 0),
    "`latent` must be at least 1": lambda: Encoder(jnp.tanh, 0),
    "`floor` must be at least 0": lambda: Encoder(jnp.tanh, 1, -1.0),
    "it gave an array of shape": lambda: Encoder(jnp.tanh, 3)(jnp.zeros(2)),
    "`energy` of the players is None": lambda: TeachingRules(Langevin(0.1), None).check(
        TeachingPlayers(None, scene((3,)).players.generator)
    ),
    "`pathwise_weight` must be 0": lambda: TeachingRules(
        Langevin(0.1), None, pathwise_weight=1.0
    ).check(TeachingPlayers(scene((3,)).at.model, scene((3,)).players.generator)),
    "a chain cannot start at its draw": lambda: FromEncoder(Langevin(0.1), 1)(
        TeachingPlayers(None, scene((3,)).players.generator),
        jnp.zeros((2, 3)),
        None,
        key=jax.random.key(0),
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_settings_are_named(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()


def test_bad_settings_of_the_learner_are_named():
    with pytest.raises(ValueError, match=r"`ema_decay` must lie in \[0, 1\) or be None"):
        Teaching(scene((3,)).rules(), PLAIN, ema_decay=1.0)
    with pytest.raises(ValueError, match=r"`reinit_probability` must lie in \[0, 1\]"):
        Teaching(scene((3,)).rules(), PLAIN, reinit_probability=1.5)
    with pytest.raises(ValueError, match="`reinit_probability` must be 1 without `resample`"):
        Teaching(scene((3,)).rules(), PLAIN, resample=False, reinit_probability=0.5)
