"""What an experiment leaves behind: a table, its curves, a figure, the 2-sphere."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl

from energax.files import draft_file, write_json, write_text
from energax.report.figure_runs import Line, Measure, runs_figure
from energax.report.figure_sphere import Moment, sphere_figure
from energax.reproduce.dual.plan import Setting
from energax.reproduce.dual.published import RESULTS
from energax.reproduce.dual.running import MEASURES, SNAPSHOTS
from energax.reproduce.dual.table import at, table
from energax.reproduce.dual.targets import target
from energax.reproduce.experiment import Record, Runs, fine

SHOWN = (
    Measure("kl", "KL, nats", True),
    Measure("sm", "SM error", True),
    Measure("variation", "mean weight", False),
)


def write(out: Path, name: str, runs: Runs) -> list[Path]:
    """Everything about the finished runs; the paths that were written."""
    write_text(out / "table.md", table(name, runs))
    write_text(out / "curves.csv", curves(runs).write_csv())
    results = [
        {"setting": dataclasses.asdict(setting), "runs": list(runs[setting])} for setting in runs
    ]
    write_json(out / "results.json", {"name": name, "results": results})
    written = [out / "table.md", out / "curves.csv", out / "results.json"]
    groups: dict[str, list[Line]] = {}
    for setting, records in runs.items():
        if fine(records):
            groups.setdefault(setting.group, []).append(_line(name, setting, fine(records)))
    if groups:
        with draft_file(out / "figure.png") as draft:
            runs_figure(draft, groups, SHOWN)
        written.append(out / "figure.png")
    for setting, records in runs.items():
        kept = out / "runs" / f"{setting.word}-0.npz"
        if setting.pictured and kept.exists():
            path = out / f"sphere-{setting.word}.png"
            _sphere(path, setting, records[0], kept)
            written.append(path)
    return written


def curves(runs: Runs) -> pl.DataFrame:
    """A line for each run and measured iteration."""
    parts = [
        pl.DataFrame(
            {"setting": setting.word, "seed": record["seed"], "iteration": record["iteration"]}
            | {measure: record[measure] for measure in MEASURES}
        )
        for setting, records in runs.items()
        for record in fine(records)
    ]
    return pl.concat(parts) if parts else pl.DataFrame({"setting": []})


def _line(name: str, setting: Setting, records: list[Record]) -> Line:
    published: dict[str, dict[int, float]] = {}
    known = RESULTS.get((name, setting.word))
    if known is not None:
        published["kl"] = known.kl
        for measure, value in (("sm", known.last_sm), ("variation", known.variation)):
            if value is not None:
                published[measure] = {max(known.kl): value}
    source = "" if known is None else known.word
    values = {measure: np.array([record[measure] for record in records]) for measure in MEASURES}
    return Line(setting.label, np.array(records[0]["iteration"]), values, published, source)


def _sphere(path: Path, setting: Setting, record: Record, kept: Path) -> None:
    distribution = target(setting.teacher)
    with np.load(kept, allow_pickle=False) as arrays:
        moments = [
            Moment(
                step,
                f"KL {at(record, 'kl', step):.2g} nats",
                arrays[f"particles-{step}"],
                arrays[f"directions-{step}"],
                arrays[f"weights-{step}"],
            )
            for step in SNAPSHOTS
            if f"particles-{step}" in arrays
        ]
    with draft_file(path) as draft:
        sphere_figure(
            draft,
            moments,
            np.asarray(distribution.directions),
            lambda rows: np.asarray(
                jax.vmap(distribution)(jnp.asarray(rows, distribution.directions.dtype))
            ),
        )
