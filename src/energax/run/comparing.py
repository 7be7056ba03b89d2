"""Runs on the same rows, side by side on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from energax import report
from energax.data import Dataset
from energax.errors import InputError
from energax.files import guard, write_text
from energax.model import baselines, config
from energax.options import leaves
from energax.progress import stage
from energax.report.collecting import grid_distribution, grid_model
from energax.report.number import Number, read_number
from energax.run.evaluating import read_samples
from energax.run.folder import Folder
from energax.train import Log

DIFFERENT = ("seed", "checkpoint_every", "chunk_steps")
"""Options in which runs of one method may differ."""


def name_methods(folders: Sequence[Folder]) -> list[str]:
    """The method of each run; its folder too where runs of one method differ in their options."""
    methods = [folder.method() for folder in folders]
    kinds = [
        (one.name, {leaf.key: leaf.of(one) for leaf in leaves(one) if leaf.key not in DIFFERENT})
        for one in methods
    ]
    found = []
    for folder, kind in zip(folders, kinds, strict=True):
        alone = all(other == kind for other in kinds if other[0] == kind[0])
        found.append(kind[0] if alone else f"{kind[0]} ({folder.path.name})")
    return found


def collect_comparison(
    folders: Sequence[Folder], names: Sequence[str], command: str, rows: Dataset | None = None
) -> "report.Comparison":
    """All that the page shows; `rows`: their data set, where it is at hand.

    Raises InputError for runs that did not see the same rows, or that are neither evaluated nor
    known to have diverged.
    """
    schemas = [folder.schema() for folder in folders]
    for folder, schema in zip(folders, schemas, strict=True):
        if schema.digest != schemas[0].digest:
            raise InputError(
                f"{folder.path} was trained on other rows than {folders[0].path}: "
                "compare runs on the same data."
            )
    known = folders[0].dataset() if rows is None else rows
    seen: set[str] = set()
    entries = []
    with stage(f"reading {len(folders)} runs"):
        for folder, name in zip(folders, names, strict=True):
            entries.append(_entry(folder, name, known, picture=name not in seen))
            seen.add(name)
    plane, truth = known.shape == (2,), known.distribution
    best = None if truth is None else _measure_truth(truth, known)
    fitted = baselines.fits(known.shape)
    with stage("fitting baselines"):
        simple = (
            baselines.measure_baselines(known.train, known.test, known.levels, None)
            if fitted
            else None
        )
    return report.Comparison(
        data=known.name,
        command=command,
        digest=known.digest,
        versions=config.read_entry(folders[0].path, "versions"),
        entries=entries,
        test=known.test,
        levels=known.levels,
        truth=best,
        baselines=simple,
        exact_density=grid_distribution(truth, known.test) if plane and truth else None,
    )


def _measure_truth(truth: Any, rows: Dataset) -> Number:
    found = baselines.measure_distribution(truth, rows.test)
    return read_number(found, "true_distribution")


def _entry(folder: Folder, name: str, rows: Dataset, *, picture: bool) -> "report.Entry":
    lines, method = Log(folder["metrics.jsonl"]).read(), folder.method()
    common: dict[str, Any] = {
        "method": name,
        "title": method.title,
        "seed": method.training.seed,
        "path": str(folder.path),
        "seconds": float(lines[-1]["seconds"]) if lines else 0.0,
    }
    why = folder.diverged
    if why is not None:
        return report.Entry(**common, evaluation=None, diverged=why)
    found = folder.evaluation()
    density = None
    if picture and rows.shape == (2,):
        log_z = found.get("log_z", {}).get("value")
        density = grid_model(folder.model(), rows.test, log_z or 0.0)
    samples = read_samples(folder)[0] if picture else None
    return report.Entry(**common, evaluation=found, draws=samples, density=density)


def write_comparison(path: Path, found: "report.Comparison") -> None:
    """The page, the table as Markdown, and a line for each run as CSV."""
    with stage("writing the comparison"):
        write_text(path / "comparison.html", report.render_comparison(found))
        write_text(path / "table.md", report.render_markdown(found))
        lines = pl.DataFrame([_line(entry) for entry in found.entries])
        text = pl.selectors.string()
        guarded = lines.with_columns(text.map_elements(guard, return_dtype=pl.String))
        write_text(path / "runs.csv", guarded.write_csv())


FIGURES = ("mmd", "kernel_stein", "modes_covered", "mode_shares_off", "coverage", "rhat")


def _line(entry: "report.Entry") -> dict[str, Any]:
    known = entry.likelihood
    values = {name: entry.figure(name) for name in FIGURES}
    return {
        "method": entry.method,
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
