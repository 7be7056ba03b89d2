"""When overlap between rungs is lost: which updates are taken back."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from energax.learner.ladder.insertion import APART, NOTHING, Growth
from energax.learner.ladder.log_z import Ratios
from energax.learner.ladder.rungs import Rungs


def keeps_overlap(
    acceptance: Float[Array, ""], width: Float[Array, ""], alarm: float
) -> Bool[Array, ""]:
    """Will swaps with the top still be accepted after an update?

    Where E_upper - E_lower is Gaussian with standard deviation w, swaps are accepted with
    probability 2 Phi(-w / sqrt 2), and w of two steps is at most the sum.

    Args:
        acceptance: That of now.
        width: Standard deviation, over chains of the top, of what the update adds to E.
        alarm: The least acceptance. A NaN falls below it.
    """
    before = -(2**0.5) * ndtri(acceptance / 2)
    return 2 * ndtr(-(before + width) / 2**0.5) >= alarm


def shorten(old: PyTree, new: PyTree, share: Float[Array, ""]) -> PyTree:
    """A share of the way from the old weights to the new ones."""
    return jax.tree.map(lambda a, b: a + share.astype(a.dtype) * (b - a), old, new)


def choose(when: Bool[Array, ""], one: PyTree, other: PyTree) -> PyTree:
    """The first where it is true, else the second."""
    return jax.tree.map(lambda a, b: jnp.where(when, a, b), one, other)


@eqx.filter_jit
def check_start(
    energy: Any, base: Any, x: Shaped[Array, " chains *shape"], alarm: float
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """The spread of E - E_base over draws of the base, and whether swaps are still accepted."""
    width = jnp.std(jax.vmap(lambda y: energy(y) - base(y))(x))
    return width, keeps_overlap(jnp.ones_like(width), width, alarm)


def retreat(
    rungs: Rungs, ratios: Ratios, growth: Growth, now: Int[Array, ""], *, alarm: float
) -> tuple[Rungs, Ratios, Growth, Bool[Array, ""]]:
    """Back to the checkpoint below a link between checkpoints that is lost, with its chains.

    Such a link is one whose swaps are accepted less often than `alarm`: its upper rung was stored
    while its chains lagged behind. The last value says whether there was one.
    """
    place = jnp.arange(len(rungs.order), dtype=jnp.int32)
    lost = (place < rungs.count - 1) & (ratios.rounds >= APART) & (ratios.acceptance < alarm)
    any_lost = jnp.any(lost)
    target = jnp.maximum(jnp.argmax(lost) - 1, 0).astype(jnp.int32)
    again = Growth(jnp.full_like(now, NOTHING), now, jnp.full_like(now, APART))
    growth = jax.tree.map(lambda new, old: jnp.where(any_lost, new, old), again, growth)
    ratios = ratios.retreat(target, any_lost)
    return rungs.retreat(target, any_lost), ratios, growth, any_lost
