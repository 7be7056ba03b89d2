"""Options as fields of frozen dataclasses: type, range and help of each, declared once.

A dataclass whose fields are made by `option`, or are such dataclasses themselves, is a tree of
options. The command line, the configuration of a run and Python's keywords all read the same tree;
in a tree no two options share a name.
"""

import dataclasses
import functools
import math
import sys
import types
import typing
from typing import Any, Literal, TypeVar

from energax.errors import InputError
from energax.suggest import suggest

T = TypeVar("T")
Number = int | float


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a number may take, and how a sentence says so."""

    low: Number = -math.inf
    high: Number = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: Number) -> bool:
        """Is the number finite and inside?"""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and is_finite(value)

    def __str__(self) -> str:
        if math.isfinite(self.high):
            left, right = "(["[not self.open_low], ")]"[not self.open_high]
            return f"in {left}{self.low:.12g}, {self.high:.12g}{right}"
        return f"above {self.low:g}" if self.open_low else f"at least {self.low:g}"


def is_finite(value: Number) -> bool:
    """Is it a number that a float can hold? `math.isfinite` fails on larger whole numbers."""
    return abs(value) <= sys.float_info.max


def at_least(low: Number) -> Range:
    """Finite numbers from `low` on."""
    return Range(low)


def above(low: Number) -> Range:
    """Finite numbers greater than `low`."""
    return Range(low, open_low=True)


PROBABILITY = Range(0, 1)
"""From 0 to 1, both included."""

FRACTION = Range(0, 1, open_high=True)
"""From 0 to 1, without 1."""

SEED = Range(0, 2**32 - 1)
"""What every random generator here takes."""

WIDTH = Range(1, 2**16)
"""Units of a layer: one more, and a single matrix of weights takes over 16 GB."""

DEPTH = Range(1, 1000)
"""Layers of a network."""

CHUNK = Range(1, 10**6)
"""Updates in one program, each of which leaves its metrics in memory."""

RATIO = Range(1, 10**6)
"""Points for each row of a batch: with more their number is beyond JAX's counters."""

LARGEST = 2**31 - 1
"""Largest whole number of an option without a bound of its own: that of JAX's counters."""


def option(
    text: str,
    allowed: Range | None = None,
    *,
    default: Any = dataclasses.MISSING,
    name: str | None = None,
    unset: str | None = None,
    positional: bool = False,
    metavar: str | None = None,
    off: Any = None,
) -> Any:
    """A field that is an option.

    Args:
        text: What it is, in a line.
        allowed: The range of a number.
        default: Its value where nothing else says; a preset may say.
        name: Its name on the command line; the field's, with hyphens, where not given.
        unset: What None stands for, said by the help.
        positional: A word of its own, not `--name VALUE`.
        metavar: What stands for the value in the help.
        off: The value that `--no-name` stands for, of an option that is no flag.
    """
    about = {"text": text, "allowed": allowed, "name": name, "unset": unset}
    about |= {"positional": positional, "metavar": metavar, "off": off}
    return dataclasses.field(default=default, metadata={"option": about})


@dataclasses.dataclass(frozen=True)
class Option:
    """A leaf of a tree: where it is, and what was declared of it."""

    path: tuple[str, ...]
    name: str
    type: Any
    text: str
    allowed: Range | None
    default: Any
    unset: str | None
    positional: bool
    metavar: str | None
    off: Any = None

    @property
    def flag(self) -> str:
        """What the command line calls it."""
        return self.name.upper() if self.positional else "--" + self.name

    @property
    def negation(self) -> str | None:
        """What turns it off on the command line; None where nothing does."""
        can = self.plain is bool or self.off is not None
        return "--no-" + self.name if can and not self.positional else None

    @property
    def key(self) -> str:
        """What Python calls it."""
        return self.name.replace("-", "_")

    @property
    def choices(self) -> tuple[str, ...] | None:
        """The words that it may be; None where it is not one of some words."""
        for part in (self.type, *typing.get_args(self.type)):
            if typing.get_origin(part) is Literal:
                return typing.get_args(part)
        return None

    @property
    def optional(self) -> bool:
        """May it be None?"""
        return type(None) in typing.get_args(self.type)

    @property
    def plain(self) -> Any:
        """Its type, without None."""
        if isinstance(self.type, types.UnionType) or typing.get_origin(self.type) is typing.Union:
            return next(part for part in typing.get_args(self.type) if part is not type(None))
        return self.type

    def of(self, tree: Any) -> Any:
        """Its value in a tree."""
        for name in self.path:
            tree = getattr(tree, name)
        return tree


def leaves(tree: type | Any) -> tuple[Option, ...]:
    """The options of a tree, or of the class of one, in the order of their declaration."""
    return _list_leaves(tree if isinstance(tree, type) else type(tree), ())


@functools.cache
def _list_leaves(kind: type, path: tuple[str, ...]) -> tuple[Option, ...]:
    hints, found = typing.get_type_hints(kind), []
    for field in dataclasses.fields(kind):
        here = (*path, field.name)
        about = field.metadata.get("option")
        if about is not None:
            name = about["name"] or field.name.replace("_", "-")
            rest = {key: value for key, value in about.items() if key != "name"}
            found.append(Option(here, name, hints[field.name], default=field.default, **rest))
        elif dataclasses.is_dataclass(hints[field.name]):
            found += _list_leaves(hints[field.name], here)
    return tuple(found)


def check(part: Any) -> None:
    """Raise InputError for a value of this dataclass that is out of range or of another type."""
    for leaf in leaves(part):
        if len(leaf.path) == 1:
            check_value(leaf, leaf.of(part))


def check_value(leaf: Option, value: Any) -> None:
    """Raise InputError for a value that an option may not have."""
    if value is None and leaf.optional:
        return
    if leaf.choices is not None and value not in leaf.choices:
        raise InputError(
            f"{leaf.flag} must be one of {', '.join(leaf.choices)}; got {value!r}"
            f"{suggest(str(value), leaf.choices)}"
        )
    if leaf.plain in (int, float):
        _check_number(leaf, value)
    if leaf.plain is bool and not isinstance(value, bool):
        raise InputError(f"{leaf.flag} must be true or false; got {value!r}.")


def _settle(leaf: Option, value: Any) -> Any:
    """A value that an option may have: whole numbers as floats where it is one."""
    check_value(leaf, value)
    return float(value) if leaf.plain is float and value is not None else value


def _check_number(leaf: Option, value: Any) -> None:
    number = isinstance(value, int) or (leaf.plain is float and isinstance(value, float))
    if not number or isinstance(value, bool):
        what = "a whole number" if leaf.plain is int else "a number"
        raise InputError(f"{leaf.flag} must be {what}; got {value!r}.")
    allowed = leaf.allowed
    if leaf.plain is int and value > LARGEST:
        allowed = _bound(allowed or Range())
    if allowed is not None and not allowed.holds(value):
        finite = "" if is_finite(value) else " and finite"
        raise InputError(f"{leaf.flag} must be {allowed}{finite}; got {value}.")


def _bound(allowed: Range) -> Range:
    """The range of a whole number, which always has an end."""
    return allowed if math.isfinite(allowed.high) else dataclasses.replace(allowed, high=LARGEST)


def replace(tree: T, **values: Any) -> T:
    """The same tree with other values, by the names of the options, whatever part they are in.

    Raises InputError for a name that is no option of the tree, or a value out of range.
    """
    known = {leaf.key: leaf for leaf in leaves(tree)}
    for name in values:
        if name not in known:
            raise InputError(f"There is no option `{name}`{suggest(name, known)}")
    settled = {known[name].path: _settle(known[name], value) for name, value in values.items()}
    return _replace(tree, settled)


def _replace(tree: Any, values: dict[tuple[str, ...], Any]) -> Any:
    changes: dict[str, Any] = {path[0]: v for path, v in values.items() if len(path) == 1}
    deeper: dict[str, dict[tuple[str, ...], Any]] = {}
    for path, value in values.items():
        if len(path) > 1:
            deeper.setdefault(path[0], {})[path[1:]] = value
    changes |= {name: _replace(getattr(tree, name), inner) for name, inner in deeper.items()}
    return dataclasses.replace(tree, **changes)


def differences(tree: Any, preset: Any) -> dict[str, Any]:
    """The options in which a tree differs from another of its class, with their values."""
    return {o.key: o.of(tree) for o in leaves(tree) if o.of(tree) != o.of(preset)}


def from_dict(kind: type[T], content: Any, source: str) -> T:
    """The tree that `dataclasses.asdict` turned into nested dictionaries, every range checked.

    Raises InputError, which names `source`, where a name is missing, unknown or not a tree.
    """
    if not isinstance(content, dict):
        raise InputError(f"{source} is damaged: {kind.__name__} is not an object.")
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
    for name in sorted(names ^ content.keys()):
        what = "lacks" if name in names else "has the unknown option"
        raise InputError(f"{source} is damaged or of another version: it {what} {name!r}.")
    parts = {
        name: from_dict(hints[name], content[name], source)
        for name in names
        if dataclasses.is_dataclass(hints[name])
    }
    own = [leaf for leaf in leaves(kind) if len(leaf.path) == 1]
    try:
        values = {leaf.path[0]: _settle(leaf, content[leaf.path[0]]) for leaf in own}
        return kind(**parts, **values)
    except InputError as reason:
        raise InputError(f"{source} holds a value that it must not: {reason}") from reason
