"""What the estimators share: their rows, their seed, and how they are saved."""

import abc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from energax import sklearn as room

Rows = Float[np.ndarray, " size columns"]
Each = Float[np.ndarray, " size"]
Facts = dict[str, Any]


class AbstractEnergyEstimator(BaseEstimator, abc.ABC):
    """An estimator of which low scores are unusual rows, and which is saved without pickle."""

    n_features_in_: int

    @abc.abstractmethod
    def fit(self, X: Any, y: Any = None) -> "AbstractEnergyEstimator":
        """Fit to rows."""

    @abc.abstractmethod
    def score_samples(self, X: Any) -> Each:
        """A score of each row: low is unusual."""

    @abc.abstractmethod
    def write(self, folder: Path) -> Facts:
        """Write what was fitted into a folder; what fits into JSON is returned."""

    @abc.abstractmethod
    def read(self, folder: Path, facts: Facts) -> None:
        """Read what `write` wrote."""

    def save(self, path: Path | str) -> None:
        """Write the fitted estimator into a new folder, which `energax.sklearn.load` reads.

        Raises InputError where the folder exists, NotFittedError before `fit`.
        """
        check_is_fitted(self)
        room.save(self, Path(path))


def check_training_rows(estimator: Any, rows: Any, least: int) -> Rows:
    """Rows to fit to, as scikit-learn checks them: finite numbers, `least` rows or more."""
    found: Any = validate_data(estimator, rows, dtype=np.float64, ensure_min_samples=least)
    return found


def check_new_rows(estimator: Any, rows: Any) -> Rows:
    """Rows to score, with the columns that the estimator was fitted to."""
    check_is_fitted(estimator)
    found: Any = validate_data(estimator, rows, dtype=np.float64, reset=False)
    return found


def draw_seed(random_state: Any) -> int:
    """A seed of what is random in energax, from scikit-learn's `random_state`."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def name_columns(estimator: Any, rows: Rows) -> Any:
    """The rows with the names of their columns, where the estimator was fitted to a frame."""
    names = getattr(estimator, "feature_names_in_", None)
    return rows if names is None else pl.DataFrame(rows, schema=list(map(str, names)))


def as_frame(estimator: Any, rows: Rows) -> Any:
    """A pandas frame with the columns that the estimator was fitted to; an array without names."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=names)
