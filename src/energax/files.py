"""Files that are complete or not there at all: the one place that writes them."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from energax.errors import InputError


@contextlib.contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its place when the block ends well, and else is removed.

    What is written survives a power cut: the file is on disk before it gets its name, and the name
    before the block is left.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A draft folder that becomes `path` when the block ends well, and else is removed.

    Raises InputError where `path` exists.
    """
    if path.exists():
        raise InputError(f"{path} exists already: choose another name.")
    draft = path.with_name(f".{path.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        yield draft
        sync(draft)
        draft.rename(path)
        sync(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_text(path: Path, text: str) -> None:
    """A text file."""
    with draft_file(path) as draft:
        draft.write_text(text)


RUN = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run as a formula."""


def guard(text: str) -> str:
    """Text as a cell of CSV that no spreadsheet runs: after a quote where it looks like a formula.

    Not for numbers, of which -1 is one.
    """
    return f"'{text}" if text.startswith(RUN) else text


def unguard(text: str) -> str:
    """What `guard` was given."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(RUN) else text


def write_json(path: Path, content: Any) -> None:
    """Strict JSON: numbers that are not finite raise ValueError."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError where it is missing or damaged."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as reason:
        raise InputError(f"{path} is missing: the folder is incomplete.") from reason
    except (json.JSONDecodeError, UnicodeDecodeError) as reason:
        raise InputError(f"{path} is damaged: it is not JSON ({reason}).") from reason
    if type(found) is not dict:
        raise InputError(f"{path} is damaged: it holds no JSON object.")
    return found


def check_target(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise InputError, before any work, for a target that exists or has an unknown ending."""
    if out.suffix not in suffixes:
        raise InputError(f"--out {out} must end in {' or '.join(suffixes)}.")
    if out.exists():
        raise InputError(f"--out {out} exists already: choose another name.")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist.")
