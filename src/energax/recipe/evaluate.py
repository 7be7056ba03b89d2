"""How good a trained model is: log Z, likelihood, baselines, sample quality, chain health."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from energax import evaluate
from energax.data import Dataset
from energax.errors import InputError
from energax.evaluate import Likelihood, LogZ
from energax.recipe.baseline import baselines, before, true_distribution
from energax.recipe.draw import drawn
from energax.recipe.folder import Folder, Model, load, write_arrays, write_json
from energax.recipe.players import starters
from energax.recipe.quality import inside, quality, told_labels
from energax.recipe.record import estimate, figure
from energax.recipe.score import scored
from energax.recipe.settings import check_seed

DRAWS = 256
"""Draws that are kept with the run and compared with test rows."""

BASELINE_DIM = 256
"""Up to this many axes the baselines are fitted: beyond, full covariances mean little."""


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
    baselines: bool = True
    """Fit simple models too, to be compared with; --no-baselines keeps only the base
    distribution."""

    def __call__(self) -> None:
        print(told(self.measured()))

    def measured(self) -> dict[str, Any]:
        """Measure, write evaluation.json and samples.npz, and return the record."""
        began = time.perf_counter()
        self._check()
        folder, model = Folder(self.run), load(self.run)
        rows = folder.dataset()
        draw, anneal = jax.random.split(jax.random.key(self.seed))
        found = drawn(model, DRAWS, starters(self.run, model), key=draw)
        log_z = self._log_z(model, key=anneal)
        record = _likelihood(model, rows, log_z) | quality(model, rows, found)
        if model.settings.objective == "joint":
            record |= told_labels(model, rows)
        fitted = self.baselines and math.prod(rows.shape) <= BASELINE_DIM
        record["baselines"] = (baselines(rows) if fitted else {}) | before(model, rows)
        if rows.distribution is not None:
            record["true_distribution"] = true_distribution(rows.distribution, rows.test)
        record["seconds"] = figure(time.perf_counter() - began)
        decoded = np.asarray(jax.vmap(model.transform.decode)(found.x))
        write_arrays(folder["samples.npz"], draws=decoded, chains=found.energies)
        write_json(folder["evaluation.json"], record)
        return record

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
                f"{model.settings.temperature:.3g}, so the density is too concentrated for "
                "annealed importance sampling."
            )
        if model.settings.base == "none":
            return "Not attempted: without a base distribution the energy may have no finite log Z."
        if math.prod(model.energy.shape) <= 2:
            found = evaluate.quadrature(model.energy, *inside(model))
            return evaluate.certify(found, level=self.level)
        return evaluate.annealed_log_z(
            model.energy, model.distribution, particles=self.particles, level=self.level, key=key
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


def _likelihood(model: Model, rows: Dataset, log_z: LogZ | str) -> dict[str, Any]:
    """The entries that need log Z: the likelihood in nats and bits, and log Z from both ends."""
    if isinstance(log_z, str):
        nothing = {"value": None, "lower": None, "upper": None, "certified": False, "why": log_z}
        return {"test_log_likelihood": nothing}
    energies, log_dets = scored(model, model.energy, rows.test)
    found = evaluate.log_likelihood(energies, log_dets, log_z)
    ends = {"log_z_forward": estimate(log_z.forward), "log_z_reverse": estimate(log_z.reverse)}
    width = (log_z.upper - log_z.lower) / 2
    size = min(float(log_z.forward.size), float(log_z.reverse.size))
    return {
        "test_log_likelihood": {
            **{name: figure(getattr(found, name))["value"] for name in ("value", "lower", "upper")},
            "certified": found.certified,
            "why": found.why,
            "level": log_z.level,
            "error_over_rows": found.error,
            "rows": len(found.rows),
        },
        **({} if rows.levels is None else {"bits_per_dim": _bits(found, rows)}),
        "log_z": figure(log_z.value, width, size),
        **ends,
    }


def _bits(found: Likelihood, rows: Dataset) -> dict[str, Any]:
    dim = math.prod(rows.shape)
    value = evaluate.bits_per_dim(found.value, dim, rows.levels)
    return figure(value, found.error / (dim * math.log(2)), len(found.rows))
