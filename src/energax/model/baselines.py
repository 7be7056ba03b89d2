"""Simple models on the same rows, and what the model has beyond each of them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from energax import evaluate
from energax.energy import AbstractDistribution, log_density
from energax.method import build
from energax.model.base import Model
from energax.model.record import figure, mean
from energax.model.scoring import evaluate_energy

BEFORE = "base distribution, before training"
"""What the base of a run is called beside the baselines."""

Rows = Shaped[np.ndarray, " size *shape"]
Train = Shaped[np.ndarray, " train *shape"]
Each = Float[np.ndarray, " size"]


def measure_distribution(distribution: AbstractDistribution, rows: Rows) -> dict[str, Any]:
    """The distribution that the data came from, scored on the same rows: no model does better."""
    each = jax.jit(jax.vmap(lambda x: log_density(distribution, x)))(jnp.asarray(rows))
    return mean(np.asarray(each))


def measure_base(
    model: Model, rows: Rows, each: Each | None, weights: Each | None = None
) -> dict[str, Any]:
    """The base of this model, before training; nothing where it has none.

    `weights`: how much each row counts.
    """
    if build.find_tilt(model.raw) is None:
        return {}
    found = evaluate_energy(model, lambda x: -log_density(model.base, x), rows)
    before = found.log_densities(0.0)
    entry = mean(before, weights) | {"setting": model.method.base_title}
    return {BEFORE: entry | _difference(each, before, weights)}


def measure_baselines(
    train: Train, test: Rows, levels: int | None, each: Each | None
) -> dict[str, Any]:
    """Simple models fitted to `train`, scored on `test`; `each`: the model's log-densities there.

    Whole numbers: on the unit box, one dequantisation to fit and several to test, as the energy is
    scored. Real numbers: standardised, and the log-determinant of that counted.
    """
    inputs, tests, log_det = _plain(train, test, levels)
    found = evaluate.fit_baselines(inputs, tests)
    return {
        name: figure(b.value + log_det, b.error, b.size)
        | {"setting": b.setting}
        | _difference(each, np.asarray(b.rows) + log_det)
        for name, b in found.items()
    }


def _difference(each: Each | None, other: Each, weights: Each | None = None) -> dict[str, Any]:
    """The paired difference of log-densities, nats: positive where the model has more."""
    return {} if each is None else {"difference": mean(each - other, weights)}


def _plain(train: Train, test: Rows, levels: int | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Train rows, copies of test rows, and the log-determinant, in the space of the baselines."""
    flat = [part.reshape(len(part), -1).astype(np.float64) for part in (train, test)]
    if levels is None:
        middle, std = flat[0].mean(axis=0), flat[0].std(axis=0)
        inputs, tests = ((part - middle) / std for part in flat)
        return inputs, tests[None], -float(np.log(std).sum())
    noise = np.random.default_rng(0)
    inputs = (flat[0] + noise.random(flat[0].shape)) / levels
    tests = (flat[1] + noise.random((8, *flat[1].shape))) / levels
    return inputs, tests, 0.0


def fits(shape: tuple[int, ...]) -> bool:
    """Are baselines fitted? Beyond some axes, full covariances mean little."""
    return math.prod(shape) <= MOST


MOST = 256
"""Axes up to which baselines are fitted."""
