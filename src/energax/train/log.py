"""What training writes: one JSON line per chunk, and a progress bar on a terminal."""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from energax.errors import InputError
from energax.files import append_line, parse_json, write_text


class Log:
    """A log of metrics, `metrics.jsonl`: strict JSON, a line for each chunk.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = ex.train.Log(pathlib.Path(folder) / "metrics.jsonl")
        ...     log.write({"step": 100, "loss": 0.5, "seconds": 2.0})
        ...     print(log.read())
        [{'step': 100, 'loss': 0.5, 'seconds': 2.0}]
    """

    def __init__(self, path: Path):
        self._path = path

    def write(self, line: dict[str, int | float]) -> None:
        """Append one line. Raises ValueError for a number that is not finite."""
        append_line(self._path, json.dumps(line, allow_nan=False))

    def rewind(self, step: int) -> None:
        """Remove the lines after `step`, whatever they hold: a crash may have left anything.

        Raises InputError where a line before is damaged.
        """
        kept = []
        for line in self._lines():
            if line["step"] <= step:
                kept.append(line)
            if line["step"] >= step:
                break
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept if step > 0))

    def read(self) -> list[dict[str, int | float]]:
        """All complete lines, oldest first; empty where nothing was written.

        Raises InputError where a line is damaged.
        """
        return list(self._lines())

    @property
    def empty(self) -> bool:
        """Has nothing been written?"""
        return not self._path.exists() or self._path.stat().st_size == 0

    def _lines(self) -> Iterator[dict[str, int | float]]:
        """The lines one by one, each checked when its turn comes."""
        text = "" if self.empty else self._path.read_bytes().decode(errors="replace")
        last = 0
        for count, words in enumerate(text[: text.rfind("\n") + 1].splitlines(), 1):
            line = _read_line(words, f"{self._path} is damaged in line {count}")
            if line["step"] <= last:
                raise InputError(
                    f"{self._path} is damaged in line {count}: step {line['step']} follows {last}."
                )
            last = line["step"]
            yield line


def _read_line(words: str, where: str) -> dict[str, int | float]:
    """A line of the log. Raises InputError, which begins with `where`, for what is none."""
    try:
        line = parse_json(words)
    except ValueError as reason:
        raise InputError(f"{where}: {reason}.") from reason
    for name in ("step", "seconds"):
        if name not in line:
            raise InputError(f"{where}: it lacks {name!r}.")
    for name, value in line.items():
        if type(value) not in (int, float) or abs(value) > sys.float_info.max:
            raise InputError(f"{where}: {name} must be a finite number; got {value!r}.")
    if type(line["step"]) is not int or line["step"] < 1:
        raise InputError(f"{where}: step must be a whole number at least 1; got {line['step']}.")
    return line


class Bar:
    """A progress bar: updates done, per second and left, with some metrics; silent when piped.

    Example:
        >>> with ex.train.Bar(total=10, done=5) as bar:
        ...     bar.show(10, 3.0, {"loss": 0.5})
    """

    def __init__(self, total: int, done: int):
        self._progress = Progress(
            TextColumn("[bold]training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:.0f}/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("[dim]{task.fields[watched]}"),
            console=Console(stderr=True),
            # Not Console.is_terminal, which FORCE_COLOR turns on in a pipe.
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=total, completed=done, speed=0.0, watched="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, step: int, speed: float, metrics: dict[str, float]) -> None:
        """Move the bar to `step` and print the numbers beside it."""
        shown = "  ".join(f"{name} {_short(value)}" for name, value in metrics.items())
        self._progress.update(self._task, completed=step, speed=speed, watched=shown)


def _short(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else str(value)
