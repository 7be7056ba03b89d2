"""One step of an Optax optimiser and of a running average, shared by all learners."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from energax.energy import weights


def copy_arrays(tree: PyTree) -> PyTree:
    """The same tree with arrays of its own.

    The training loop donates its state, which must hold neither an array of the caller nor the same
    array twice.
    """
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.device_put(arrays, may_alias=False), rest)


def init_memory(optimiser: optax.GradientTransformation, moving: PyTree) -> PyTree:
    """The optimiser's memory before its first step, made by one program."""
    return jax.jit(optimiser.init)(moving)


def apply_update(
    optimiser: optax.GradientTransformation, grad: PyTree, memory: PyTree, moving: PyTree
) -> tuple[PyTree, PyTree]:
    """The weights after one step along `grad`, and the optimiser's memory."""
    # Optax mixes its integer count with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        change, memory = optimiser.update(grad, memory, moving)
    return optax.apply_updates(moving, change), memory


def update_average(
    ema_decay: float | None, average: PyTree, moving: PyTree, updates: Int[Array, ""]
) -> PyTree:
    """The running average after one more update; None where none is kept.

    decay_t * average + (1 - decay_t) * weights, with decay_t = min(ema_decay, (1 + t) / (10 + t))
    so that it forgets the start.
    """
    if ema_decay is None:
        return None
    now = jnp.minimum(ema_decay, (1 + updates) / (10 + updates))
    return jax.tree.map(
        lambda old, new: old + (1 - now).astype(old.dtype) * (new - old), average, moving
    )


def select_weights(energy: PyTree, average: PyTree) -> Any:
    """`energy` with averaged weights where they are kept, else with the last ones."""
    return energy if average is None else eqx.combine(average, weights(energy)[1])


def check_ema_decay(ema_decay: float | None) -> None:
    """Raise ValueError where `ema_decay` is neither None nor in [0, 1)."""
    if ema_decay is not None and not 0 <= ema_decay < 1:
        raise ValueError(f"`ema_decay` must lie in [0, 1) or be None; got {ema_decay}.")
