"""What energies, reconstructions and principal components say of rows from outside the data."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from energax.evaluate import detection, pca_residual
from energax.learner import TeachingState
from energax.reproduce.teach.images import OUTSIDE, images, outsiders
from energax.reproduce.teach.plan import Setting

Score = Callable[[np.ndarray], Float[np.ndarray, " n"]]

REPLICATES = 300
COMPONENTS = 50
FITTED = 10_000
"""Training rows that the principal components are fitted to."""


def scores(state: Any) -> dict[str, Score]:
    """Of a trained state: its energy; with a generator the mean squared error of its best guess."""
    energy = state.energy

    @eqx.filter_jit
    def energies(x: Array) -> Array:
        return jax.vmap(energy)(x)

    found: dict[str, Score] = {"energy": lambda x: np.asarray(energies(jnp.asarray(x)))}
    match state:
        case TeachingState(generator=generator, encoder=encoder) if encoder is not None:

            @eqx.filter_jit
            def square_errors(x: Array) -> Array:
                guess = jax.vmap(lambda row: generator(encoder(row)[0]))(x)
                return jnp.mean((guess - x) ** 2, axis=(1, 2))

            found["reconstruction"] = lambda x: np.asarray(square_errors(jnp.asarray(x)))
    return found


def baseline(setting: Setting) -> dict[str, Score]:
    """The distance from the plane of the first principal components."""
    train = images(setting.data, setting.pool).train[:FITTED]
    return {"principal components": lambda x: pca_residual(train, x, COMPONENTS)}


def detections(setting: Setting, scores: dict[str, Score]) -> dict[str, Any]:
    """As "detection", by score and kind of row from outside: value and ends of each figure."""
    inside = images(setting.data, setting.pool).test[-OUTSIDE:]
    outside = outsiders(setting.data, setting.pool)
    figures: dict[str, dict[str, Any]] = {}
    for name, score in scores.items():
        known = score(inside)
        found = {
            word: detection(known, score(rows), replicates=REPLICATES)
            for word, rows in outside.items()
        }
        figures[name] = {
            word: {figure: list(ends.values()) for figure, ends in dataclasses.asdict(each).items()}
            for word, each in found.items()
        }
    return {"detection": figures}
