"""What an experiment leaves behind: tables, curves, and images before and after both chains."""

import dataclasses
from pathlib import Path

import numpy as np

from energax.files import draft_file, write_json, write_text
from energax.report.figure_ablations import Panel, Series, ablations_figure
from energax.reproduce.experiment import Runs, fine
from energax.reproduce.teach import outlier_table, table
from energax.reproduce.teach.images import Judge, judge
from energax.reproduce.teach.plan import TITLES, Images
from energax.run.rows import write_sheet

SHEET = ("rows", "started", "ended", "before", "after", "between")
"""Lines of a sheet: test rows, what the encoder makes of them, and the chain on z; draws of the
generator, and the chain on x; a straight line between the codes of the first two rows."""


def write(out: Path, name: str, runs: Runs) -> list[Path]:
    """Everything about the finished runs; the paths that were written."""
    outliers = name == "teaching-outliers"
    words = outlier_table.table(runs) if outliers else table.table(runs, judges(runs))
    write_text(out / "table.md", words)
    results = [
        {"setting": dataclasses.asdict(setting), "runs": list(runs[setting])} for setting in runs
    ]
    write_json(out / "results.json", {"name": name, "results": results})
    written = [out / "table.md", out / "results.json"]
    if not outliers:
        rows = {title: panels(runs, data) for data, title in TITLES.items()}
        with draft_file(out / "figure.png") as draft:
            ablations_figure(draft, rows)
        written.append(out / "figure.png")
    return written + [
        _sheet(out, setting.word) for setting in runs if _has_images(out, setting.word)
    ]


def judges(runs: Runs) -> dict[tuple[Images, int], Judge]:
    """The classifiers by which the runs were measured, by data set and pooling."""
    used = dict.fromkeys((setting.data, setting.pool) for setting in runs)
    return {each: judge(*each) for each in used}


def panels(runs: Runs, data: Images) -> list[Panel]:
    """Distance by the steps on x, energy along the chain on x, error along the chain on z."""
    of = {setting.word: (setting, fine(records)) for setting, records in runs.items()}
    found = {word.removeprefix(f"{data}-"): it for word, it in of.items() if it[1]}
    lengths = [found[word] for word in ("x10", "x20", "base", "x50") if word in found]
    steps = np.array([setting.chain for setting, _ in lengths])

    def ends(place: int) -> list[np.ndarray]:
        return [np.array([r["frechet"][place] for r in records]) for _, records in lengths]

    distances = [
        Series(label, steps, ends(place))
        for label, place in (("the generator's draws", 0), ("after the chain", 1))
        if lengths
    ]

    def along(words: tuple[str, ...], measure: str) -> list[Series]:
        series = []
        for setting, records in (found[word] for word in words if word in found):
            values = np.array([record[measure] for record in records])
            series.append(Series(setting.label, np.arange(values.shape[1]), list(values.T)))
        return series

    inferring = ("noise10", "noise30", "base", "encoder30")
    return [
        Panel("steps on x in training", "Fréchet distance", distances, spread=True),
        Panel("step on x", "mean energy", along(("base",), "energies")),
        Panel("step on z", "squared error of a pixel", along(inferring, "errors"), log=True),
    ]


def _has_images(out: Path, word: str) -> bool:
    return (out / "runs" / f"{word}-0.npz").exists()


def _sheet(out: Path, word: str) -> Path:
    """The images of the first seed, a line for each of `SHEET`."""
    with np.load(out / "runs" / f"{word}-0.npz", allow_pickle=False) as arrays:
        lines = [np.clip(arrays[name], -1, 1) for name in SHEET]
    path = out / f"images-{word}.png"
    write_sheet(path, np.concatenate(lines), across=len(lines[0]))
    return path
