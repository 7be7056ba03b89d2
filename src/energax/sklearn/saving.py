"""Estimators as folders: what they are as JSON, arrays as safetensors. Nothing is unpickled."""

from pathlib import Path
from typing import Any

import numpy as np

from energax import sklearn as room
from energax.content import OBJECT, TEXT, list_of, optional, read_sealed, whole, write_sealed
from energax.drafts import draft_folder
from energax.errors import InputError
from energax.options import at_least
from energax.sklearn.base import AbstractEnergyEstimator

FACTS = "estimator.json"
"""The file that makes a folder an estimator."""

ESTIMATORS = ("EnergyDensity", "EnergyEnsemble", "EnergyOutlierDetector")
"""Those that can be saved."""

SPEC = {
    "kind": TEXT,
    "arguments": OBJECT,
    "columns": optional(list_of(TEXT)),
    "width": whole(at_least(1)),
    "facts": OBJECT,
}
"""What `estimator.json` holds."""


def save(estimator: AbstractEnergyEstimator, path: Path) -> None:
    """Write a fitted estimator into a new folder. Raises InputError where the folder exists.

    Example:
        >>> import pathlib, tempfile
        >>> ensemble = ex.sklearn.EnergyEnsemble(members=1, random_state=0).fit(np.eye(6))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ex.sklearn.save(ensemble, pathlib.Path(folder) / "one")
        ...     print(ex.sklearn.load(pathlib.Path(folder) / "one").n_features_in_)
        6
    """
    names = getattr(estimator, "feature_names_in_", None)
    with draft_folder(path) as draft:
        facts = {
            "kind": type(estimator).__name__,
            "arguments": _plain_arguments(estimator),
            "columns": None if names is None else list(map(str, names)),
            "width": int(estimator.n_features_in_),
            "facts": estimator.write(draft),
        }
        write_sealed(draft / FACTS, facts)


def _plain_arguments(estimator: AbstractEnergyEstimator) -> dict[str, Any]:
    """The arguments that JSON can hold; a generator and an estimator are fitted already."""
    plain = (str, int, float, dict, type(None))
    found = estimator.get_params(deep=False)
    return {name: value for name, value in found.items() if isinstance(value, plain)}


def load(path: Path | str) -> Any:
    """The estimator of a folder, as its `save` wrote it.

    Raises InputError where the folder is no estimator, or is damaged.

    Example:
        >>> import pathlib, tempfile
        >>> ensemble = ex.sklearn.EnergyEnsemble(members=1, random_state=0).fit(np.eye(6))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ex.sklearn.save(ensemble, pathlib.Path(folder) / "one")
        ...     print(ex.sklearn.load(pathlib.Path(folder) / "one").n_features_in_)
        6
    """
    folder = Path(path)
    found = read_sealed(folder / FACTS, SPEC, "save the estimator again")
    if found["kind"] not in ESTIMATORS:
        raise InputError(f"{folder} holds an estimator of an unknown kind, {found['kind']!r}.")
    estimator = getattr(room, found["kind"])(**found["arguments"])
    estimator.read(folder, found["facts"])
    estimator.n_features_in_ = found["width"]
    if found["columns"] is not None:
        estimator.feature_names_in_ = np.array(found["columns"], object)
    return estimator
