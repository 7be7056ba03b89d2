"""Rows unlike those of another file, with p-values and reasons."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from energax import cli, data, report, sklearn
from energax.cli.common import seed_option
from energax.data import Table
from energax.drafts import draft_folder
from energax.errors import InputError
from energax.files import write_text
from energax.options import Range, option
from energax.progress import show_stages, stage
from energax.report import DetectionResults

REASONED = 200
"""Rows that get reasons, at most: the most unusual ones."""

SHARE = Range(0, 1, open_low=True, open_high=True)


@dataclasses.dataclass(frozen=True)
class Detect:
    """Find the rows of a file that are unlike those of another, and say why they are."""

    train: Path = option("File of usual rows: .csv, .parquet, .npy, ...", positional=True)
    new: Path = option("File of new rows, with the same columns.", positional=True)
    level: float = option(
        "Share of false alarms among usual rows, and of false discoveries.", SHARE, default=0.01
    )
    method: str | None = option(
        "Train one energy by a method of `energax methods`.",
        default=None,
        unset="an ensemble of energies",
    )
    calibration: float = option(
        "Share of the usual rows that p-values are computed from; the others train.",
        SHARE,
        default=0.2,
    )
    seed: int = seed_option("Seed of the split and of training.")
    out: Path = option(
        "Folder for p_values.csv, report.html and the detector; must not exist.",
        default=Path("detection"),
    )

    def __call__(self) -> None:
        if self.out.exists():
            raise InputError(f"--out {self.out} exists already: choose another name.")
        show_stages()
        known, new = read_pair(self.train, self.new)
        with stage(f"training on {len(known.rows)} rows"):
            detector = self._make().fit(known.rows)
        with stage(f"scoring {len(new.rows)} rows"):
            found = self._detect(detector, known, new)
        with draft_folder(self.out) as draft:
            cli.write_p_values(draft / "p_values.csv", found)
            write_text(draft / "report.html", report.render_detection(found))
            detector.save(draft / "detector")
        print(found.summary[1])
        print(f"Report: {self.out / 'report.html'}")

    def _make(self) -> Any:
        """The detector, not yet fitted."""
        chosen = None
        if self.method is not None:
            chosen = sklearn.EnergyDensity(self.method, random_state=self.seed)
        return sklearn.EnergyOutlierDetector(
            chosen, level=self.level, calibration=self.calibration, random_state=self.seed
        )

    def _detect(self, detector: Any, known: Table, new: Table) -> DetectionResults:
        rows = new.rows.astype(np.float64)
        scores, p_values = detector.score_samples(rows), detector.p_values(rows)
        worst = np.argsort(scores, kind="stable")[:REASONED]
        worst = worst[: max(int((p_values <= self.level).sum()), min(10, len(worst)))]
        reasons = detector.explain(rows[worst])
        columns = known.columns or tuple(f"column {1 + at}" for at in range(rows.shape[1]))
        words = ["energax", "detect", str(self.train), str(self.new), "--level", str(self.level)]
        words += [] if self.method is None else ["--method", self.method]
        words += ["--calibration", str(self.calibration), "--seed", str(self.seed)]
        return DetectionResults(
            data=new.source,
            train=known.source,
            level=self.level,
            scores=scores,
            calibration_scores=detector.calibration_scores_,
            threshold=detector.offset_,
            p_values=p_values,
            rejected=detector.reject(rows, self.level),
            columns=columns,
            worst=worst,
            values=rows[worst],
            excess=reasons.excess,
            usual=reasons.usual,
            command=shlex.join(words),
        )


def read_pair(train: Path, new: Path) -> tuple[Table, Table]:
    """Usual and new rows, both tables of the same columns. Raises InputError for other files."""
    known, found = data.read_rows(train), data.read_rows(new)
    if known.rows.ndim != 2:
        raise InputError(f"{train} holds no table, but examples of shape {known.rows.shape[1:]}.")
    rows = data.check_rows(found, known.rows.shape[1:], columns=known.columns)
    return known, dataclasses.replace(found, rows=rows)
