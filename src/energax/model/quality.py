"""How good the samples and the scores of a trained model are, and how healthy its chains."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int, Shaped

from energax import evaluate
from energax.data import AbstractTransform, Dataset
from energax.energy import AbstractDistribution, AbstractEnergy, AbstractModal, find_classifier
from energax.method import build
from energax.method.parts import BOX
from energax.model.base import Model
from energax.model.record import estimate, figure, mean
from energax.model.sampling import Samples, decode_rows
from energax.model.scoring import DEQUANTISATIONS

PAIRS = 10_000_000
"""Numbers in the differences of all pairs of rows that a kernel is taken of."""

COVERED = 0.5
"""A mode counts as covered from this part of its true share on."""

REACH = 8.0
"""Half-width of the box for quadrature, in model units, where data have standard deviation 1."""

MOST = 2000
"""Test rows that samples are compared with."""

AGREEING = 1000
"""Test rows whose neighbours are looked at."""

Rows = Shaped[np.ndarray, " size *shape"]


def measure_quality(
    model: Model, rows: Rows, truth: AbstractDistribution | None, found: Samples
) -> dict[str, Any]:
    """Samples and scores against test rows, and the health of the chains that made the samples."""
    key = jax.random.key(1)
    test = np.asarray(build.encode(model.transform, rows[:MOST], key=key)[0])
    # A kernel over pairs of rows needs their differences on every axis.
    some = math.isqrt(PAIRS // math.prod(model.schema.shape))
    half = found.energies[:, found.energies.shape[1] // 2 :]
    health = evaluate.health(half)
    record = {
        "mmd": estimate(evaluate.mmd(np.asarray(found.x), test)),
        "kernel_stein": estimate(evaluate.kernel_stein(model.energy, jnp.asarray(test[:some]))),
        **_coverage(model, truth, np.asarray(found.x), test),
        "rhat": figure(health.rhat, size=len(half)),
        "ess": figure(health.size, size=half.size),
        "chain_verdict": health.verdict,
        "chain_sampler": found.sampler,
    }
    if found.acceptance is not None:
        record["acceptance"] = figure(found.acceptance, size=found.energies.size)
    return record


def measure_agreement(model: Model, rows: Dataset, found: Samples) -> dict[str, Any]:
    """Do the nearest training rows of a sample agree on a label? And those of a test row?"""
    known, tested = rows.labelled
    labels = np.asarray(known.label)
    shown = {
        "label_agreement": decode_rows(model, found.x),
        "label_agreement_of_test_rows": np.asarray(tested.x)[:AGREEING],
    }
    x = np.asarray(known.x)
    return {name: estimate(evaluate.label_agreement(of, x, labels)) for name, of in shown.items()}


def measure_labels(model: Model, rows: Rows, labels: Int[np.ndarray, " size"]) -> dict[str, Any]:
    """How well labels are classified, by p(label | row) over fixed dequantisations."""
    log_odds = find_classifier(model.raw).log_odds
    of_rows = jax.jit(jax.vmap(lambda x: jnp.exp(log_odds(x))))
    copies = 1 if model.schema.levels is None else DEQUANTISATIONS
    keys = [jax.random.fold_in(jax.random.key(0), copy) for copy in range(copies)]
    each = [of_rows(build.encode(model.transform, rows, key=key)[0]) for key in keys]
    odds = np.mean(np.asarray(each, np.float64), axis=0)
    right = (odds.argmax(axis=1) == labels).astype(float)
    return {
        "label_accuracy": mean(right),
        "cross_entropy": mean(-np.log(odds[np.arange(len(labels)), labels])),
    }


class _Known(AbstractEnergy):
    """The true distribution of the data, as an energy of rows in model units."""

    distribution: AbstractModal
    transform: AbstractTransform
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.distribution(self.transform.decode(x))

    def mode(self, x: Float[Array, "*shape"]) -> Int[Array, ""]:
        """The mode of the true distribution that a point in model units belongs to."""
        return self.distribution.mode(self.transform.decode(x))


def _mode(known: _Known, x: Array) -> Array:
    return known.mode(x)


def _coverage(
    model: Model, truth: AbstractDistribution | None, samples: np.ndarray, test: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Shares of modes by quadrature where the true distribution has known ones, else neighbours."""
    shape = model.schema.shape
    if not isinstance(truth, AbstractModal) or math.prod(shape) > 2:
        return {"coverage": estimate(evaluate.coverage(samples, test))}
    known = _Known(distribution=truth, transform=model.transform, shape=shape)
    mode, modes = Partial(_mode, known), truth.modes
    mine, true = (
        evaluate.mode_shares(energy, mode, modes, *box_of(model))
        for energy in (model.energy, known)
    )
    covered = np.sum(mine[:modes] >= COVERED * true[:modes])
    return {
        "modes_covered": figure(float(covered / modes), size=modes),
        "mode_shares_off": figure(float(np.abs(mine - true).sum() / 2)),
    }


def box_of(model: Model) -> tuple[float, float]:
    """The box for quadrature, model units."""
    return BOX if model.method.base_kind == "box" else (-REACH, REACH)
