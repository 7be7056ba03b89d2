"""What is refused before training: rows that do not fit, and an energy with nothing to train."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, Shaped

from energax.energy import AbstractEnergy, AbstractNoisy, weights
from energax.errors import InputError
from energax.learner import AbstractLearner


def check_finite(rows: Shaped[Array, " size *shape"], *, holes: bool = False) -> None:
    """Raise InputError, naming the first number of the rows that is not finite.

    `holes`: NaN stands for a missing cell, which the energy takes.
    """
    if not jnp.issubdtype(rows.dtype, jnp.inexact):
        return
    values = np.asarray(rows)
    bad = np.isinf(values) if holes else ~np.isfinite(values)
    if not bad.any():
        return
    row, *place = (int(index) for index in np.argwhere(bad)[0])
    column = f", column {place[0]}" if len(place) == 1 else f", entry {tuple(place)}"
    raise InputError(
        f"Row {row}{column if place else ''} of the training rows (counted from 0) is "
        f"{values[(row, *place)]}: every number must be finite; drop such rows or fill them in."
    )


def check_shape(learner: AbstractLearner, state: PyTree, shape: tuple[int, ...]) -> None:
    """Raise InputError where `shape`, of one row in model units, is not what the energy takes."""
    energy = eqx.filter_eval_shape(learner.energy, state)
    if isinstance(energy, AbstractEnergy | AbstractNoisy) and energy.shape != shape:
        raise InputError(
            f"The training rows have shape {shape} each, but the energy takes examples of shape "
            f"{energy.shape}: reshape the rows or build the energy with `shape={shape}`."
        )


def check_trainable(learner: AbstractLearner, players: Any, state: PyTree) -> None:
    """Raise ValueError where neither the players nor the energy made of them hold a weight."""
    if jax.tree.leaves(weights(players)[0]) or jax.tree.leaves(weights(learner.energy(state))[0]):
        return
    raise ValueError(
        "There is nothing to train: the energy holds no floating-point array outside "
        "`NonTrainable`. A plain function hides its parameters: make it an `equinox.Module` with "
        "the parameters as fields, or `jax.tree_util.Partial(function, parameters)`."
    )
