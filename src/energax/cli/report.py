"""The page of a run."""

import dataclasses
from pathlib import Path

from energax import run
from energax.cli.common import run_option
from energax.progress import show_stages


@dataclasses.dataclass(frozen=True)
class Report:
    """Write the page of a trained and evaluated run again."""

    run: Path = run_option()

    def __call__(self) -> None:
        show_stages()
        folder = run.Folder(self.run)
        run.write_report(folder)
        print(f"Report: {folder['report.html']}")
