"""Who else a run trained: rivals, generators and encoders, as they come back from its folder."""

from pathlib import Path
from typing import Any

import jax
from jaxtyping import PyTree

from energax import train
from energax.errors import InputError
from energax.learner import GameState, Players, TeachingPlayers, TeachingState
from energax.network import NoisyGenerator
from energax.recipe import methods
from energax.recipe.folder import Folder, Model, load
from energax.recipe.settings import GAMES, TAUGHT

GENERATORS = (*TAUGHT, "adversarial-generator")
"""Objectives that train a generator."""


def partners(players: Any) -> dict[str, PyTree]:
    """The players beside the energy, of players or of a state of training, under their own names.

    None for an encoder that is not there; nothing for an energy that learns alone.
    """
    match players:
        case TeachingState() | TeachingPlayers():
            return {"generator": players.generator, "encoder": players.encoder}
        case GameState() | Players():
            return {"rival": players.rival}
    return {}


def load_players(path: Path | str) -> Players | TeachingPlayers:
    """All players of a finished run, in model units: `Players` of a game, else `TeachingPlayers`.

    The energy is `load(path).raw`, with averaged weights where they were kept; of the others no
    average is kept. Raises InputError where the folder is no run, is unfinished or damaged, where
    its energy learned alone, and where it was written when weights held the energy alone.
    """
    model, folder = load(path), Folder(Path(path))
    return _players(model, folder)


def load_trio(path: Path | str) -> TeachingPlayers:
    """Energy, generator and encoder of a finished run; the encoder is None where there is none.

    Of `adversarial-generator`, whose rival is the generator, too. Raises InputError as
    `load_players`, and where the run has no generator.
    """
    model, folder = load(path), Folder(Path(path))
    objective = model.settings.objective
    if objective not in GENERATORS:
        raise InputError(
            f"{path} has no generator, for it was trained by {objective}: "
            f"{', '.join(GENERATORS[:-1])} and {GENERATORS[-1]} train one."
        )
    match _players(model, folder):
        case Players(energy=energy, rival=NoisyGenerator() as generator):
            return TeachingPlayers(energy, generator)
        case TeachingPlayers() as trio:
            return trio
        case found:
            raise TypeError(f"{objective} trains no generator, but {type(found).__name__}.")


def starters(path: Path | str, model: Model) -> TeachingPlayers | None:
    """At whose generator the chains begin that draw from a run; None where at its base
    distribution.

    The chains of a cold run begin where those of its training did. Raises InputError as `load_trio`
    where that is a generator which the folder does not hold.
    """
    objective = model.settings.objective
    return load_trio(path) if model.cold and objective in GENERATORS else None


def _players(model: Model, folder: Folder) -> Players | TeachingPlayers:
    settings = model.settings
    if settings.objective not in (*GAMES, *TAUGHT):
        raise InputError(
            f"{folder.path} has no other player: {settings.objective} trains its energy alone."
        )
    key = jax.random.key(0)
    blank = methods.blank_players(settings, model.distribution, model.transform, key=key)
    like = {name: part for name, part in partners(blank).items() if part is not None}
    file = folder["weights.safetensors"]
    if not like.keys() <= train.list_parts(file):
        raise InputError(
            f"{file} holds the energy alone, as an earlier version wrote it: rename that file and "
            f"run `energax train --resume {folder.path}`, which writes all players from the newest "
            "checkpoint."
        )
    found = train.read_weights(file, like)
    match blank:
        case TeachingPlayers():
            return TeachingPlayers(model.raw, found["generator"], found.get("encoder"))
    return Players(model.raw, found["rival"])
