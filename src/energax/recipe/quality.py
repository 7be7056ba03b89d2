"""How good the draws and the slopes of a trained model are, and how healthy its chains."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from energax import evaluate
from energax.data import AbstractTransform, Dataset
from energax.energy import AbstractEnergy, AbstractModal, find_classifier
from energax.recipe import build
from energax.recipe.draw import Drawn
from energax.recipe.folder import Model
from energax.recipe.record import estimate, figure, mean
from energax.recipe.score import DEQUANTISATIONS

PAIRS = 10_000_000
"""Numbers in the differences of all pairs of rows that a kernel is taken of."""

COVERED = 0.5
"""A mode counts as covered from this part of its true share on."""

REACH = 8.0
"""Half-width of the box for quadrature, in model units, where data have standard deviation 1."""


def quality(model: Model, rows: Dataset, found: Drawn) -> dict[str, Any]:
    """Draws and scores against test rows, and the health of the chains that made the draws."""
    key = jax.random.key(1)
    test = np.asarray(build.encoded(model.transform, rows.test[:2000], key=key)[0])
    # A kernel over pairs of rows needs their differences on every axis.
    some = math.isqrt(PAIRS // math.prod(rows.shape))
    half = found.energies[:, found.energies.shape[1] // 2 :]
    health = evaluate.health(half)
    record = {
        "mmd": estimate(evaluate.mmd(np.asarray(found.x), test)),
        "kernel_stein": estimate(evaluate.kernel_stein(model.energy, jnp.asarray(test[:some]))),
        **_coverage(model, rows, np.asarray(found.x), test),
        "rhat": figure(health.rhat, size=len(half)),
        "ess": figure(health.size, size=half.size),
        "chain_verdict": health.verdict,
        "chain_sampler": found.sampler,
    }
    if found.acceptance is not None:
        record["acceptance"] = figure(found.acceptance, size=found.energies.size)
    return record


def told_labels(model: Model, rows: Dataset) -> dict[str, Any]:
    """How well the labels of test rows are told, by p(label | row) over fixed dequantisations."""
    log_odds, true = find_classifier(model.raw).log_odds, np.asarray(rows.labelled[1].label)
    of_rows = jax.jit(jax.vmap(lambda x: jnp.exp(log_odds(x))))
    copies = 1 if model.levels is None else DEQUANTISATIONS
    keys = [jax.random.fold_in(jax.random.key(0), copy) for copy in range(copies)]
    each = [of_rows(build.encoded(model.transform, rows.test, key=key)[0]) for key in keys]
    odds = np.mean(np.asarray(each, np.float64), axis=0)
    right = (odds.argmax(axis=1) == true).astype(float)
    return {
        "label_accuracy": mean(right),
        "cross_entropy": mean(-np.log(odds[np.arange(len(true)), true])),
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
    model: Model, rows: Dataset, drawn: np.ndarray, test: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Shares of modes by quadrature where the distribution of the data has known ones, else
    neighbours."""
    if not isinstance(rows.distribution, AbstractModal) or math.prod(rows.shape) > 2:
        return {"coverage": estimate(evaluate.coverage(drawn, test))}
    known = _Known(distribution=rows.distribution, transform=model.transform, shape=rows.shape)
    mode, modes = Partial(_mode, known), rows.distribution.modes
    mine, true = (
        evaluate.mode_shares(energy, mode, modes, *inside(model))
        for energy in (model.energy, known)
    )
    covered = np.sum(mine[:modes] >= COVERED * true[:modes])
    return {
        "modes_covered": figure(float(covered / modes), size=modes),
        "mode_shares_off": figure(float(np.abs(mine - true).sum() / 2)),
    }


def inside(model: Model) -> tuple[float, float]:
    """The box for quadrature, model units."""
    return build.BOX if model.settings.base == "box" else (-REACH, REACH)
