"""Files that are complete or not there at all: the one place that writes them."""

import contextlib
import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from energax.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of an OSError for a disk, or a quota, without space."""


@contextlib.contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its place when the block ends well, and else is removed.

    What is written survives a power cut: the file is on disk before it gets its name, and the name
    before the block is left. An OSError of the disk names `path`.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with name_failures(path, draft):
            yield draft
            sync(draft)
            draft.replace(path)
            sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def name_failures(path: Path, draft: Path) -> Iterator[None]:
    """Let an OSError name `path`, not its draft; that of a write into an open file names none."""
    try:
        yield
    except OSError as failure:
        if failure.filename is None or Path(failure.filename).is_relative_to(draft):
            failure.filename = str(path)
        raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_bytes(path: Path, content: bytes) -> None:
    """A file of bytes."""
    with draft_file(path) as draft:
        draft.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """A text file."""
    write_bytes(path, text.encode())


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


def append_line(path: Path, line: str) -> None:
    """One more line of a text file; after a crash, the last one may be incomplete."""
    with name_failures(path, path), path.open("a") as file:
        file.write(line + "\n")


def hash_file(path: Path) -> str:
    """SHA-256 of a file. Raises InputError where it is missing."""
    if not path.exists():
        raise InputError(f"{path} is missing: the folder is incomplete.")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError where it is missing or damaged."""
    try:
        return parse_json(path.read_text())
    except FileNotFoundError as reason:
        raise InputError(f"{path} is missing: the folder is incomplete.") from reason
    except ValueError as reason:
        raise InputError(f"{path} is damaged: {reason}.") from reason


def parse_json(text: str) -> dict[str, Any]:
    """The object in a text of strict JSON. Raises ValueError for another text."""
    try:
        found = json.loads(text, parse_constant=_parse_number, parse_float=_parse_number)
    except (json.JSONDecodeError, RecursionError) as reason:
        raise ValueError(f"it is not JSON ({reason})") from reason
    if type(found) is not dict:
        raise ValueError("it holds no JSON object")
    return found


def _parse_number(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"it holds the number {word}, which is not finite")
    return value


def check_target(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise InputError, before any work, for a target that exists or has an unknown ending."""
    if out.suffix not in suffixes:
        raise InputError(f"--out {out} must end in {' or '.join(suffixes)}.")
    if out.exists():
        raise InputError(f"--out {out} exists already: choose another name.")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist.")
