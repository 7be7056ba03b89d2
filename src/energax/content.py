"""What a file of JSON must hold, and how it is read: the first entry that is wrong is named."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from energax.errors import InputError
from energax.files import read_json, write_json
from energax.options import Range

SEAL = "sha256"
"""The entry of a sealed file that holds the digest of the others."""

SHOWN = 60
"""Characters of a wrong value that a sentence shows, at most."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an entry may be, and how a sentence says so."""

    words: str
    holds: Callable[[Any], bool]


Spec = Kind | Mapping[str, Any]
"""A kind, or the specs of an object's entries; `name?` may be absent, `*` is any other name."""

TEXT = Kind("text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))


def whole(allowed: Range) -> Kind:
    """A whole number."""
    return Kind(
        f"a whole number {allowed}", lambda value: type(value) is int and allowed.holds(value)
    )


def number(allowed: Range | None = None) -> Kind:
    """A finite number."""
    inside = (allowed or Range()).holds
    return Kind(
        f"a number {allowed}" if allowed else "a finite number",
        lambda value: type(value) in (int, float) and inside(value),
    )


def optional(kind: Kind) -> Kind:
    """The same, or null."""
    return Kind(f"{kind.words}, or null", lambda value: value is None or kind.holds(value))


def list_of(kind: Kind, length: int | None = None) -> Kind:
    """A list, of so many where `length` is given."""
    return Kind(
        f"a list of {'' if length is None else f'{length}, each '}{kind.words}",
        lambda value: (
            isinstance(value, list) and length in (None, len(value)) and all(map(kind.holds, value))
        ),
    )


def check_content(path: Path, found: Any, spec: Spec, place: str = "") -> None:
    """Raise InputError, naming the file and the entry, for content that is not as it should be."""
    where = place or "its content"
    if isinstance(spec, Kind):
        if not spec.holds(found):
            shown = json.dumps(found)
            shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
            raise InputError(f"{path} is damaged: {where} must be {spec.words}; got {shown}.")
        return
    check_content(path, found, OBJECT, place)
    known = {name.removesuffix("?") for name in spec}
    prefix = f"{place}." if place else ""
    for name, inner in spec.items():
        plain = name.removesuffix("?")
        if plain in found:
            check_content(path, found[plain], inner, prefix + plain)
        elif name == plain != "*":
            raise InputError(f"{path} is damaged: it lacks {prefix + plain!r}.")
    for name in found.keys() - known:
        if "*" not in spec:
            raise InputError(f"{path} is damaged: it has the unknown entry {prefix + name!r}.")
        check_content(path, found[name], spec["*"], prefix + name)


def read_content(path: Path, spec: Spec) -> dict[str, Any]:
    """The object in a file. Raises InputError where it is missing or not as it should be."""
    found = read_json(path)
    check_content(path, found, spec)
    return found


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """An object with the digest of its content: a file that nobody edits by hand."""
    write_json(path, content | {SEAL: _digest(content)})


def read_sealed(path: Path, spec: Spec, remedy: str) -> dict[str, Any]:
    """What `write_sealed` wrote.

    Raises InputError where it is missing, not as it should be, or changed: then it says `remedy`.
    """
    found = read_json(path)
    seal = found.pop(SEAL, None)
    check_content(path, found, spec)
    if seal != _digest(found):
        raise InputError(f"{path} has changed since it was written: {remedy}.")
    return found


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
