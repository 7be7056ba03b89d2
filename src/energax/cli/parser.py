"""From a frozen dataclass of options to a command line, and back."""

import argparse
import dataclasses
import inspect
import shutil
import textwrap
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from energax.errors import InputError
from energax.options import Option, check, leaves
from energax.suggest import suggest

T = TypeVar("T")

WIDEST = 110
"""Columns of the help, at most."""

METAVARS = {int: "N", float: "X", str: "WORD", Path: "PATH"}
"""What stands for a value of a type."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, by an InputError."""

    def error(self, message: str) -> NoReturn:
        sentence = message.removeprefix("argument ")
        if sentence.startswith("the following arguments are required: "):
            names = sentence.partition(": ")[2]
            raise InputError(f"{self.prog} needs {names}: see {self.prog} --help.")
        name, _, fault = sentence.partition(": ")
        if fault.startswith("expected"):
            raise InputError(f"{name} {fault.replace('expected', 'needs')}.")
        if fault.startswith("ignored explicit argument"):
            yes, _, no = name.partition("/")
            raise InputError(f"{yes} takes no value: give {yes} or {no}.")
        raise InputError(fault or sentence)


def parse(command: type[T], name: str, words: Sequence[str]) -> T | None:
    """The command that the words say; None where they ask for help, which is printed.

    Raises InputError, with one sentence, for words that the command does not take.
    """
    if "-h" in words or "--help" in words:
        print(render_help(command, name))
        return None
    every = list(leaves(command))
    check_flags(words, every, f"energax {name}")
    made = command(**parse_values(every, f"energax {name}", words))
    check(made)
    return made


def check_flags(words: Sequence[str], every: Sequence[Option], prog: str) -> None:
    """Raise InputError for a word that looks like an option and is none."""
    known = [flag for leaf in every for flag in flags(leaf)]
    for word in words:
        flag = word.partition("=")[0]
        if flag.startswith("--") and len(flag) > 2 and flag not in (*known, "--help"):
            hint = suggest(flag, known, f": see {prog} --help.")
            raise InputError(f"{prog} has no option {flag}{hint}")


def flags(leaf: Option) -> tuple[str, ...]:
    """The words by which an option is given; none for a positional one."""
    if leaf.positional:
        return ()
    return (leaf.flag,) if leaf.negation is None else (leaf.flag, leaf.negation)


def parse_values(every: Iterable[Option], prog: str, words: Sequence[str]) -> dict[str, Any]:
    """The values that were given, by the keys of the options. Raises InputError as `parse`."""
    options = list(every)
    parser = _Parser(prog, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for leaf in options:
        _add(parser, leaf)
    found, rest = parser.parse_known_args(_join_negatives(words, options))
    if rest:
        raise InputError(f"{prog} does not take {rest[0]!r}: see {prog} --help.")
    values = vars(found)
    for leaf in options:
        if leaf.key in values and typing.get_origin(leaf.plain) is tuple:
            values[leaf.key] = tuple(values[leaf.key])
    return values


def _join_negatives(words: Sequence[str], options: Iterable[Option]) -> list[str]:
    """The words, `--name -1e-3` as `--name=-1e-3`: argparse takes the second for an option."""
    valued = {o.flag for o in options if o.plain in (int, float) and not o.positional}
    found: list[str] = []
    for word in words:
        if found and found[-1] in valued and word.startswith("-") and _is_number(word):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _add(parser: _Parser, leaf: Option) -> None:
    required = leaf.default is dataclasses.MISSING
    if leaf.plain is bool:
        parser.add_argument(leaf.flag, action=argparse.BooleanOptionalAction, dest=leaf.key)
        return
    inner, nargs = leaf.plain, None
    if typing.get_origin(leaf.plain) is tuple:
        inner, *more = typing.get_args(leaf.plain)
        nargs = len(more) + 1
        if Ellipsis in more:
            nargs = "*" if leaf.positional and not required else "+"
    convert = _converter(leaf, inner)
    if leaf.positional:
        nargs = nargs or (None if required else "?")
        parser.add_argument(leaf.key, type=convert, nargs=nargs, metavar=leaf.flag)
    else:
        # Of a flag of many values that is given twice, all count.
        action = "extend" if nargs == "+" else "store"
        about = {"type": convert, "nargs": nargs, "dest": leaf.key, "required": required}
        parser.add_argument(leaf.flag, action=action, **about)
    if leaf.off is not None and leaf.negation is not None:
        parser.add_argument(leaf.negation, action="store_const", const=leaf.off, dest=leaf.key)


def _converter(leaf: Option, kind: Any) -> Callable[[str], Any]:
    def convert(word: str) -> Any:
        if word == "none" and leaf.optional and kind in (int, float):
            return None
        if leaf.choices is not None:
            if word not in leaf.choices:
                raise argparse.ArgumentTypeError(
                    f"{leaf.flag} must be one of {', '.join(leaf.choices)}; got {word!r}"
                    f"{suggest(word, leaf.choices)}"
                )
            return word
        try:
            return kind(word)
        except ValueError as reason:
            what = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
            raise argparse.ArgumentTypeError(
                f"{leaf.flag} must be {what}; got {word!r}."
            ) from reason

    return convert


def render_help(command: type, name: str) -> str:
    """The help of a command that is one dataclass."""
    every = list(leaves(command))
    values = {leaf.key: leaf.default for leaf in every}
    positional = [leaf for leaf in every if leaf.positional]
    words = " ".join(leaf.flag for leaf in positional)
    text = inspect.getdoc(command) or ""
    groups = {"arguments": positional, "options": [o for o in every if not o.positional]}
    return "\n".join(
        [
            f"usage: energax {name} {words} [options]",
            "",
            *wrap(text),
            *render_groups(groups, values),
        ]
    )


def render_groups(groups: dict[str, list[Option]], values: dict[str, Any]) -> list[str]:
    """Lines of help: a heading for each group, a line for each option, with its value."""
    every = [leaf for group in groups.values() for leaf in group]
    column = 4 + max(len(_left(leaf)) for leaf in every)
    lines: list[str] = []
    for title, group in groups.items():
        if group:
            lines.append(f"{title}:")
            lines += [line for leaf in group for line in _explain(leaf, values, column)]
    return lines


def _explain(leaf: Option, values: dict[str, Any], column: int) -> list[str]:
    text = f"{leaf.text} {_value(leaf, values.get(leaf.key))}".strip()
    room = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST) - column
    first, *rest = textwrap.wrap(text, max(room, 30), break_on_hyphens=False)
    return [f"  {_left(leaf):{column - 2}}{first}", *(" " * column + line for line in rest)]


def _left(leaf: Option) -> str:
    if leaf.positional:
        return leaf.flag
    flag = leaf.flag if leaf.negation is None else leaf.flag.replace("--", "--[no-]", 1)
    if leaf.plain is bool:
        return flag
    return f"{flag} {leaf.metavar or METAVARS.get(leaf.plain, 'WORD')}"


def _value(leaf: Option, value: Any) -> str:
    if value is dataclasses.MISSING:
        return "(required)"
    if value is None:
        return f"({leaf.unset})" if leaf.unset else ""
    if isinstance(value, bool):
        return "(yes)" if value else "(no)"
    if isinstance(value, tuple):
        return f"({' '.join(map(str, value))})" if value else ""
    return f"({value:g})" if isinstance(value, float) else f"({value})"


def wrap(text: str) -> list[str]:
    """The lines of some paragraphs, each followed by an empty one."""
    room = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    parts = (textwrap.fill(part, room, break_on_hyphens=False) for part in text.split("\n\n"))
    return [line for part in parts for line in (*part.split("\n"), "")]
