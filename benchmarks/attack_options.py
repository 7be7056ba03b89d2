"""Options and runs that are wrong in one way each: every option, every entry, every file."""

import dataclasses
import importlib
import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from energax.cli.entry import COMMANDS
from energax.method import METHODS
from energax.options import Option, Range, leaves

QUICK = {"steps": 5, "chunk-steps": 5, "batch-size": 8, "width": 8, "depth": 1, "components": 1}
"""Options of a run that trains in a moment."""

SLOW = {"steps", "chain_steps", "latent_steps", "rounds", "halvings", "proposals"}
"""Options whose value only takes time in proportion: no large ones are tried."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A command in a folder with rows.npy and a run, after something was done to the run.

    `made` is what it writes; `refused`: must it end with 2? None: it may.
    """

    name: str
    words: tuple[str, ...]
    made: str
    refused: bool | None = True
    spoil: Callable[[Path], object] = lambda run: None


def quick(method: str) -> list[str]:
    """Words of `energax train` for a short run of a method on rows.npy."""
    known = {leaf.name for leaf in leaves(METHODS[method])}
    small = [word for name, value in QUICK.items() if name in known for word in _flag(name, value)]
    return ["train", "rows.npy", "--method", method, *small, "--no-evaluate", "--out", "new"]


def _flag(name: str, value: object) -> tuple[str, str]:
    return f"--{name}", str(value)


def list_wrong(leaf: Option) -> Iterator[tuple[str, ...]]:
    """Words after which no command can make sense of an option."""
    flag = leaf.flag
    yield (f"--{leaf.name[:2]}x{leaf.name[2:]}", "1")
    if leaf.plain is bool:
        yield (f"{flag}=maybe",)
        yield (f"{flag}=1",)
        return
    yield (flag,)
    if leaf.choices is not None:
        yield from ((flag, word) for word in ("", "7", "nan", leaf.choices[0].upper(), "x" * 5000))
    if leaf.plain not in (int, float):
        return
    yield from ((flag, word) for word in ("", "many", "1,5", "0x10", "nan", "inf", "-inf", "1e999"))
    whole = ("1.5", "1e3", "1_0.", str(10**12), str(-(10**12)), "9" * 400)
    yield from ((flag, word) for word in whole if leaf.plain is int)
    allowed = leaf.allowed
    if allowed is not None and math.isfinite(allowed.low):
        yield flag, str(allowed.low if allowed.open_low else allowed.low - 1)
        yield flag, "-1e300" if leaf.plain is float else "-2147483649"
    if allowed is not None and math.isfinite(allowed.high):
        yield flag, str(allowed.high if allowed.open_high else allowed.high + 1)


def list_extreme(leaf: Option) -> Iterator[str]:
    """Values of a number that its range holds, and that hardly anybody means."""
    if leaf.plain not in (int, float):
        return
    allowed = leaf.allowed or Range(-1e30)
    if leaf.plain is int:
        yield str(allowed.low)
        if leaf.key not in SLOW:
            yield str(allowed.high if math.isfinite(allowed.high) else 2**31 - 1)
        return
    yield "1e-30" if allowed.open_low else str(allowed.low)
    if math.isinf(allowed.high):
        yield from ("1e30", "1e300")
    else:
        yield "0.9999999" if allowed.open_high else str(allowed.high)


def train_with_wrong_options() -> Iterator[Trial]:
    """Every option of every method."""
    for method in METHODS:
        for leaf in leaves(METHODS[method]):
            for words in list_wrong(leaf):
                name = f"{method} {' '.join(words)[:60]}"
                yield Trial(name, (*quick(method), *words), "new")


def train_with_extreme_options() -> Iterator[Trial]:
    """Every option once, by the first method that has it."""
    first: dict[str, tuple[str, Option]] = {}
    for method in METHODS:
        for leaf in leaves(METHODS[method]):
            first.setdefault(leaf.key, (method, leaf))
    for method, leaf in first.values():
        for value in list_extreme(leaf):
            words = (*quick(method), leaf.flag, value)
            yield Trial(f"{method} {leaf.flag} {value}", words, "new", refused=None)


def drive_off() -> Iterator[Trial]:
    """Learning rates and step sizes that are far too large, for 20 methods."""
    for method in list(METHODS)[:20]:
        known = {leaf.key: leaf.flag for leaf in leaves(METHODS[method])}
        trials = [("learning_rate", rate) for rate in (10, 100, 1000)]
        for key, value in [*trials, ("step_size", 10)]:
            if key in known:
                words = (*quick(method), "--steps", "40", known[key], str(value))
                yield Trial(f"{method} {known[key]} {value}", words, "new", refused=None)


def use_with_wrong_options() -> Iterator[Trial]:
    """Every option of every other command."""
    given = {"run": ["run"], "rows": ["rows.npy"], "data": ["rows.npy"], "runs": ["run", "run"]}
    given |= {"name": ["dual-3d"]}
    for command in COMMANDS:
        if command in ("train", "methods", "data"):
            continue
        own = leaves(getattr(importlib.import_module(f"energax.cli.{command}"), command.title()))
        words = [command, *(word for o in own if o.positional for word in given[o.key])]
        if any(leaf.key == "out" for leaf in own):
            words += ["--out", "new"] if command in ("study", "compare") else ["--out", "new.csv"]
        made = words[-1] if "--out" in words else "run/report.html"
        for leaf in own:
            for more in () if leaf.positional else list_wrong(leaf):
                yield Trial(f"{command} {' '.join(more)[:60]}", (*words, *more), made)
        for leaf in own:
            if leaf.positional:
                for word in ("", "no-such", "rows.npy", "/", "/dev/null", "x" * 300, "a\0b"):
                    place = words.index(given[leaf.key][0])
                    swapped = (*words[:place], word, *words[place + 1 :])
                    if swapped != tuple(words):
                        yield Trial(f"{command} {leaf.name} {word[:9]!r}", swapped, made)


EDITS: dict[str, Any] = {
    "text": "x",
    "null": None,
    "list": [],
    "nested": {"a": {"b": [1]}},
    "negative": -1,
    "NaN": math.nan,
    "infinite": -math.inf,
    "huge": 10**400,
    "large": 1e300,
    "true": True,
}

READERS = {
    "score": ("score", "run", "rows.npy", "--out", "new.csv"),
    "sample": ("sample", "run", "--num", "4", "--out", "new.csv"),
    "report": ("report", "run"),
    "resume": ("train", "--resume", "run", "--no-evaluate"),
}
"""Commands that read a run: that it stays as it was is checked where they are refused."""

MADE = {"score": "new.csv", "sample": "new.csv", "report": "run/report.html", "resume": "none"}
"""What they write."""

TEXTS = {  # file -> commands that read it
    "config.json": ("score", "report"),
    "transform.json": ("sample",),
    "log_z.json": ("score",),
    "evaluation.json": ("report",),
    "diverged.json": ("resume",),
}


def _places(content: Any, place: tuple = ()) -> Iterator[tuple]:
    pairs = content.items() if isinstance(content, dict) else list(enumerate(content))[:1]
    for name, inner in pairs:
        yield (*place, name)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*place, name))


def _edit(path: str, place: tuple, value: Any, run: Path) -> None:
    content = inner = json.loads((run / path).read_text())
    for name in place[:-1]:
        inner = inner[name]
    if value is EDITS:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    (run / path).write_text(json.dumps(content))


def edit_entries(run: Path) -> Iterator[Trial]:
    """Every entry of every JSON file of a run, in every way; without the entry, too."""
    for file, readers in TEXTS.items():
        if not (run / file).exists():
            continue
        for place in _places(json.loads((run / file).read_text())):
            for what, value in {**EDITS, "missing": EDITS}.items():
                name = f"{file} {'.'.join(map(str, place))} {what}"
                for reader in readers:
                    words = READERS[reader]
                    spoil = partial(_edit, file, place, value)
                    yield Trial(f"{reader}: {name}", words, MADE[reader], None, spoil)


def _rewrite(path: str, change: Callable[[bytes], bytes], run: Path) -> None:
    (run / path).write_bytes(change((run / path).read_bytes()))


def _replace_by_folder(path: str, run: Path) -> None:
    (run / path).unlink()
    (run / path).mkdir()


def _flip(place: float, bit: int, content: bytes) -> bytes:
    at = int(place * len(content))
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def damage_files(run: Path) -> Iterator[Trial]:
    """Every file of a run: cut, emptied, removed, with a bit flipped, another in its place."""
    chance = random.Random(0)
    for file in sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()):
        if file in (".lock", "report.html"):
            continue
        changes: dict[str, Callable[[Path], object]] = {
            "removed": lambda run, file=file: (run / file).unlink(),
            "a folder": partial(_replace_by_folder, file),
            "empty": partial(_rewrite, file, lambda content: b""),
            "zeros": partial(_rewrite, file, lambda content: bytes(len(content))),
            "twice": partial(_rewrite, file, lambda content: content * 2),
            "other bytes": partial(_rewrite, file, lambda content: b"\xff\xfe" + content),
        }
        for part in (0.1, 0.5, 0.9, 0.999):
            changes[f"cut at {part}"] = partial(
                _rewrite, file, lambda content, part=part: content[: int(part * len(content))]
            )
        for _ in range(8):
            flip = partial(_flip, chance.random(), chance.randrange(8))
            changes[f"bit flipped at {flip.args[0]:.3f}"] = partial(_rewrite, file, flip)
        for what, spoil in changes.items():
            for reader, words in READERS.items():
                yield Trial(f"{reader}: {file} {what}", words, MADE[reader], None, spoil)


def copy_run(run: Path, place: Path) -> Path:
    """A copy of a run, to spoil."""
    return Path(shutil.copytree(run, place / "run"))


FAMILIES: dict[str, Callable[[Path], Iterator[Trial]]] = {
    "options of methods": lambda run: train_with_wrong_options(),
    "extreme options": lambda run: train_with_extreme_options(),
    "driven off": lambda run: drive_off(),
    "options of commands": lambda run: use_with_wrong_options(),
    "edited entries": edit_entries,
    "damaged files": damage_files,
}
"""Trials of each family, for a finished and evaluated run."""
