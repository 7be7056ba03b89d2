"""Runs on the same rows, side by side on one page."""

import dataclasses
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import tyro

from energax import report
from energax.data import Dataset
from energax.errors import InputError
from energax.recipe.baseline import baselines, true_distribution
from energax.recipe.evaluate import BASELINE_DIM
from energax.recipe.folder import Folder, load, new_folder, read_json, whole
from energax.recipe.report import exact_density, model_density, samples
from energax.recipe.titles import TITLES
from energax.report.number import read_number
from energax.train import Log

DIFFERENT = ("seed", "checkpoint_every", "chunk_steps")
"""Settings in which runs of one method may differ."""


@dataclasses.dataclass(frozen=True)
class Compare:
    """Put finished runs on one page, with a table: runs that differ by their seed share a line."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of evaluated runs, all trained on the same rows."""
    out: Path = Path("comparison")
    """Folder for comparison.html, table.md and runs.csv; must not exist."""

    def __call__(self) -> None:
        if not self.runs:
            raise InputError("Give the folders of the runs to compare.")
        folders = [Folder(path) for path in self.runs]
        names = named(folders)
        words = ["energax", "compare", *map(str, self.runs), "--out", str(self.out)]
        found = gathered(folders, names, shlex.join(words))
        with new_folder(self.out) as draft:
            write(draft, found)
        print(f"Comparison: {self.out / 'comparison.html'}")


def named(folders: Sequence[Folder]) -> list[str]:
    """The method of each run: its objective, and its folder too where runs of it differ."""
    settings = [folder.config()["settings"] for folder in folders]
    kinds = [{n: v for n, v in one.items() if n not in DIFFERENT} for one in settings]
    found = []
    for folder, kind in zip(folders, kinds, strict=True):
        same = [other for other in kinds if other["objective"] == kind["objective"]]
        alone = all(other == kind for other in same)
        found.append(kind["objective"] if alone else f"{kind['objective']} ({folder.path.name})")
    return found


def gathered(folders: Sequence[Folder], names: Sequence[str], command: str) -> report.Comparison:
    """All that the page shows. Raises InputError for runs that did not see the same rows, or that
    are neither evaluated nor known to have diverged."""
    configs = [folder.config() for folder in folders]
    for folder, config in zip(folders, configs, strict=True):
        if config["data"]["digest"] != configs[0]["data"]["digest"]:
            raise InputError(
                f"{folder.path} was trained on other rows than {folders[0].path}: "
                "compare runs on the same data."
            )
    rows = folders[0].dataset()
    seen: set[str] = set()
    entries = []
    for folder, name in zip(folders, names, strict=True):
        entries.append(_entry(folder, name, rows, picture=name not in seen))
        seen.add(name)
    plane = rows.shape == (2,)
    truth = (
        None
        if rows.distribution is None
        else read_number(true_distribution(rows.distribution, rows.test), "true_distribution")
    )
    return report.Comparison(
        data=configs[0]["data"]["name"],
        command=command,
        digest=configs[0]["data"]["digest"],
        versions=configs[0]["versions"],
        entries=entries,
        test=rows.test,
        levels=rows.levels,
        truth=truth,
        baselines=baselines(rows) if math.prod(rows.shape) <= BASELINE_DIM else None,
        exact_density=exact_density(rows.distribution, rows.test)
        if plane and rows.distribution
        else None,
    )


def _entry(folder: Folder, name: str, rows: Dataset, *, picture: bool) -> report.Entry:
    lines = Log(folder["metrics.jsonl"]).read()
    common: dict[str, Any] = {
        "method": name,
        "title": TITLES.get(name, name),
        "seed": folder.config()["settings"]["seed"],
        "path": str(folder.path),
        "seconds": float(lines[-1]["seconds"]) if lines else 0.0,
    }
    if folder["diverged.json"].exists():
        why = str(read_json(folder["diverged.json"]).get("why"))
        return report.Entry(**common, evaluation=None, diverged=why)
    if not folder["evaluation.json"].exists():
        raise InputError(f"{folder.path} is not evaluated: run `energax evaluate {folder.path}`.")
    found = read_json(folder["evaluation.json"])
    density = None
    if picture and rows.shape == (2,):
        log_z = found.get("log_z", {}).get("value")
        density = model_density(load(folder.path), rows.test, log_z or 0.0)
    draws = samples(folder)[0] if picture else None
    return report.Entry(**common, evaluation=found, draws=draws, density=density)


def write(path: Path, found: report.Comparison) -> None:
    """The page, the table as Markdown, and a line for each run as CSV."""
    content = {
        "comparison.html": report.render_comparison(found),
        "table.md": report.render_markdown(found),
        "runs.csv": pl.DataFrame([_line(e) for e in found.entries]).write_csv(),
    }
    for name, text in content.items():
        with whole(path / name) as draft:
            draft.write_text(text)


FIGURES = ("mmd", "kernel_stein", "modes_covered", "mode_shares_off", "coverage", "rhat")


def _line(entry: report.Entry) -> dict[str, Any]:
    known = entry.likelihood
    values = {name: entry.figure(name) for name in FIGURES}
    return {
        "objective": entry.method,
        "seed": entry.seed,
        "test_log_likelihood": None if known is None else known.value,
        "lower": None if known is None else known.lower,
        "upper": None if known is None else known.upper,
        "certified": known is not None and known.certified,
        **{name: None if found is None else found.value for name, found in values.items()},
        "training_seconds": entry.seconds,
        "diverged": entry.diverged,
        "why": "" if known is None else known.why,
        "run": entry.path,
    }
