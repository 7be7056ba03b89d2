"""The networks beside the energy: generators, encoders, rivals."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.errors import Diverged, InputError
from energax.learner import GameState, KeepBestState, Players, TeachingPlayers, TeachingState
from energax.method import METHODS
from energax.model.base import Model
from energax.network import NoisyGenerator

Latents = Float[Array, " size latent"]


def list_auxiliary(players: Any) -> dict[str, PyTree]:
    """The players beside the energy, of players or of a state of training, under their own names.

    None for an encoder that is not there; nothing for an energy that learns alone.
    """
    match players:
        case KeepBestState(inner=inner):
            return list_auxiliary(inner)
        case TeachingState() | TeachingPlayers():
            return {"generator": players.generator, "encoder": players.encoder}
        case GameState() | Players():
            return {"rival": players.rival}
    return {}


def find_generator(model: Model) -> TeachingPlayers:
    """Energy, generator and encoder of a model; the encoder is None where there is none.

    Raises InputError for a model without a generator.
    """
    match model.players:
        case Players(energy=energy, rival=NoisyGenerator() as generator):
            return TeachingPlayers(energy, generator)
        case TeachingPlayers() as players:
            return players
    names = [name for name, method in METHODS.items() if method.generates]
    raise InputError(
        f"This model has no generator, for it was trained by {model.method.name}: "
        f"{', '.join(names[:-1])} and {names[-1]} train one."
    )


@eqx.filter_jit
def apply_each(player: Callable, batch: Array) -> PyTree:
    """The player at each example of a batch."""
    return jax.vmap(player)(batch)


def generate(players: TeachingPlayers, count: int, *, key: PRNGKeyArray) -> Float[Array, "..."]:
    """g(z) of z ~ N(0, I), without noise and without a chain, in model units."""
    z = jax.random.normal(key, (count, players.generator.latent))
    return check_finite(apply_each(players.generator, z))


def check_finite(x: Float[Array, " size *shape"]) -> Float[Array, " size *shape"]:
    """The same. Raises Diverged where a number is not finite."""
    if not bool(jnp.all(jnp.isfinite(x))):
        raise Diverged("Samples of this generator are not finite: train with smaller rates.")
    return x
