"""A published experiment again, ours beside the published numbers."""

import dataclasses
from pathlib import Path

from energax import reproduce
from energax.options import at_least, option
from energax.progress import show_stages


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Repeat a published experiment, several seeds of each setting, beside the published numbers.

    The same command goes on where it was stopped, and with more seeds it adds them. Writes
    table.md, results.json and pictures; of dual-..., curves.csv too.
    """

    name: str = option(
        "dual-3d, dual-15d, dual-scales, dual-lazy, teaching-mnist or teaching-outliers.",
        positional=True,
    )
    seeds: int = option(
        "Runs of each setting: seeds 0, 1, ..., each with weights and noise of its own.",
        at_least(1),
        default=5,
    )
    out: Path | None = option("Folder of the experiment.", default=None, unset="reproduced/NAME")
    steps: int | None = option(
        "Updates of every run.", at_least(1), default=None, unset="as published"
    )
    rows: int | None = option(
        "Training rows of every run: fewer make a smaller experiment.",
        at_least(1),
        default=None,
        unset="as published",
    )
    only: tuple[str, ...] = option(
        "Names of settings, as files in the folder's `runs` begin; all: each one.", default=("all",)
    )

    def __call__(self) -> None:
        show_stages()
        out = self.out or Path("reproduced") / self.name
        for path in reproduce.repeat(self.name, self.seeds, out, self.steps, self.rows, self.only):
            print(path)
