"""From a model and what was measured of it to the input of its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from energax import model as room
from energax.data import Dataset
from energax.energy import AbstractDistribution, draws
from energax.files import write_text
from energax.method import AbstractMethod
from energax.model import Measured, Model
from energax.model.mass import find_couplings
from energax.model.scoring import evaluate_energy
from energax.objective import coverage_warning
from energax.options import leaves
from energax.report.collecting_generator import collect_generator
from energax.report.run_page import render_page
from energax.report.run_results import Density, RunResults

GRID = 200
"""Points along each axis of a picture of a density in the plane."""

SHOWN = 1000
"""Rows of each kind whose energies are shown."""

CHAINS = 16
"""Chains that are drawn."""

Rows = Shaped[np.ndarray, " size *shape"]


def write_report(model: Model, measured: Measured, path: Path | str, *, train: Any = None) -> None:
    """Write the page of a model as one self-contained HTML file.

    Args:
        model: The model.
        measured: What `measure` found.
        path: The file; one that is there is replaced.
        train: The training rows, whose energies are shown beside those of the test rows.
    """
    page = render_page(collect_results(model, measured, train=train))
    write_text(Path(path), page)


def collect_results(
    model: Model,
    measured: Measured,
    *,
    rows: Dataset | None = None,
    train: Any = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    command: str = "",
    versions: Mapping[str, str] | None = None,
) -> RunResults:
    """All that the page of a model shows.

    Args:
        model: The model.
        measured: What `measure` found.
        rows: The data set, where there is one.
        train: The training rows, where there is no data set.
        metrics: The log of training: a mapping for each line.
        command: The command that repeats the run.
        versions: Package to version.
    """
    known = rows.train if rows is not None else train
    known = None if known is None else room.check_rows(model, known)
    plane = measured.test.shape[1:] == (2,) and model.schema.space.name == "reals"
    log_z = measured.record.get("log_z", {}).get("value")
    truth = rows.distribution if rows is not None and plane else None
    schema = model.schema
    return RunResults(
        data=schema.name,
        method=model.method.name,
        title=model.method.title,
        command=command,
        digest=schema.digest or "",
        options=group_options(model.method),
        versions=versions or {},
        metrics=metrics,
        notes=(*(caution.text for caution in schema.cautions), *_warn(metrics)),
        evaluation=measured.record,
        energies=_energies(model, measured, known),
        test=measured.test,
        train=known,
        draws=measured.samples,
        chains=measured.chains[:CHAINS],
        levels=schema.levels,
        states=schema.states,
        couplings=find_couplings(model.energy),
        columns=schema.columns,
        kinds=schema.kinds,
        model_density=grid_model(model, measured.test, log_z or 0.0) if plane else None,
        exact_density=None if truth is None else grid_distribution(truth, measured.test),
        generator=collect_generator(model, measured.test) if model.method.generates else None,
    )


def _warn(metrics: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the end of training warns of."""
    warning = coverage_warning(metrics[-1]) if metrics else None
    return () if warning is None else (warning,)


def group_options(method: AbstractMethod) -> dict[str, dict[str, Any]]:
    """The options of a method by group, as the page shows them."""
    groups: dict[str, dict[str, Any]] = {}
    for leaf in leaves(method):
        title = leaf.path[0] if len(leaf.path) > 1 else "method"
        value = leaf.of(method)
        groups.setdefault(title, {})[leaf.key] = leaf.unset if value is None else value
    return groups


def _energies(model: Model, measured: Measured, train: Rows | None) -> dict[str, np.ndarray]:
    noise = draws(model.base, 256, key=jax.random.key(2))
    found = {
        "test": room.score_rows(model, measured.test[:SHOWN], copies=1).energies[0],
        "draws": measured.chains[:, -1],
        "noise": np.asarray(jax.jit(jax.vmap(model.energy))(noise)),
    }
    if train is not None:
        found["train"] = room.score_rows(model, train[:SHOWN], copies=1).energies[0]
    return found


def _grid(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = 0.15 * (high - low)
    xs, ys = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
    return xs, ys, points


def grid_model(model: Model, rows: Rows, log_z: float) -> Density:
    """The log-density of a model in the plane around `rows`, in the user's units."""
    xs, ys, points = _grid(rows)
    scores = evaluate_energy(model, model.energy, points)
    return Density(xs, ys, scores.log_densities(log_z).reshape(GRID, GRID))


def grid_distribution(distribution: AbstractDistribution, rows: Rows) -> Density:
    """The log-density of the distribution that `rows` came from, around them."""
    xs, ys, points = _grid(rows)
    values = jax.jit(jax.vmap(distribution))(jnp.asarray(points))
    return Density(xs, ys, -np.asarray(values).reshape(GRID, GRID))
