"""The page of a run."""

import dataclasses
import zipfile
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

from energax import report
from energax.energy import AbstractEnergy, draws
from energax.errors import InputError
from energax.recipe.folder import Folder, Model, load, read_json, whole
from energax.recipe.portrait import portrait
from energax.recipe.score import scored
from energax.recipe.titles import TITLES
from energax.train import Log

GRID = 200
"""Points along each axis of a picture of a density in the plane."""

SHOWN = 1000
"""Rows of each kind whose energies are shown."""


@dataclasses.dataclass(frozen=True)
class Report:
    """Write the page of a trained and evaluated run."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run."""

    def __call__(self) -> None:
        folder, model = Folder(self.run), load(self.run)
        if not folder["evaluation.json"].exists():
            raise InputError(f"{self.run} is not evaluated: run `energax evaluate {self.run}`.")
        page = report.render_page(run_results(folder, model))
        with whole(folder["report.html"]) as draft:
            draft.write_text(page)
        print(f"Report: {folder['report.html']}")


def run_results(folder: Folder, model: Model) -> report.RunResults:
    """All that the page shows, from the files of a run."""
    config, rows = folder.config(), folder.dataset()
    evaluation = read_json(folder["evaluation.json"])
    drawn, chains = samples(folder)
    plane = rows.shape == (2,)
    log_z = evaluation.get("log_z", {}).get("value")
    exact = rows.distribution if plane else None
    noise = draws(model.distribution, min(SHOWN, 256), key=jax.random.key(2))
    return report.RunResults(
        data=config["data"]["name"],
        method=config["settings"]["objective"],
        title=TITLES[config["settings"]["objective"]],
        command=config["command"],
        digest=config["data"]["digest"],
        options={"training": config["settings"]},
        versions=config["versions"],
        metrics=Log(folder["metrics.jsonl"]).read(),
        evaluation=evaluation,
        energies={
            "train": scored(model, model.energy, rows.train[:SHOWN], copies=1)[0][0],
            "test": scored(model, model.energy, rows.test[:SHOWN], copies=1)[0][0],
            "draws": chains[:, -1],
            "noise": np.asarray(jax.jit(jax.vmap(model.energy))(noise)),
        },
        test=rows.test,
        train=rows.train,
        draws=drawn,
        chains=chains[:16],
        levels=rows.levels,
        columns=rows.columns,
        model_density=model_density(model, rows.test, log_z or 0.0) if plane else None,
        generator=portrait(folder.path, model, rows.test),
        exact_density=None if exact is None else exact_density(exact, rows.test),
    )


def samples(folder: Folder) -> tuple[np.ndarray, np.ndarray]:
    """Draws, and energies along chains, as `energax evaluate` wrote them."""
    path = folder["samples.npz"]
    try:
        with np.load(path, allow_pickle=False) as saved:
            return saved["draws"], saved["chains"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as reason:
        raise InputError(
            f"{path} is missing or damaged: run `energax evaluate {folder.path}`."
        ) from reason


def _grid(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = 0.15 * (high - low)
    xs, ys = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
    return xs, ys, points


def model_density(model: Model, rows: np.ndarray, log_z: float) -> report.Density:
    """The log-density of a model in the plane around `rows`, in the user's units."""
    xs, ys, points = _grid(rows)
    energies, log_dets = scored(model, model.energy, points)
    return report.Density(xs, ys, (log_dets - energies)[0].reshape(GRID, GRID) - log_z)


def exact_density(distribution: AbstractEnergy, rows: np.ndarray) -> report.Density:
    """The log-density of the distribution that `rows` came from, around them."""
    xs, ys, points = _grid(rows)
    return report.Density(
        xs, ys, -np.asarray(jax.jit(jax.vmap(distribution))(points)).reshape(GRID, GRID)
    )
