"""Energies and log-densities of rows in the user's units."""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float, Shaped

from energax import data
from energax.energy import Energy, score
from energax.errors import InputError
from energax.method import build
from energax.model.base import Model
from energax.model.columns import check_columns
from energax.model.players import apply_each

DEQUANTISATIONS = 16
"""Fixed draws of the dequantisation noise over which a score of whole numbers is averaged."""

Rows = Shaped[np.ndarray, " size *shape"]


@dataclasses.dataclass(frozen=True)
class Scores:
    """Energy of each row and log|dy/dx|, nats: a line for each fixed dequantisation."""

    energies: Float[np.ndarray, " copies size"]
    log_dets: Float[np.ndarray, " copies size"]

    def log_densities(self, log_z: float) -> Float[np.ndarray, " size"]:
        """log p of each row, averaged over the dequantisations."""
        return (self.log_dets - self.energies).mean(axis=0) - log_z


def check_rows(model: Model, rows: Any, hidden: Bool[np.ndarray, "..."] | None = None) -> Rows:
    """Rows of a user as an array. Raises InputError where they are not what the model takes.

    What they hold where they are `hidden` is not read.
    """
    if model.schema.kinds is not None:
        return check_columns(model, rows, filled=hidden is not None)
    if hidden is not None:
        rows = _blank(np.asarray(rows), hidden)
    schema = model.schema
    return data.check_array(
        rows,
        schema.shape,
        columns=schema.columns,
        levels=schema.levels,
        states=schema.states,
        name=schema.name,
    )[0]


def _blank(rows: np.ndarray, hidden: Bool[np.ndarray, "..."]) -> np.ndarray:
    if hidden.shape != rows.shape:
        raise InputError(
            f"`hidden` has shape {hidden.shape}, the rows {rows.shape}: say of each number whether "
            "it is hidden."
        )
    return np.where(hidden, 0, rows).astype(rows.dtype)


def score_rows(model: Model, rows: Any, copies: int = DEQUANTISATIONS) -> Scores:
    """Energies of rows, and the log-determinants that log-densities need.

    Whole numbers are dequantised `copies` times by fixed noise; real numbers once. Raises
    InputError for rows of another kind than the model was trained on, and for a row so far from
    them that its energy is no number; outside of a box it is infinite.
    """
    found = evaluate_energy(model, model.energy, check_rows(model, rows), copies)
    energies = found.energies.sum(axis=0)
    bad = np.isnan(energies) if model.method.base_kind == "box" else ~np.isfinite(energies)
    if bad.any():
        raise InputError(
            f"The energy of {bad.sum()} of {len(bad)} rows is not finite, first that of row "
            f"{int(np.argmax(bad)) + 1}: they are too far from the training rows; leave them out."
        )
    return found


def evaluate_energy(
    model: Model, energy: Energy, rows: Rows, copies: int = DEQUANTISATIONS
) -> Scores:
    """As `score_rows`, of another energy of rows in model units."""
    copies = 1 if model.schema.levels is None else copies
    found = []
    for copy in range(copies):
        key = jax.random.fold_in(jax.random.key(0), copy)
        y, log_det = build.encode(model.transform, rows, key=key)
        found.append((np.asarray(apply_each(energy, y)), np.asarray(log_det)))
    energies, log_dets = (np.stack(part) for part in zip(*found, strict=True))
    return Scores(energies, log_dets)


def known_log_z(model: Model) -> tuple[float | None, str]:
    """log Z of a measured model where it is certified, else None and why there is none."""
    if model.schema.forbidden is not None:
        return None, model.schema.forbidden.rstrip(".")
    found = model.measured_log_z
    if found is None:
        return None, "log Z is not measured yet, `energax evaluate` does that"
    if isinstance(found, str):
        return None, found.rstrip(".")
    return (found.value, found.why) if found.certified else (None, "log Z is not certified")


def score_gradient(model: Model, rows: Any) -> Float[np.ndarray, " size *shape"]:
    """d log p / dx of each row in model units; whole numbers are dequantised once."""
    y, _ = build.encode(model.transform, check_rows(model, rows), key=jax.random.key(0))
    energy = model.energy
    return np.asarray(jax.jit(jax.vmap(lambda x: score(energy, x)))(y))
