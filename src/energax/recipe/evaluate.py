"""How good a trained model is: log Z, likelihood, baselines, sample quality, chain health."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from energax import evaluate
from energax.data import Dataset
from energax.energy import AbstractLaw, log_density
from energax.errors import InputError
from energax.evaluate import Estimate, Likelihood, LogZ
from energax.recipe import build
from energax.recipe.draw import Drawn, drawn
from energax.recipe.folder import Folder, Model, load, write_arrays, write_json
from energax.recipe.score import scored
from energax.recipe.settings import check_seed

DRAWS = 256
"""Draws that are kept with the run and compared with test rows."""

BASELINE_DIM = 256
"""Up to this many axes the baselines are fitted: beyond, full covariances mean little."""

REACH = 8.0
"""Half-width of the box for quadrature, in model units, where data have standard deviation 1."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure a trained run: likelihood with its interval, baselines, draws, chains."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run."""
    particles: int = 512
    """Annealed particles for log Z."""
    level: float = 0.95
    """Confidence level of the interval."""
    seed: int = 0
    """Seed of everything random in the evaluation."""

    def __call__(self) -> None:
        began = time.perf_counter()
        self._check()
        folder, model = Folder(self.run), load(self.run)
        rows = folder.dataset()
        draw, anneal = jax.random.split(jax.random.key(self.seed))
        found = drawn(model, DRAWS, key=draw)
        log_z = self._log_z(model, key=anneal)
        record = _likelihood(model, rows, log_z) | _quality(model, rows, found)
        if math.prod(rows.shape) <= BASELINE_DIM:
            record["baselines"] = _baselines(model, rows)
        if rows.law is not None:
            record["true_law"] = _mean(_exact(rows.law, rows.test))
        record["seconds"] = _figure(time.perf_counter() - began)
        decoded = np.asarray(jax.vmap(model.transform.decode)(found.x))
        write_arrays(folder["samples.npz"], draws=decoded, chains=found.energies)
        write_json(folder["evaluation.json"], record)
        print(told(record))

    def _check(self) -> None:
        if self.particles < 2:
            raise InputError(f"--particles must be at least 2; got {self.particles}.")
        if not 0 < self.level < 1:
            raise InputError(f"--level must be between 0 and 1; got {self.level}.")
        check_seed(self.seed)

    def _log_z(self, model: Model, *, key: jax.Array) -> LogZ | str:
        """log Z with its interval, or why it was not attempted."""
        if model.cold:
            return (
                f"Not attempted: the chains of training ran at temperature "
                f"{model.settings.temperature:.3g}, so the law is a valley too narrow to anneal to."
            )
        if model.settings.base == "none":
            return "Not attempted: without a base law the energy may have no finite log Z."
        if math.prod(model.energy.shape) <= 2:
            inside = build.BOX if model.settings.base == "box" else (-REACH, REACH)
            return evaluate.bounded(evaluate.quadrature(model.energy, *inside), level=self.level)
        return evaluate.annealed_log_z(
            model.energy, model.law, particles=self.particles, level=self.level, key=key
        )


def told(record: dict[str, Any]) -> str:
    """The outcome in one line."""
    found = record["test_log_likelihood"]
    if found["value"] is None:
        return f"No test log-likelihood. {found['why']}"
    if not found["certified"]:
        return f"Test log-likelihood not certified: {found['why']}"
    best = max((b["value"] for b in record.get("baselines", {}).values()), default=None)
    against = "" if best is None else f"; best baseline {best:.3f}"
    return (
        f"Test log-likelihood {found['value']:.3f} nats, certified between {found['lower']:.3f} "
        f"and {found['upper']:.3f}{against}."
    )


def _figure(
    value: float, error: float | None = None, size: int | float | None = None
) -> dict[str, Any]:
    """A number of the record; one that is not finite is written as null."""
    parts = {"value": value, "error": error, "size": size}
    return {n: None if v is None or not math.isfinite(v) else float(v) for n, v in parts.items()}


def _of(estimate: Estimate) -> dict[str, Any]:
    return _figure(float(estimate.value), float(estimate.error), float(estimate.size))


def _likelihood(model: Model, rows: Dataset, log_z: LogZ | str) -> dict[str, Any]:
    """The entries that need log Z: the likelihood in nats and bits, and log Z from both ends."""
    if isinstance(log_z, str):
        nothing = {"value": None, "lower": None, "upper": None, "certified": False, "why": log_z}
        return {"test_log_likelihood": nothing}
    energies, log_dets = scored(model, model.energy, rows.test)
    found = evaluate.log_likelihood(energies, log_dets, log_z)
    ends = {"log_z_forward": _of(log_z.forward), "log_z_reverse": _of(log_z.reverse)}
    width = (log_z.upper - log_z.lower) / 2
    size = min(float(log_z.forward.size), float(log_z.reverse.size))
    return {
        "test_log_likelihood": {
            **{
                name: _figure(getattr(found, name))["value"] for name in ("value", "lower", "upper")
            },
            "certified": found.certified,
            "why": found.why,
            "level": log_z.level,
            "error_over_rows": found.error,
            "rows": len(found.rows),
        },
        **({} if rows.levels is None else {"bits_per_dim": _bits(found, rows)}),
        "log_z": _figure(log_z.value, width, size),
        **ends,
    }


def _bits(found: Likelihood, rows: Dataset) -> dict[str, Any]:
    dim = math.prod(rows.shape)
    value = evaluate.bits_per_dim(found.value, dim, rows.levels)
    return _figure(value, found.error / (dim * math.log(2)), len(found.rows))


def _quality(model: Model, rows: Dataset, found: Drawn) -> dict[str, Any]:
    """Draws against test rows, and the health of the chains that made them."""
    key = jax.random.key(1)
    test = np.asarray(build.encoded(model.transform, rows.test[:2000], key=key)[0])
    half = found.energies[:, found.energies.shape[1] // 2 :]
    health = evaluate.health(half)
    record = {
        "mmd": _of(evaluate.mmd(np.asarray(found.x), test)),
        "rhat": _figure(health.rhat, size=len(half)),
        "ess": _figure(health.size, size=half.size),
        "chain_verdict": health.verdict,
        "chain_sampler": found.sampler,
    }
    if found.acceptance is not None:
        record["acceptance"] = _figure(found.acceptance, size=found.energies.size)
    return record


def _baselines(model: Model, rows: Dataset) -> dict[str, Any]:
    """Simple models on the same rows, and the base law of this run before training.

    Whole numbers: on the unit box, one dequantisation to fit and several to test, as the energy is
    scored. Real numbers: standardised, and the log-determinant of that counted.
    """
    train, tests, log_det = _plain(rows)
    found = evaluate.baselines(train, tests)
    record = {
        name: _figure(b.value + log_det, b.error, b.size) | {"setting": b.setting}
        for name, b in found.items()
    }
    if model.settings.base != "none":
        energies, log_dets = scored(model, lambda x: -log_density(model.law, x), rows.test)
        entry = _mean(np.mean(log_dets - energies, axis=0))
        record["base law, before training"] = entry | {"setting": model.settings.base}
    return record


def _exact(law: AbstractLaw, rows: np.ndarray) -> np.ndarray:
    """Log-density of each row under the law that the data came from: no model does better."""
    return np.asarray(jax.jit(jax.vmap(lambda x: log_density(law, x)))(jnp.asarray(rows)))


def _mean(each: np.ndarray) -> dict[str, Any]:
    each = each.astype(np.float64)
    error = each.std(ddof=1) / math.sqrt(len(each))
    return _figure(float(each.mean()), float(error), len(each))


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
