"""New rows with their p-values and reasons: the input of the page of a detection."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DetectionResults:
    """What a detector found in new rows.

    Args:
        data, train: names of the new rows and of the usual ones.
        level: of false alarms, and of false discoveries.
        scores, calibration_scores: of the new rows and of usual rows held out; low is unusual.
        threshold: the score below which a row is an outlier.
        p_values: of the new rows.
        rejected: the rows that Benjamini and Hochberg reject at `level`.
        columns: names of the columns.
        worst: the rows with reasons, the lowest score first.
        values, excess, usual: of these, the value of each column, what it adds to the energy, and
            the value at which it would not.
        command: the command that repeats it.
        versions: package to version.
        digest: nothing here; the page of every kind has a place for it.

    Example:
        >>> one, cell = np.zeros(1), np.zeros((1, 1))
        >>> about = {"data": "a", "train": "b", "level": 0.1, "threshold": 0.0, "columns": ("x",)}
        >>> ex.report.DetectionResults(
        ...     **about, scores=one, calibration_scores=one, p_values=one + 0.5, rejected=one > 1,
        ...     worst=np.zeros(1, int), values=cell, excess=cell, usual=cell,
        ... ).outliers.sum()
        np.int64(0)
    """

    data: str
    train: str
    level: float
    scores: Float[np.ndarray, " size"]
    calibration_scores: Float[np.ndarray, " held"]
    threshold: float
    p_values: Float[np.ndarray, " size"]
    rejected: Bool[np.ndarray, " size"]
    columns: tuple[str, ...]
    worst: Int[np.ndarray, " worst"]
    values: Shaped[np.ndarray, " worst columns"]
    excess: Float[np.ndarray, " worst columns"]
    usual: Float[np.ndarray, " worst columns"]
    command: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    digest: str = ""

    @property
    def outliers(self) -> Bool[np.ndarray, " size"]:
        """The rows whose p-value is at most `level`."""
        return self.p_values <= self.level

    @property
    def summary(self) -> tuple[str, str]:
        """How it went in a word, `good`, `fair` or `unknown`, and in a sentence."""
        count, size = int(self.outliers.sum()), len(self.scores)
        expected = self.level * size
        known = 1 / (1 + len(self.calibration_scores))
        if known > self.level:
            return "unknown", (
                f"{len(self.calibration_scores)} usual rows held out give p-values of {known:.2g} "
                f"at least, which is above the level {self.level:g}: give more training rows."
            )
        text = (
            f"{count} of {size} rows have a p-value up to {self.level:g}; of usual rows, "
            f"{expected:.3g} would be expected. "
        )
        sure = int(self.rejected.sum())
        if sure:
            return "fair", text + (
                f"{sure} can be called unusual with a share of at most {self.level:g} expected to "
                "be false."
            )
        return "good", text + "None can be called unusual at that rate of false discoveries."
