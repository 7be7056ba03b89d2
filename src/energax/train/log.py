"""What training writes: one JSON line per chunk, and a progress bar on a terminal."""

import json
import math
import sys
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from energax.files import append_line, write_text


class Log:
    """A log of metrics, `metrics.jsonl`: strict JSON, a line for each chunk.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = ex.train.Log(pathlib.Path(folder) / "metrics.jsonl")
        ...     log.write({"step": 100, "loss": 0.5})
        ...     print(log.read())
        [{'step': 100, 'loss': 0.5}]
    """

    def __init__(self, path: Path):
        self._path = path

    def write(self, line: dict[str, int | float]) -> None:
        """Append one line. Raises ValueError for a number that is not finite."""
        append_line(self._path, json.dumps(line, allow_nan=False))

    def rewind(self, step: int) -> None:
        """Remove the lines after `step`, and a last line that is incomplete."""
        kept = [line for line in self.read() if line["step"] <= step]
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def read(self) -> list[dict[str, int | float]]:
        """All complete lines, oldest first; empty where nothing was written."""
        if not self._path.exists():
            return []
        text = self._path.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


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
