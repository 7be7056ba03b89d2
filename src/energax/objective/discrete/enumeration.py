"""The exact likelihood, by a sum over all points of a small space."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import Energy
from energax.objective.base import FINITE, AbstractMemoryless, Aux
from energax.objective.discrete.sites import Batch, find_space
from energax.space import AbstractFinite
from energax.space.finite import BLOCK, MOST_POINTS


def stream_log_z(energy: Energy, space: AbstractFinite, block: int = BLOCK) -> Float[Array, ""]:
    """log of the sum of exp(-E) over all points of a space, in nats, `block` points at a time.

    One program, for training: its gradient in the energy's weights, minus the mean of dE over
    exp(-E) / Z, is summed in the same pass, in memory that does not grow with the number of points.

    Raises:
        ValueError: for more than 2^20 points, or a `block` below 1.

    Trap: a sum of floats has their precision; in float32 log Z is off by some 1e-6 of its value.

    Example:
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> round(float(ex.objective.stream_log_z(energy, energy.space)), 4)  # log 8
        2.0794
    """
    if block < 1:
        raise ValueError(f"`block` must be at least 1; got {block}.")
    # What the energy closes over is made an argument, so that the gradient reaches it.
    explicit = eqx.filter_closure_convert(energy, space.points(jnp.zeros(1, int))[0])
    return _stream_at_once(*eqx.partition(explicit, eqx.is_inexact_array), space, block)


def _add_blocks(
    moving: PyTree, still: PyTree, space: AbstractFinite, block: int, slopes: bool
) -> tuple[Float[Array, ""], PyTree]:
    """log Z and, with `slopes`, its gradient in `moving`: both as running means over blocks."""
    size = min(block, space.count)

    def measure(moving: PyTree, start: Array) -> Array:
        numbers = start + jnp.arange(size)
        points = space.points(jnp.minimum(numbers, space.count - 1))
        values = -jax.vmap(eqx.combine(moving, still))(points)
        return jax.nn.logsumexp(jnp.where(numbers < space.count, values, -jnp.inf))

    def look(start: Array) -> tuple[Array, PyTree]:
        if slopes:
            return jax.value_and_grad(measure)(moving, start)
        return measure(moving, start), None

    def add(carry: tuple[Array, PyTree], start: Array) -> tuple[tuple[Array, PyTree], None]:
        (total, mean), (more, slope) = carry, look(start)
        both = jnp.logaddexp(total, more)
        old, new = jnp.exp(total - both), jnp.exp(more - both)

        def merge(a: Array, b: Array) -> Array:
            return old.astype(a.dtype) * a + new.astype(b.dtype) * b

        return (both, jax.tree.map(merge, mean, slope)), None

    return jax.lax.scan(add, look(jnp.zeros((), int)), jnp.arange(size, space.count, size))[0]


@eqx.filter_custom_vjp
def _stream(moving: PyTree, still: PyTree, space: AbstractFinite, block: int) -> Float[Array, ""]:
    return _add_blocks(moving, still, space, block, False)[0]


@_stream.def_fwd
def _stream_forward(
    perturbed: PyTree, moving: PyTree, still: PyTree, space: AbstractFinite, block: int
) -> tuple[Float[Array, ""], PyTree]:
    return _add_blocks(moving, still, space, block, True)


@_stream.def_bwd
def _stream_backward(
    slope: PyTree,
    factor: Float[Array, ""],
    perturbed: PyTree,
    moving: PyTree,
    still: PyTree,
    space: AbstractFinite,
    block: int,
) -> PyTree:
    return jax.tree.map(lambda part: factor.astype(part.dtype) * part, slope)


@eqx.filter_jit
def _stream_at_once(
    moving: PyTree, still: PyTree, space: AbstractFinite, block: int
) -> Float[Array, ""]:
    """One program instead of one for each operation, where nothing is compiled around it."""
    return _stream(moving, still, space, block)


class ExactLikelihood(AbstractMemoryless):
    """The mean negative log-likelihood, mean E(row) + log Z, with Z summed over all points.

    In nats for each row: the value measures progress. The space has at most 2^20 points, and each
    call visits all of them, whatever the batch; use large batches.

    Args:
        block: Points whose energies are in memory at a time.

    Raises:
        ValueError: for more than 2^20 points, or a `block` below 1.
        TypeError: for an energy that names no finite space.

    Metrics: "energy_data", and "log_z", that of the energy before the update.

    Trap: nothing but the rows held out tells when a model of this size begins to memorise them.

    Example:
        >>> objective = ex.objective.ExactLikelihood()
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> round(float(objective(energy, jnp.ones((4, 3), jnp.uint8), None, key=key)[0]), 4)
        2.0794
    """

    serves = FINITE
    block: int = eqx.field(static=True, default=BLOCK)

    def __check_init__(self):
        if self.block < 1:
            raise ValueError(f"`block` must be at least 1; got {self.block}.")

    def __call__(
        self, energy: Any, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        space = find_space(energy, self)
        if not space.enumerable:
            raise ValueError(
                f"ExactLikelihood sums over at most {MOST_POINTS} points, and this space has "
                f"{space.states}^{space.sites}: use PseudoLikelihood or persistent chains."
            )
        up, log_z = jnp.mean(jax.vmap(energy)(batch)), stream_log_z(energy, space, self.block)
        loss = up + log_z
        return loss, Aux(memory, {"loss": loss, "energy_data": up, "log_z": log_z})
