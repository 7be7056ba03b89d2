"""A model as a folder: what it is as JSON, its arrays as safetensors. Nothing is unpickled."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from energax import data, train
from energax.data import Schema
from energax.energy import weights
from energax.errors import InputError
from energax.evaluate import Estimate, LogZ
from energax.files import draft_folder, read_json, write_json
from energax.learner import Players, TeachingPlayers
from energax.method import AbstractMethod, Groundwork, build, find_method, spell_method
from energax.model.base import Model
from energax.model.players import list_auxiliary
from energax.options import from_dict

VERSION = 1
"""Of the layout of `config.json`; another one is refused."""

CONFIG, TRANSFORM, BASE, WEIGHTS, LOG_Z = (
    "config.json",
    "transform.json",
    "base.safetensors",
    "weights.safetensors",
    "log_z.json",
)
"""The files of a model."""


def describe(method: AbstractMethod, schema: Schema, energy: str | None = None) -> dict[str, Any]:
    """The part of `config.json` that a model is rebuilt from; `energy`: the user's own."""
    return {
        "version": VERSION,
        "method": spell_method(type(method)),
        "options": dataclasses.asdict(method),
        "schema": schema.to_dict(),
        "energy": energy,
    }


def read_config(path: Path) -> dict[str, Any]:
    """The content of a `config.json`. Raises InputError where absent or of another version."""
    file = path / CONFIG
    if not file.is_file():
        raise InputError(f"{path} is not a run folder: it holds no {CONFIG}.")
    found = read_json(file)
    if found.get("version") != VERSION:
        raise InputError(
            f"{file} is of another version ({json.dumps(found.get('version'))}, this energax reads "
            f"{VERSION}): train the run again, or use the energax that wrote it."
        )
    return found


def read_entry(path: Path, name: str) -> Any:
    """One entry of the `config.json` of a folder. Raises InputError where it lacks it."""
    found = read_config(path)
    if name not in found:
        raise InputError(f"{path / CONFIG} is damaged: it lacks {name!r}.")
    return found[name]


def read_method(path: Path) -> AbstractMethod:
    """The method of a folder, every option checked."""
    name = read_entry(path, "method")
    if not isinstance(name, str):
        raise InputError(f"{path / CONFIG} is damaged: {name!r} is no method.")
    return from_dict(find_method(name), read_entry(path, "options"), str(path / CONFIG))


def read_schema(path: Path) -> Schema:
    """What the rows of a folder's model are."""
    found = read_entry(path, "schema")
    names = {field.name for field in dataclasses.fields(Schema)}
    shape = found.get("shape") if isinstance(found, dict) and found.keys() == names else None
    if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
        raise InputError(f"{path / CONFIG} is damaged: its schema describes no rows.")
    return Schema.from_dict(found)


def read_base(path: Path) -> Any:
    """The base distribution of a folder, as fitted when its run was created."""
    blank = build.blank_base(read_method(path).base, read_schema(path).shape)
    return train.read_weights(path / BASE, {"base": blank})["base"]


def read_groundwork(path: Path, rows: int = 1, energy: Any = None) -> Groundwork:
    """What the method of a folder builds on."""
    method, schema = read_method(path), read_schema(path)
    return Groundwork(
        read_base(path),
        data.from_json(read_json(path / TRANSFORM)),
        rows,
        schema.labels or 0,
        tilted=method.base.kind != "none",
        energy=energy,
    )


def load(path: Path | str, *, energy: Any = None) -> Model:
    """The model of a folder: of a finished run, or as `Model.save` wrote it.

    Args:
        path: The folder.
        energy: An energy of the structure of the one that was trained, where it was the user's own.

    Raises InputError where the folder is no model, is unfinished, damaged or of another version,
    or where `energy` is missing.
    """
    folder = Path(path)
    _check_energy(folder, energy)
    method, ground = read_method(folder), read_groundwork(folder, energy=energy)
    blank, _ = method.build(ground, key=jax.random.key(0))
    untrained = blank.energy if isinstance(blank, Players | TeachingPlayers) else blank
    moving, still = weights(untrained)
    averaged = method.training.ema_decay > 0
    like = {"energy": moving} | ({"average": moving} if averaged else {})
    others = {name: part for name, part in list_auxiliary(blank).items() if part is not None}
    found = train.read_weights(folder / WEIGHTS, like | others)
    trained = eqx.combine(found["average" if averaged else "energy"], still)
    return Model(
        trained,
        build.find_base(trained, ground.base),
        ground.transform,
        read_schema(folder),
        method,
        replace_energy(blank, trained, found),
        _read_log_z(folder / LOG_Z),
        name_energy(energy),
    )


def name_energy(energy: Any) -> str | None:
    """What `config.json` calls an energy of the user's own: its class."""
    return None if energy is None else f"{type(energy).__module__}:{type(energy).__qualname__}"


def _check_energy(path: Path, energy: Any) -> None:
    name = read_entry(path, "energy")
    if name is not None and energy is None:
        raise InputError(
            f"{path} was trained with an energy of the user's own, {name}: load it in Python, by "
            "`energax.load(path, energy=...)`, with an energy of the same structure."
        )
    if name is None and energy is not None:
        raise InputError(
            f"{path} was trained with a network, not with an energy of the user's own: load it "
            "without `energy`."
        )


def replace_energy(players: Any, energy: Any, others: dict[str, PyTree]) -> PyTree:
    """Players with a trained energy and trained others; None for an energy that learned alone."""
    match players:
        case TeachingPlayers():
            return TeachingPlayers(energy, others["generator"], others.get("encoder"))
        case Players():
            return Players(energy, others["rival"])
    return None


def save(model: Model, path: Path) -> None:
    """Write a model into a new folder. Raises InputError where the folder exists."""
    with draft_folder(path) as draft:
        write_json(draft / CONFIG, describe(model.method, model.schema, model.own_energy))
        write_json(draft / TRANSFORM, data.to_json(model.transform))
        train.write_weights(draft / BASE, {"base": model.base})
        train.write_weights(draft / WEIGHTS, list_weights(model))
        if model.measured_log_z is not None:
            write_log_z(draft / LOG_Z, model.measured_log_z)


def list_weights(model: Model) -> dict[str, PyTree]:
    """The arrays of a model by part: what `load` reads."""
    trained = weights(model.trained)[0]
    parts = {"energy": trained}
    if model.method.training.ema_decay > 0:
        parts["average"] = trained
    return parts | list_auxiliary(model.players)


def write_log_z(path: Path, log_z: LogZ | str) -> None:
    """log Z with its interval, or why there is none."""
    write_json(path, {"why": log_z} if isinstance(log_z, str) else _to_dict(log_z))


def _to_dict(log_z: LogZ) -> dict[str, Any]:
    ends = {
        name: [_finite(part) for part in (end.value, end.error, end.size)]
        for name, end in (("forward", log_z.forward), ("reverse", log_z.reverse))
    }
    sides = {name: _finite(getattr(log_z, name)) for name in ("lower", "upper")}
    plain = {name: getattr(log_z, name) for name in ("level", "certified", "why")}
    return ends | sides | plain


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _read_log_z(path: Path) -> LogZ | str | None:
    if not path.exists():
        return None
    found = read_json(path)
    if found.keys() == {"why"}:
        return found["why"]
    try:
        ends = {name: _estimate(found.pop(name)) for name in ("forward", "reverse")}
        lower, upper = _float(found.pop("lower")), _float(found.pop("upper"))
        return LogZ(**ends, lower=lower, upper=upper, **found)
    except (KeyError, TypeError) as reason:
        raise InputError(f"{path} is damaged ({reason}): measure the model again.") from reason


def _estimate(parts: list[float | None]) -> Estimate:
    return Estimate(*(jnp.asarray(_float(part)) for part in parts))


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
