"""What a command is doing now: a spinner on a terminal, a line per stage when piped."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


class _Screen:
    """Where stages are shown: nowhere until a command says so."""

    shown = False
    status: Any = None


def show_stages(shown: bool = True) -> None:
    """Show the stages of this process from now on, or no longer: commands do, the library not."""
    _Screen.shown = shown


@contextlib.contextmanager
def stage(text: str) -> Iterator[None]:
    """A part of a command that may take more than a moment: `text` is shown while it runs."""
    if not _Screen.shown:
        yield
    elif not sys.stderr.isatty():
        announce(text)
        yield
    else:
        with _spin(text):
            yield


def announce(text: str) -> None:
    """A line, when piped, for a stage that on a terminal shows more than a spinner."""
    if _Screen.shown and not sys.stderr.isatty():
        print(f"{text} ...", flush=True)


def say(text: str) -> None:
    """A line that stays, of what a command has found."""
    if _Screen.shown:
        print(text, flush=True)


@contextlib.contextmanager
def _spin(text: str) -> Iterator[None]:
    from rich.console import Console

    if _Screen.status is not None:
        # A stage within a stage: one line, the innermost text.
        _Screen.status.update(f"{text} ...")
        yield
        return
    with Console(stderr=True).status(f"{text} ...") as status:
        _Screen.status = status
        try:
            yield
        finally:
            _Screen.status = None
