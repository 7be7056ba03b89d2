"""How good a trained model is: log Z, likelihood, baselines, samples, chains."""

import dataclasses
import math
import time
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray, Shaped

from energax import evaluate
from energax.data import Dataset, Weighted, unpack_weights
from energax.errors import InputError
from energax.evaluate import Likelihood, LogZ
from energax.method import build
from energax.model import baselines
from energax.model.base import Model
from energax.model.column_quality import (
    estimate_columns_log_z,
    measure_chains,
    measure_columns,
)
from energax.model.learning import judge_learning
from energax.model.mass import (
    estimate_mass_log_z,
    measure_mass_baselines,
    measure_mass_quality,
)
from energax.model.quality import (
    box_of,
    measure_agreement,
    measure_labels,
    measure_quality,
)
from energax.model.record import estimate, figure
from energax.model.sampling import Samples, decode_rows, sample_chains
from energax.model.scoring import check_rows, score_rows
from energax.progress import stage

WITHIN_REACH = 32
"""Axes at most that annealing crosses from one Gaussian to an energy of little noise."""

SAMPLES = 256
"""Samples that are kept, and compared with test rows."""

Rows = Shaped[np.ndarray, " size *shape"]


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of a model on test rows.

    Args:
        record: Every figure with its error, as nested dictionaries that JSON can hold.
        model: The model, which knows its log Z now.
        samples: New rows, in the user's units.
        chains: Energies along their chains, nats.
        test: The rows it was measured on.
    """

    record: dict[str, Any]
    model: Model
    samples: Shaped[np.ndarray, " count *shape"]
    chains: Float[np.ndarray, " count kept"]
    test: Rows

    def __str__(self) -> str:
        return summarise(self.record)


def measure(
    model: Model,
    test: Any,
    *,
    train: Any = None,
    particles: int = 512,
    level: float = 0.95,
    seed: int = 0,
    compare: bool = True,
    log_z: LogZ | None = None,
) -> Measured:
    """Measure a model on rows that it was not trained on.

    Args:
        model: The model.
        test: Rows in the user's units, or a `Dataset`, whose test rows they are.
        train: The training rows: simple models are fitted to them, to be compared with, and a part
            of them may have mass that the base misses. A `Dataset` brings its own; without them the
            test rows are looked at.
        particles: Annealed particles for log Z, at least 2.
        level: Confidence level of the interval, between 0 and 1.
        seed: Seed of everything random here.
        compare: Fit simple models to the training rows, where they are known.
        log_z: That of the energy, where it is measured already.

    Raises InputError for rows of another kind than the model was trained on, or options out of
    range; Diverged for a model whose chains run off.
    """
    _check(particles, level)
    began = time.perf_counter()
    rows = test if isinstance(test, Dataset) else None
    tested = check_rows(model, test if rows is None else rows.test)
    known = rows.train if rows is not None and train is None else train
    witnesses = next(part for part in (known, model.witnesses, tested) if part is not None)
    draw, anneal = jax.random.split(jax.random.key(seed))
    with stage("drawing samples"):
        found = sample_chains(model, SAMPLES, key=draw)
    known_log_z: Any = log_z
    if log_z is None:
        with stage("estimating log Z"):
            known_log_z = estimate_log_z(
                model, witnesses, particles=particles, level=level, key=anneal
            )
    weights = None if rows is None else rows.test_weights
    with stage("scoring test rows"):
        record, each = _likelihood(model, tested, known_log_z, weights)
        truth = None if rows is None else rows.distribution
        record |= _quality(model, tested, truth, found, weights)
    if rows is not None and rows.labels is not None:
        record |= _compare_labels(model, rows, tested, found)
    if rows is not None and train is None and rows.row_weights is not None:
        known = Weighted(rows.train, rows.row_weights)
    record["baselines"] = _baselines(model, known if compare else None, tested, each, weights)
    if model.schema.kinds is not None:
        with stage("predicting columns"):
            record |= measure_columns(model, known if compare else None, tested)
    record |= judge_learning(record)
    if truth is not None:
        record["true_distribution"] = baselines.measure_distribution(truth, tested)
    record["seconds"] = figure(time.perf_counter() - began)
    certain = dataclasses.replace(model, measured_log_z=known_log_z)
    return Measured(record, certain, decode_rows(model, found.x), found.energies, tested)


def _quality(model: Model, rows: Rows, truth: Any, found: Samples, weights: Any) -> dict[str, Any]:
    if model.schema.kinds is not None:
        return measure_chains(model, rows, found)
    if model.schema.states is None:
        return measure_quality(model, rows, truth, found)
    about = found.acceptance, found.sampler
    return measure_mass_quality(model, rows, found.x, found.energies, about, weights)


def _compare_labels(
    model: Model, rows: Dataset, tested: Rows, found: Samples
) -> dict[str, dict[str, Any]]:
    """How well labels are classified, and of images whether draws look like one class."""
    record = {}
    if model.method.classifies:
        record |= measure_labels(model, tested, np.asarray(rows.labelled[1].label))
    if len(rows.shape) > 1:
        record |= measure_agreement(model, rows, found)
    return record


def _check(particles: int, level: float) -> None:
    if particles < 2:
        raise InputError(f"--particles must be at least 2; got {particles}.")
    if not 0 < level < 1:
        raise InputError(f"--level must be between 0 and 1; got {level}.")


def estimate_log_z(
    model: Model,
    rows: Any,
    *,
    particles: int = 512,
    level: float = 0.95,
    key: PRNGKeyArray,
) -> LogZ | str:
    """log Z with its interval, or why it was not attempted.

    Args:
        rows: Where mass should be, in the user's units, such as training rows; None where there are
            none.
    """
    if model.schema.kinds is not None:
        return estimate_columns_log_z(model, rows, particles=particles, level=level, key=key)
    if model.schema.states is not None:
        known = None if rows is None else check_rows(model, rows)
        return estimate_mass_log_z(model, known, particles=particles, level=level, key=key)
    if model.cold:
        return (
            f"Not attempted: the chains of training ran at temperature "
            f"{model.method.temperature:.3g}, so the density is too concentrated for annealed "
            "importance sampling."
        )
    if model.method.base_kind == "none":
        return "Not attempted: without a base the energy may have no finite log Z."
    dim = math.prod(model.schema.shape)
    if dim <= 2:
        found = evaluate.quadrature(model.energy, *box_of(model))
        return evaluate.certify(found, level=level)
    if model.method.noise_path(model.base) is not None and dim > WITHIN_REACH:
        return (
            "Not attempted: annealing would start at one Gaussian, too far from an energy of "
            f"{dim} numbers at its lowest level of noise."
        )
    if rows is None:
        return (
            "Not attempted: training rows alone know of a mode that the base misses, and a loaded "
            "model has none. Call `energax.measure(model, test)`."
        )
    noise, anneal = jax.random.split(key)
    inputs, _ = build.encode(model.transform, check_rows(model, rows), key=noise)
    return evaluate.annealed_log_z(
        model.energy, model.base, inputs, particles=particles, level=level, key=anneal
    )


def _baselines(
    model: Model, train: Any, test: Rows, each: np.ndarray | None, weights: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if train is not None and model.schema.states is not None:
        with stage("fitting baselines"):
            inputs, own = unpack_weights(train)
            known = check_rows(model, inputs)
            found = measure_mass_baselines(model, (known, own), (test, weights), each)
    elif train is not None and model.schema.kinds is None and baselines.fits(model.schema.shape):
        with stage("fitting baselines"):
            known = check_rows(model, train)
            found = baselines.measure_baselines(known, test, model.schema.levels, each)
    return found | baselines.measure_base(model, test, each, weights)


def _likelihood(
    model: Model, rows: Rows, log_z: LogZ | str, weights: Any
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The entries that need log Z, and the log-density of each row; None without log Z."""
    if isinstance(log_z, str):
        nothing = {"value": None, "lower": None, "upper": None, "certified": False, "why": log_z}
        return {"test_log_likelihood": nothing}, None
    scores = score_rows(model, rows)
    found = evaluate.log_likelihood(scores.energies, scores.log_dets, log_z, weights)
    width = (log_z.upper - log_z.lower) / 2
    size = min(float(log_z.forward.size), float(log_z.reverse.size))
    record = {
        "test_log_likelihood": {
            **{name: figure(getattr(found, name))["value"] for name in ("value", "lower", "upper")},
            "certified": found.certified and model.schema.forbidden is None,
            "why": model.schema.forbidden or found.why,
            "level": log_z.level,
            "error_over_rows": found.error,
            "rows": len(found.rows),
            **({} if weights is None else {"effective_rows": float(weights.sum())}),
        },
        "log_z": figure(log_z.value, width, size),
        "log_z_forward": estimate(log_z.forward),
        "log_z_reverse": estimate(log_z.reverse),
    }
    others = {"log_z_from_rows": log_z.from_rows, "log_z_bridge": log_z.bridge}
    record |= {name: estimate(end) for name, end in others.items() if end is not None}
    if model.schema.levels is not None:
        record["bits_per_dim"] = _bits(found, model)
    return record, found.rows


def _bits(found: Likelihood, model: Model) -> dict[str, Any]:
    dim = math.prod(model.schema.shape)
    value = evaluate.bits_per_dim(found.value, dim, model.schema.levels)
    return figure(value, found.error / (dim * math.log(2)), len(found.rows))


def summarise(record: dict[str, Any]) -> str:
    """The outcome in one line."""
    said = _summarise_likelihood(record)
    return f"{said} {record['learning']}" if "learning" in record else said


def _summarise_likelihood(record: dict[str, Any]) -> str:
    found = record["test_log_likelihood"]
    if found["value"] is None:
        return f"No test log-likelihood. {found['why']}"
    if not found["certified"]:
        return f"Test log-likelihood not certified: {found['why']}"
    said = (
        f"Test log-likelihood {found['value']:.3f} nats, certified between {found['lower']:.3f} "
        f"and {found['upper']:.3f}"
    )
    others = record.get("baselines", {})
    base = others.get(baselines.BEFORE, {}).get("difference")
    if base is not None:
        said += f"; training added {base['value']:.3f} +- {base['error']:.3f} to the base"
    fitted = [b["value"] for name, b in others.items() if name != baselines.BEFORE]
    return f"{said}; best baseline {max(fitted):.3f}." if fitted else f"{said}."
