"""Simple models on the same rows, to be compared with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from energax import evaluate
from energax.data import Dataset
from energax.energy import AbstractDistribution, log_density
from energax.recipe import build
from energax.recipe.folder import Model
from energax.recipe.record import figure, mean
from energax.recipe.score import scored


def true_distribution(distribution: AbstractDistribution, rows: np.ndarray) -> dict[str, Any]:
    """The distribution that the data came from, scored on the same rows: no model does better."""
    return mean(
        np.asarray(jax.jit(jax.vmap(lambda x: log_density(distribution, x)))(jnp.asarray(rows)))
    )


def before(model: Model, rows: Dataset) -> dict[str, Any]:
    """The base distribution of this run before training, beside the baselines; nothing where it has
    none."""
    if not build.tilts(model.raw):
        return {}
    energies, log_dets = scored(model, lambda x: -log_density(model.distribution, x), rows.test)
    entry = mean(np.mean(log_dets - energies, axis=0))
    return {"base distribution, before training": entry | {"setting": model.settings.base}}


def baselines(rows: Dataset) -> dict[str, Any]:
    """Simple models on the same rows.

    Whole numbers: on the unit box, one dequantisation to fit and several to test, as the energy is
    scored. Real numbers: standardised, and the log-determinant of that counted.
    """
    train, tests, log_det = _plain(rows)
    found = evaluate.fit_baselines(train, tests)
    return {
        name: figure(b.value + log_det, b.error, b.size) | {"setting": b.setting}
        for name, b in found.items()
    }


def _plain(rows: Dataset) -> tuple[np.ndarray, np.ndarray, float]:
    """Train rows, copies of test rows, and the log-determinant, in the space of the baselines."""
    flat = [part.reshape(len(part), -1) for part in (rows.train, rows.test)]
    if rows.levels is None:
        mean, std = flat[0].mean(axis=0), flat[0].std(axis=0)
        train, test = ((part - mean) / std for part in flat)
        return train, test[None], -float(np.log(std).sum())
    noise = np.random.default_rng(0)
    train = (flat[0] + noise.random(flat[0].shape)) / rows.levels
    tests = (flat[1] + noise.random((8, *flat[1].shape))) / rows.levels
    return train, tests, 0.0
