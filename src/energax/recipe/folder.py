"""The run folder: what lies where, and how a trained model comes back from it."""

import dataclasses
import json
import os
import platform
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from energax import data, train
from energax.data import AbstractTransform, Dataset
from energax.energy import AbstractDistribution, AbstractEnergy, Tempered, weights
from energax.errors import InputError
from energax.recipe import build
from energax.recipe.settings import Settings

PACKAGES = ("energax", "jax", "jaxlib", "equinox", "optax", "blackjax", "numpy", "scikit-learn")


@dataclasses.dataclass(frozen=True)
class Folder:
    """Paths of one run."""

    path: Path

    def __getitem__(self, name: str) -> Path:
        return self.path / name

    def config(self) -> dict[str, Any]:
        """What the run was told. Raises InputError where the folder is not a run."""
        if not self["config.json"].is_file():
            raise InputError(f"{self.path} is not a run folder: it holds no config.json.")
        return read_json(self["config.json"])

    def settings(self) -> Settings:
        """All settings of the run, as resolved when it began."""
        try:
            return Settings(**self.config()["settings"])
        except (KeyError, TypeError) as reason:
            raise InputError(
                f"{self['config.json']} is damaged or of another version ({reason}): train anew."
            ) from reason

    def transform(self) -> AbstractTransform:
        """The map from the user's units to the model's."""
        return data.from_json(read_json(self["transform.json"]))

    def distribution(self) -> AbstractDistribution:
        """The base distribution, as fitted when the run began."""
        blank = build.blank_base(self.settings(), tuple(self.config()["data"]["shape"]))
        return train.read_weights(self["base.safetensors"], {"base": blank})["base"]

    def dataset(self) -> Dataset:
        """The rows it was trained on. Raises InputError where they are no longer the same."""
        told = self.config()["data"]
        found = data.load(told["source"], test_fraction=told["test_fraction"])
        if found.digest != told["digest"]:
            raise InputError(
                f"{told['source']} has changed since {self.path} was trained (digest "
                f"{found.digest[:12]}, was {told['digest'][:12]}): put the old rows back."
            )
        return found


@dataclasses.dataclass(frozen=True)
class Model:
    """A trained model: the energy of the distribution it fitted, in model units, and the way to
    them.

    `energy` is `raw` / T at the temperature T of the chains that trained it. `distribution` is the
    base. `levels`: number of values of data that are whole numbers.
    """

    raw: AbstractEnergy
    distribution: AbstractDistribution
    transform: AbstractTransform
    settings: Settings
    levels: int | None

    @property
    def cold(self) -> bool:
        """Was it trained by chains at another temperature than 1?"""
        return abs(self.settings.temperature - 1) > 1e-6

    @property
    def energy(self) -> AbstractEnergy:
        """The energy at temperature 1."""
        return Tempered(self.raw, self.settings.temperature) if self.cold else self.raw


def load(path: Path | str) -> Model:
    """The model of a finished run folder; averaged weights where they were kept.

    Raises InputError where the folder is no run, is unfinished, or is damaged.
    """
    folder = Folder(Path(path))
    settings, distribution, transform = folder.settings(), folder.distribution(), folder.transform()
    blank = build.energy(settings, distribution, transform, key=jax.random.key(0))
    moving, still = weights(blank)
    like = {"energy": moving} | ({"average": moving} if settings.decay else {})
    parts = train.read_weights(folder["weights.safetensors"], like)
    trained = eqx.combine(parts["average" if settings.decay else "energy"], still)
    found = build.seen(settings, trained)
    levels = folder.config()["data"]["levels"]
    return Model(found, build.base_of(found, distribution), transform, settings, levels)


def spoken(command: str, folder: Folder) -> str:
    """The words by which a shell does `command` (evaluate, train --resume) to a run."""
    return f"energax {command} {shlex.quote(str(folder.path))}"


def describe(
    source: str, test_fraction: float, rows: Dataset, settings: Settings, command: str
) -> dict[str, Any]:
    """The content of config.json: everything needed to repeat the run."""
    return {
        "command": command,
        "data": {
            "source": source if source in data.NAMES else str(Path(source).resolve()),
            "test_fraction": test_fraction,
            "name": rows.name,
            "digest": rows.digest,
            "shape": list(rows.shape),
            "levels": rows.levels,
            "columns": None if rows.columns is None else list(rows.columns),
            "train": len(rows.train),
            "test": len(rows.test),
        },
        "settings": dataclasses.asdict(settings),
        "temperature": settings.temperature,
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "machine": {"backend": jax.default_backend(), "cores": os.cpu_count()},
    }


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError where it is missing or damaged."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as reason:
        raise InputError(f"{path} is missing: the run folder is not whole.") from reason
    except (json.JSONDecodeError, UnicodeDecodeError) as reason:
        raise InputError(f"{path} is damaged: it is not JSON ({reason}).") from reason
    if type(found) is not dict:
        raise InputError(f"{path} is damaged: it holds no JSON object.")
    return found


def write_json(path: Path, content: Any) -> None:
    """Strict JSON, whole or not there at all."""
    with whole(path) as draft:
        draft.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """An .npz file, whole or not there at all."""
    with whole(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its place when the block ends well, and else is removed."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def check_new(path: Path) -> None:
    """Raise InputError for the path of a new run that is taken."""
    if path.exists():
        known = (path / "config.json").exists() and not (path / "weights.safetensors").exists()
        resume = f", or --resume {path}" if known else ""
        raise InputError(f"{path} exists already: choose another --out{resume}.")


def claim(out: Path, kind: str, plan: dict[str, Any]) -> None:
    """Begin a `kind` of work of many runs, or go on with it where the folder holds the same plan.

    The plan is kept in `kind`.json. Raises InputError where another one is there, or another thing.
    """
    path = out / f"{kind}.json"
    if path.exists():
        known = read_json(path)
        different = [name for name, value in plan.items() if known.get(name) != value]
        if different:
            raise InputError(
                f"The {kind} in {out} has another {different[0]} "
                f"({json.dumps(known.get(different[0]))}): choose another --out."
            )
        return
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} exists and is no {kind}: choose another --out.")
    (out / "runs").mkdir(parents=True, exist_ok=True)
    write_json(path, plan)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A draft folder that becomes `path` when the block ends well, and else is removed.

    Raises InputError where `path` exists.
    """
    check_new(path)
    draft = path.with_name(f".{path.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
