"""A model as a folder: what it is as JSON, its arrays as safetensors. Nothing is unpickled."""

import math
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from energax import data, train
from energax.content import FLAG, TEXT, list_of, number, optional, read_sealed, write_sealed
from energax.drafts import draft_folder
from energax.energy import weights
from energax.errors import InputError
from energax.evaluate import Estimate, LogZ
from energax.files import read_json, write_json
from energax.learner import Players, TeachingPlayers
from energax.method import Groundwork, build
from energax.model.base import Model
from energax.model.config import (
    BASE,
    CONFIG,
    TRANSFORM,
    describe,
    list_facts,
    read_entry,
    read_method,
    read_schema,
    read_transform,
)
from energax.model.players import list_auxiliary
from energax.options import Range
from energax.train.arrays import check_numbers, fill_arrays, read_arrays

WEIGHTS, LOG_Z = "weights.safetensors", "log_z.json"
"""The files of a model that are there when it is trained, or measured."""

ENDS = ("forward", "reverse", "from_rows", "bridge")
"""The estimates that `log_z.json` keeps."""

END = list_of(optional(number()), 3)
MEASURED = {
    **dict.fromkeys(ENDS, optional(END)),
    "lower": optional(number()),
    "upper": optional(number()),
    "level": number(Range(0, 1, open_low=True, open_high=True)),
    "certified": FLAG,
    "why": TEXT,
}
"""What `log_z.json` holds, where log Z was attempted."""


def read_base(path: Path) -> Any:
    """The base distribution of a folder, as fitted when its run was created."""
    blank = read_method(path).blank_base(read_schema(path))
    return train.read_weights(path / BASE, {"base": blank})["base"]


def read_groundwork(path: Path, rows: int = 1, energy: Any = None) -> Groundwork:
    """What the method of a folder builds on."""
    method, schema = read_method(path), read_schema(path)
    return Groundwork(
        read_base(path),
        read_transform(path),
        rows,
        schema.labels or 0,
        tilted=method.base_kind != "none",
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
    # Every file by itself first: what is wrong with one is named before what no longer fits.
    method, schema = read_method(folder), read_schema(folder)
    transform, log_z = read_transform(folder), _read_log_z(folder / LOG_Z)
    arrays = read_arrays(folder / WEIGHTS, list_facts(folder))
    check_numbers(folder / WEIGHTS, arrays)
    _check_energy(folder, energy)
    ground = read_groundwork(folder, energy=energy)
    blank, _ = method.build(ground, key=jax.random.key(0))
    untrained = blank.energy if isinstance(blank, Players | TeachingPlayers) else blank
    moving, still = weights(untrained)
    averaged = method.keeps_average
    like = {"energy": moving} | ({"average": moving} if averaged else {})
    others = {name: part for name, part in list_auxiliary(blank).items() if part is not None}
    found = fill_arrays(like | others, arrays, source=str(folder / WEIGHTS))
    trained = eqx.combine(found["average" if averaged else "energy"], still)
    return Model(
        trained,
        build.find_base(trained, ground.base),
        transform,
        schema,
        method,
        replace_energy(blank, trained, found),
        log_z,
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
        train.write_weights(draft / WEIGHTS, list_weights(model), list_facts(draft))
        if model.measured_log_z is not None:
            write_log_z(draft / LOG_Z, model.measured_log_z)


def list_weights(model: Model) -> dict[str, PyTree]:
    """The arrays of a model by part: what `load` reads."""
    trained = weights(model.trained)[0]
    parts = {"energy": trained}
    if model.method.keeps_average:
        parts["average"] = trained
    return parts | list_auxiliary(model.players)


def write_log_z(path: Path, log_z: LogZ | str) -> None:
    """log Z with its interval, or why there is none."""
    write_sealed(path, {"why": log_z} if isinstance(log_z, str) else _to_dict(log_z))


def _to_dict(log_z: LogZ) -> dict[str, Any]:
    ends = {
        name: None if end is None else [_finite(part) for part in (end.value, end.error, end.size)]
        for name in ENDS
        for end in [getattr(log_z, name)]
    }
    sides = {name: _finite(getattr(log_z, name)) for name in ("lower", "upper")}
    plain = {name: getattr(log_z, name) for name in ("level", "certified", "why")}
    return ends | sides | plain


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _read_log_z(path: Path) -> LogZ | str | None:
    if not path.exists():
        return None
    attempted = len(read_json(path)) > 2
    spec = MEASURED if attempted else {"why": TEXT}
    found = read_sealed(path, spec, "measure the model again")
    if not attempted:
        return found["why"]
    ends = {name: _estimate(found.pop(name)) for name in ENDS}
    lower, upper = _float(found.pop("lower")), _float(found.pop("upper"))
    return LogZ(**ends, lower=lower, upper=upper, **found)


def _estimate(parts: list[float | None] | None) -> Estimate | None:
    return None if parts is None else Estimate(*(jnp.asarray(_float(part)) for part in parts))


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
