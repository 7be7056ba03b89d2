"""`config.json`: what a model is rebuilt from, and how its run is repeated."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from energax import data
from energax.content import (
    FLAG,
    OBJECT,
    TEXT,
    Kind,
    check_content,
    list_of,
    number,
    optional,
    whole,
)
from energax.data import AbstractTransform, Schema
from energax.errors import InputError
from energax.files import hash_file, read_json
from energax.method import AbstractMethod, find_method, spell_method
from energax.options import Range, at_least, from_dict
from energax.train.arrays import About, read_digest

VERSION = 3
"""Of the layout of a folder; another one is refused."""

CONFIG, TRANSFORM, BASE = "config.json", "transform.json", "base.safetensors"
"""The files of a model that are there before it is trained."""

CAUTION = Kind(
    "an object of text and forbids",
    lambda value: (
        isinstance(value, dict)
        and value.keys() == {"text", "forbids"}
        and TEXT.holds(value["text"])
        and FLAG.holds(value["forbids"])
    ),
)
"""What in the rows speaks against a density."""

MODEL = {
    "version": whole(at_least(0)),
    "method": TEXT,
    "options": OBJECT,
    "schema": {
        "name": TEXT,
        "shape": list_of(whole(at_least(1))),
        "levels": optional(whole(at_least(2))),
        "columns": optional(list_of(TEXT)),
        "labels": optional(whole(at_least(1))),
        "digest": TEXT,
        "cautions?": list_of(CAUTION),
        "states?": optional(whole(at_least(2))),
        "letters?": optional(TEXT),
        "kinds?": optional(list_of(OBJECT)),
    },
    "energy": optional(TEXT),
}
"""What a model is rebuilt from."""

RUN = {
    "command?": TEXT,
    "data?": {
        "source": TEXT,
        "test_fraction": number(Range(0, 1, open_high=True)),
        "train": whole(at_least(1)),
        "test": whole(at_least(0)),
    },
    "versions?": {"*": TEXT},
    "machine?": {"backend": TEXT, "cores": optional(whole(at_least(1)))},
}
"""How a run is repeated."""


def describe(method: AbstractMethod, schema: Schema, energy: str | None = None) -> dict[str, Any]:
    """What a model is rebuilt from; `energy`: the name of the user's own."""
    return {
        "version": VERSION,
        "method": spell_method(type(method)),
        "options": dataclasses.asdict(method),
        "schema": schema.to_dict(),
        "energy": energy,
    }


def read_config(path: Path) -> dict[str, Any]:
    """The content of a `config.json`.

    Raises InputError, naming the entry, where it is absent, damaged or of another version.
    """
    file = path / CONFIG
    if not file.is_file():
        raise InputError(f"{path} is not a run folder: it holds no {CONFIG}.")
    found = read_json(file)
    if found.get("version") != VERSION:
        raise InputError(
            f"{file} is of another version ({json.dumps(found.get('version'))}, this energax reads "
            f"{VERSION}): train the run again, or use the energax that wrote it."
        )
    check_content(file, found, MODEL | RUN)
    return found


def read_entry(path: Path, name: str) -> Any:
    """One entry of the `config.json` of a folder. Raises InputError where it lacks it."""
    found = read_config(path)
    if name not in found:
        raise InputError(f"{path / CONFIG} is damaged: it lacks {name!r}.")
    return found[name]


def read_method(path: Path) -> AbstractMethod:
    """The method of a folder, every option checked."""
    found, source = read_config(path), str(path / CONFIG)
    try:
        kind = find_method(found["method"], Schema.from_dict(found["schema"]))
    except InputError as reason:
        raise InputError(f"{source} holds a value that it must not: {reason}") from reason
    return from_dict(kind, found["options"], source)


def read_schema(path: Path) -> Schema:
    """What the rows of a folder's model are."""
    return Schema.from_dict(read_entry(path, "schema"))


def read_transform(path: Path) -> AbstractTransform:
    """The map to model units of a folder's model."""
    record = read_json(path / TRANSFORM)
    try:
        return data.from_json(record)
    except InputError as reason:
        words = " ".join(str(reason).split()).rstrip(".")
        raise InputError(f"{path / TRANSFORM} is damaged: {words}.") from reason


def list_facts(path: Path) -> About:
    """What the weights and the checkpoints of a folder belong to: its other files.

    The entries of the configuration that a model is rebuilt from, and digests.
    """
    config = read_config(path)
    return {
        CONFIG: {name: config[name] for name in MODEL if name != "version"},
        TRANSFORM: hash_file(path / TRANSFORM),
        BASE: read_digest(path / BASE),
    }
