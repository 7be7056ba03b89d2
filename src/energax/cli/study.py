"""Every method on one data set, with one network: one command, one page, one table."""

import dataclasses
from pathlib import Path
from typing import Literal

from energax import run
from energax.cli.train import FRACTION, read_data
from energax.options import DEPTH, WIDTH, at_least, option
from energax.progress import show_stages


@dataclasses.dataclass(frozen=True)
class Study:
    """Train one network on one data set by many methods, several seeds each, and compare them.

    Each method runs with its own preset. The same command goes on where it was stopped, and with
    more methods or seeds it adds them.
    """

    data: str = option("A name or a path, as for `energax train`.", positional=True)
    methods: tuple[str, ...] = option(
        "Names of `energax methods`; all: each one that suits the data.", default=("all",)
    )
    seeds: int = option("Runs of each method: seeds 0, 1, ...", at_least(1), default=3)
    out: Path | None = option("Folder of the study.", default=None, unset="studies/DATA")
    steps: int | None = option(
        "Updates of every run.", at_least(1), default=None, unset="each method's own"
    )
    network: Literal["mlp", "conv", "shallow"] | None = option(
        "The network of every run: mlp, conv or shallow.", default=None, unset="the preset's"
    )
    width: int | None = option("Its width.", WIDTH, default=None, unset="the preset's")
    depth: int | None = option("Its depth.", DEPTH, default=None, unset="the preset's")
    test_fraction: float = option(
        "Share of a file's rows that is kept for the test, where the file does not say.",
        FRACTION,
        default=0.2,
    )

    def __call__(self) -> None:
        show_stages()
        rows = read_data(self.data, self.test_fraction)
        out = self.out or Path("studies") / rows.name
        options = {name: getattr(self, name) for name in ("steps", "network", "width", "depth")}
        run.study(self.data, rows, self.methods, self.seeds, out, options, self.test_fraction)
