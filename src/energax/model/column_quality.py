"""How good a model of mixed columns is: columns from the others, samples, log Z."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from energax import evaluate
from energax.evaluate import ColumnScore, LogZ
from energax.method import build
from energax.model.base import Model
from energax.model.columns import check_columns, find_base, find_kinds
from energax.model.record import estimate, figure

MOST = 1000
"""Test rows whose columns are predicted."""

LEAST, CELLS = 9, 160
"""Cells of a column that a sweep of annealing weighs at least, and those of a row at most."""

Rows = Float[np.ndarray, "_ columns"]


def measure_columns(model: Model, train: Any, test: Rows) -> dict[str, Any]:
    """How well each column follows from the others, beside its marginal and a linear model of it.

    The entry `columns` of an evaluation, and means over columns.
    """
    key, base = jax.random.key(0), find_base(model)
    tests = np.asarray(build.encode(model.transform, test[:MOST], key=key)[0])
    said = {"model": evaluate.predict_columns(model.energy, base, tests)}
    if train is not None:
        rows = np.asarray(build.encode(model.transform, train, key=key)[0])
        said["marginal"] = evaluate.predict_marginals(rows, tests, base.space)
        said["linear"] = evaluate.predict_linear(rows, tests, base.space)
    scores = {
        name: [evaluate.score_column(p, cells) for p, cells in zip(parts, tests.T, strict=True)]
        for name, parts in said.items()
    }
    kinds, found = find_kinds(model), {}
    for place, column in enumerate(kinds):
        each = {name: parts[place] for name, parts in scores.items()}
        if len(column.values) != 1 and each["model"] is not None:
            found[column.name] = {name: _record(p) for name, p in each.items() if p is not None}
    return {"columns": found, **_average(found, tuple(scores))}


def _record(score: ColumnScore) -> dict[str, Any]:
    names = ("r2",) if np.isnan(score.log_p) else ("accuracy", "log_p")
    error = {"log_p": score.error}
    return {n: figure(getattr(score, n), error.get(n), score.rows) for n in names}


def _average(found: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Means over columns: log p and accuracy of categories, R2 of numbers, by each model."""
    means = {}
    for name in names:
        for what in ("log_p", "accuracy", "r2"):
            each = [parts[name][what]["value"] for parts in found.values() if what in parts[name]]
            if each:
                means[f"mean_{what}_{name}"] = figure(float(np.mean(each)), size=len(each))
    return means


def measure_chains(model: Model, test: Rows, found: Any) -> dict[str, Any]:
    """Samples against test rows, as embedded rows, and the health of the chains behind them."""
    tests, _ = build.encode(model.transform, test[:MOST], key=jax.random.key(0))
    space = find_base(model).space
    embed = jax.vmap(lambda x: space.embed(x, x.dtype))
    half = found.energies[:, found.energies.shape[1] // 2 :]
    health = evaluate.health(half)
    return {
        "mmd": estimate(evaluate.mmd(np.asarray(embed(found.x)), np.asarray(embed(tests)))),
        "rhat": figure(health.rhat, size=len(half)),
        "ess": figure(health.size, size=half.size),
        "chain_verdict": health.verdict,
        "chain_sampler": found.sampler,
        "acceptance": figure(found.acceptance, size=found.energies.size),
    }


def estimate_columns_log_z(
    model: Model, rows: Any, *, particles: int, level: float, key: PRNGKeyArray
) -> LogZ | str:
    """log Z by annealing from the base, or why it was not attempted."""
    if rows is None:
        return (
            "Not attempted: training rows alone know of a mode that the base misses, and a loaded "
            "model has none. Call `energax.measure(model, test)`."
        )
    space = find_base(model).space
    cells = space.shape[0] * max(space.states.shape[1], LEAST)
    if cells > CELLS:
        return (
            f"Not attempted: a sweep over {space.shape[0]} columns of up to {space.counts.max()} "
            f"values weighs {cells} cells, and above {CELLS} annealing takes too long; drop "
            "columns of many values for a log-likelihood."
        )
    inputs, _ = build.encode(model.transform, check_columns(model, rows), key=key)
    return evaluate.annealed_log_z(
        model.energy, model.base, inputs, particles=particles, level=level, leaps=1, key=key
    )
