"""A detector of unusual rows, whose alarms have a rate that can be relied on."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from sklearn.base import OutlierMixin, clone

from energax import evaluate
from energax import sklearn as room
from energax.errors import InputError
from energax.evaluate import ColumnExcess
from energax.sklearn.base import (
    AbstractEnergyEstimator,
    Each,
    Facts,
    Rows,
    check_new_rows,
    check_training_rows,
    draw_seed,
)
from energax.sklearn.ensemble import EnergyEnsemble
from energax.train.arrays import read_arrays, write_named

ESTIMATOR, ARRAYS = "estimator", "detector.safetensors"
"""What a saved detector consists of: the folder of its estimator, and its arrays."""

MOST_HELD = 10_000
"""Rows that are held out, at most: p-values down to 1e-4."""

MOST = 1000
"""Training rows that are kept, for the values that columns usually take."""


class EnergyOutlierDetector(OutlierMixin, AbstractEnergyEstimator):
    """Finds rows unlike the training rows, with conformal p-values and a reason for each.

    It stands beside `IsolationForest` and `LocalOutlierFactor`, and is trained on rows that are
    usual, or nearly all so. A share of them, `calibration`, is held out of training; a new row's
    p-value is its place among their scores, (1 + #{scores at most its own}) / (1 + rows held out).
    Of usual rows, a share a at most has p-values up to a, whatever the estimator: that needs only
    that they come from where the training rows do.

    Args:
        estimator: what scores rows: any estimator whose `score_samples` is low for unusual rows,
            such as `EnergyDensity` or scikit-learn's `KernelDensity`. None for `EnergyEnsemble`.
        contamination: "auto" flags rows with a p-value up to `level`. A number in (0, 0.5] flags
            that share of the training rows instead, as other detectors do.
        level: share of false alarms among usual rows, in (0, 1).
        calibration: share of the training rows that is held out, in (0, 1); 10,000 rows at most.
        random_state: seed of the split and of the default estimator.

    Attributes: `estimator_`, fitted; `offset_`, the score below which rows are flagged;
        `calibration_scores_`; `n_features_in_`; `feature_names_in_` of a frame.

    Raises:
        ValueError: at `fit`, for an argument out of range.

    Trap: p-values are at least 1 / (1 + rows held out), so a `level` below that flags nothing that
    it may: `fit` warns. All new rows share the luck of one calibration set.
    Source: Bates, Candes, Lei, Romano and Sesia (2023); Vovk, Gammerman and Shafer (2005).

    Example:
        >>> usual = np.random.default_rng(0).normal(size=(300, 2))
        >>> detector = ex.sklearn.EnergyOutlierDetector(random_state=0).fit(usual)
        >>> detector.predict(np.array([[0.0, 0.0], [9.0, 9.0]])).tolist()
        [1, -1]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        contamination: Any = "auto",
        level: Any = 0.05,
        calibration: Any = 0.2,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.level = level
        self.calibration = calibration
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "EnergyOutlierDetector":
        """Fit the estimator to most rows, and calibrate it by the others. `y` is not looked at."""
        self._check_arguments()
        rows = check_training_rows(self, X, least=3)
        seed = draw_seed(self.random_state)
        order = np.random.default_rng(seed).permutation(len(rows))
        count = min(max(1, round(self.calibration * len(rows))), len(rows) - 2, MOST_HELD)
        chosen = EnergyEnsemble(random_state=seed) if self.estimator is None else self.estimator
        blank: Any = clone(chosen)
        self.estimator_ = blank.fit(rows[order[count:]])
        self.calibration_scores_ = np.sort(self._score(rows[order[:count]]))
        self.usual_rows_ = rows[order[count:]][:MOST]
        self.offset_ = self._find_offset(rows)
        return self

    def _check_arguments(self) -> None:
        share, known = self.contamination, self.contamination == "auto"
        if not known and not (isinstance(share, float | int) and 0 < share <= 0.5):
            raise ValueError(f'`contamination` must be "auto" or in (0, 0.5]; got {share!r}.')
        for name in ("level", "calibration"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be between 0 and 1; got {getattr(self, name)!r}.")

    def _find_offset(self, rows: Rows) -> float:
        """The score below which rows are flagged."""
        if self.contamination != "auto":
            return float(np.percentile(self._score(rows), 100 * float(self.contamination)))
        place = int(self.level * (1 + len(self.calibration_scores_)))
        if place < 1:
            warnings.warn(
                f"{len(self.calibration_scores_)} calibration rows give p-values of "
                f"{1 / (1 + len(self.calibration_scores_)):.2g} at least, above `level` = "
                f"{self.level:g}: rows that score below all of them are flagged; give more rows, "
                "or a higher `level`.",
                stacklevel=3,
            )
        return float(self.calibration_scores_[max(place, 1) - 1])

    def _score(self, rows: Rows) -> Each:
        """Scores of rows that are checked: energies where the estimator has some, for they need no
        log Z."""
        if type(self.estimator_) is room.EnergyDensity:
            return -self.estimator_.energies(rows)
        return np.asarray(self.estimator_.score_samples(rows), np.float64)

    def score_samples(self, X: Any) -> Each:
        """The score of each row, in units of the estimator: low is unusual."""
        return self._score(check_new_rows(self, X))

    def decision_function(self, X: Any) -> Each:
        """`score_samples` less `offset_`: below 0 for rows that are flagged."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Int[np.ndarray, " size"]:
        """-1 for rows that are flagged, 1 for the others."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> Each:
        """The conformal p-value of each row, see `energax.evaluate.conformal_p_values`."""
        return evaluate.conformal_p_values(self.calibration_scores_, self.score_samples(X))

    def reject(self, X: Any, level: float = 0.1) -> Bool[np.ndarray, " size"]:
        """The rows of a batch to look at: of these a share `level` at most is expected to be usual.

        By Benjamini and Hochberg, see `energax.evaluate.reject`. Raises ValueError for a `level`
        out of (0, 1).
        """
        return evaluate.reject(self.p_values(X), level)

    def explain(self, X: Any, values: int = 32) -> ColumnExcess:
        """What each column adds to the energy of a row, and the value at which it would not.

        See `energax.evaluate.column_excess`: it takes `values` times the number of columns as many
        scores as there are rows.
        """
        rows = check_new_rows(self, X)
        return evaluate.column_excess(
            lambda some: -self._score(some), rows, self.usual_rows_, values=values
        )

    def write(self, folder: Path) -> Facts:
        if not isinstance(self.estimator_, AbstractEnergyEstimator):
            raise InputError(
                f"A detector with a {type(self.estimator_).__name__} cannot be saved: choose an "
                "estimator of energax.sklearn."
            )
        self.estimator_.save(folder / ESTIMATOR)
        arrays = {"calibration": self.calibration_scores_, "usual": self.usual_rows_}
        write_named(folder / ARRAYS, arrays)
        return {"offset": self.offset_}

    def read(self, folder: Path, facts: Facts) -> None:
        self.estimator_ = room.load(folder / ESTIMATOR)
        arrays = read_arrays(folder / ARRAYS)
        self.calibration_scores_, self.usual_rows_ = arrays["calibration"], arrays["usual"]
        self.offset_ = facts["offset"]
