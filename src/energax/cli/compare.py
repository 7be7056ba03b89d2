"""Runs on the same rows, side by side on one page."""

import dataclasses
import shlex
from pathlib import Path

from energax import run
from energax.drafts import draft_folder
from energax.options import option
from energax.progress import show_stages


@dataclasses.dataclass(frozen=True)
class Compare:
    """Put finished runs on one page, with a table: runs that differ by their seed share a line."""

    runs: tuple[Path, ...] = option(
        "Folders of evaluated runs, all trained on the same rows.", positional=True
    )
    out: Path = option(
        "Folder for comparison.html, table.md and runs.csv; must not exist.",
        default=Path("comparison"),
    )

    def __call__(self) -> None:
        show_stages()
        folders = [run.Folder(path) for path in self.runs]
        names = run.name_methods(folders)
        words = ["energax", "compare", *map(str, self.runs), "--out", str(self.out)]
        found = run.collect_comparison(folders, names, shlex.join(words))
        with draft_folder(self.out) as draft:
            run.write_comparison(draft, found)
        print(f"Comparison: {self.out / 'comparison.html'}")
