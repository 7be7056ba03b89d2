"""A trained density with scikit-learn's contract."""

import dataclasses
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from energax import data
from energax.data import Dataset
from energax.files import write_bytes
from energax.method import AbstractMethod
from energax.model import Model, known_log_z, load, save, score_rows
from energax.model.fitting import choose_method, fit
from energax.options import leaves, replace
from energax.sklearn.base import (
    AbstractEnergyEstimator,
    Each,
    Facts,
    Rows,
    as_frame,
    check_new_rows,
    check_training_rows,
    draw_seed,
    name_columns,
)

MODEL = "model"
"""The folder of the model in that of an estimator."""

ROWS_OF_ONE = 3
"""Training rows for each number of a Gaussian's mean and axis, at least: else fewer of them."""


class UncertifiedWarning(UserWarning):
    """The scores rank rows, but are no log-densities: log Z is not certified.

    Example:
        >>> issubclass(ex.sklearn.UncertifiedWarning, UserWarning)
        True
    """


class EnergyDensity(DensityMixin, AbstractEnergyEstimator):
    """A density p(x) = exp(-E(x)) / Z, trained by any method of energax.

    It stands beside `KernelDensity` and `GaussianMixture`: `score_samples` is log p in nats, in the
    units of the rows, and `score` its mean. Z is measured from both sides at the first score, which
    takes seconds; of two columns or fewer by quadrature.

    Where that is not certified there is no log-density. `score_samples` then gives -E(x), which
    ranks rows as log p does and lacks a constant, with an `UncertifiedWarning` that says why;
    `score` is NaN, which a grid search ranks last; `certified_` is False and `log_z_` NaN.

    Args:
        method: one of `energax methods`, or None for the method that suits the rows.
        steps: updates; None for as many as the method takes by itself.
        options: other options of the method by their names, such as `{"width": 64}`.
        random_state: seed of everything random in training.

    Attributes: `model_`, the `energax.Model`; `n_features_in_`; `feature_names_in_` of a frame.

    Raises:
        InputError: at `fit`, for an unknown method or option, or rows without a density, such as
            those of a constant column.

    Trap: a row that occurs often, or a column of few values, has no density: it is never certified.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(200, 2))
        >>> density = ex.sklearn.EnergyDensity(steps=20, random_state=0).fit(rows)
        >>> density.score_samples(rows).shape, density.certified_
        ((200,), True)
    """

    def __init__(
        self,
        method: Any = "nce",
        *,
        steps: Any = None,
        options: Any = None,
        random_state: Any = None,
    ):
        self.method = method
        self.steps = steps
        self.options = options
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "EnergyDensity":
        """Train the energy on rows. `y` is not looked at."""
        rows = check_training_rows(self, X, least=2)
        known = data.from_rows(name_columns(self, rows), states=None, test_fraction=0.0)
        given = dict(self.options or {}) | {"seed": draw_seed(self.random_state)}
        if self.steps is not None:
            given["steps"] = self.steps
        method = choose_method(self.method, known, given)
        if "components" not in given:
            method = _limit_components(method, known)
        self.model_ = fit(known, method)
        return self

    @property
    def certified_(self) -> bool:
        """Is log Z certified, so that scores are log-densities? Measured at the first use."""
        return self._find_log_z()[0] is not None

    @property
    def log_z_(self) -> float:
        """log Z in nats, NaN where it is not certified. Measured at the first use."""
        found = self._find_log_z()[0]
        return math.nan if found is None else found

    def _find_log_z(self) -> tuple[float | None, str]:
        """log Z and what certifies it; None and why there is none."""
        model = self.model_
        if model.schema.forbidden is None:
            model = dataclasses.replace(model, measured_log_z=model.log_z)
        return known_log_z(model)

    def score_samples(self, X: Any) -> Each:
        """log p of each row in nats; -E, with a warning, where log Z is not certified."""
        scores = -self.energies(X)
        log_z, why = self._find_log_z()
        if log_z is None:
            warnings.warn(_explain(why), UncertifiedWarning, stacklevel=2)
            return scores
        return scores - log_z

    def energies(self, X: Any) -> Each:
        """E of each row in nats, in the units of the rows: -log p - log Z, which needs no log Z."""
        scores = score_rows(self.model_, check_new_rows(self, X))
        return -scores.log_densities(0.0).astype(np.float64)

    def score(self, X: Any, y: Any = None) -> Any:
        """Mean log p of rows in nats; NaN, with a warning, where log Z is not certified."""
        energy = float(np.mean(self.energies(X)))
        log_z, why = self._find_log_z()
        if log_z is None:
            warnings.warn(_explain(why), UncertifiedWarning, stacklevel=2)
            return math.nan
        return -energy - log_z

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """New rows, by Markov chains; a pandas frame where the training rows were a frame."""
        check_is_fitted(self)
        key = jax.random.key(draw_seed(random_state))
        return as_frame(self, self.model_.sample(n_samples, key=key).astype(np.float64))

    def write(self, folder: Path) -> Facts:
        if self.model_.schema.forbidden is None:
            # A loaded model has no training rows to measure it by.
            self._find_log_z()
            save(dataclasses.replace(self.model_, measured_log_z=self.model_.log_z), folder / MODEL)
        else:
            save(self.model_, folder / MODEL)
        return {}

    def read(self, folder: Path, facts: Facts) -> None:
        self.model_ = load(folder / MODEL)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: a fitted model goes as the files of its folder."""
        state = dict(vars(self))
        if "model_" in state:
            state["model_"] = _pack(self.model_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "model_" in state:
            self.model_ = _unpack(*state["model_"])


def _explain(why: str) -> str:
    return f"Scores rank rows but are no log-densities: {why}."


def _limit_components(method: AbstractMethod, rows: Dataset) -> AbstractMethod:
    """Fewer Gaussians in a base of few rows."""
    most = max(1, len(rows.train) // (ROWS_OF_ONE * (1 + rows.train.shape[1])))
    usual = {leaf.key: leaf.default for leaf in leaves(method)}.get("components")
    return method if usual is None or usual <= most else replace(method, components=most)


def _pack(model: Model) -> tuple[dict[str, bytes], Rows | None]:
    """The files of a model by name, and its witnesses, which are not among them."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / MODEL
        save(model, folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}, model.witnesses


def _unpack(files: dict[str, bytes], witnesses: Rows | None) -> Model:
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            write_bytes(Path(place) / name, content)
        return dataclasses.replace(load(place), witnesses=witnesses)
