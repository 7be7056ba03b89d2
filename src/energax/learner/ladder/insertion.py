"""When a rung is made: an old copy of the top goes below it before the two lose touch."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from energax.learner.ladder.log_z import Ratios
from energax.learner.ladder.rungs import TOP, Rungs

NOTHING, STORED, INSERTED = 0, 1, 2
"""Stages of the making of a rung: no copy, a copy in store, a copy as a rung and the next one."""

APART = 10
"""Rounds that a copy waits before it becomes a rung, and extra rounds after it did."""


class Growth(eqx.Module):
    """How far the making of the next rung has come.

    Args:
        stage: `NOTHING`, `STORED` or `INSERTED`.
        since: The round of the last copy.
        extra: Rounds to make on top of the usual ones.

    Example:
        >>> int(ex.learner.Growth.create().stage)
        0
    """

    stage: Int[Array, ""]
    since: Int[Array, ""]
    extra: Int[Array, ""]

    @classmethod
    def create(cls) -> "Growth":
        """Before the first copy: the chains of the top, all draws of the base, move first."""
        zero = jnp.zeros((), jnp.int32)
        return cls(zero, zero, jnp.full((), APART, jnp.int32))


def grow(
    rungs: Rungs,
    ratios: Ratios,
    growth: Growth,
    now: Int[Array, ""],
    *,
    target: float,
) -> tuple[Rungs, Ratios, Growth]:
    """One step towards the next rung, by the acceptance of swaps with the top.

    Below 2 `target`, a copy T of the top is stored: weights and chains. Below `target`, T becomes
    a rung, and a second copy H is stored. When the acceptance of swaps with T falls below `target`
    as well, H takes its place, so that lasting rungs lie about `target` apart. Where no slot is
    left, the rung whose neighbours overlap most is removed.

    Trap: a copy of the chains of now would make two equal populations neighbours, whose swaps look
    perfect. Both copies are old ones: chains have moved for `APART` rounds since.
    """
    count, stage = rungs.count, growth.stage
    acceptance = ratios.acceptance[count - 1]
    old = now - growth.since >= APART
    close = acceptance < target
    store = (stage == NOTHING) & (acceptance < 2 * target)
    insert = (stage == STORED) & close & old
    replace = (stage == INSERTED) & close & old
    full = insert & (count == len(rungs.order) - 1)

    rungs = rungs.copy(TOP, rungs.order[count], store)
    place = choose_removal(ratios, count)
    rungs, ratios = rungs.remove(place, full), ratios.remove(place, count, full)
    # The copy in store lies behind the slot of the removed rung.
    rungs = _bring_forward(rungs, full)
    rungs = rungs.insert(insert)
    rungs = rungs.copy(TOP, rungs.order[rungs.count], insert)
    rungs = rungs.replace(replace)
    last, place = rungs.count - 1, jnp.arange(len(rungs.order), dtype=jnp.int32)
    ratios = ratios.restart((insert | replace) & ((place == last) | (place == last - 1)))
    stage = jnp.where(store, STORED, jnp.where(insert, INSERTED, jnp.where(replace, 0, stage)))
    # Too young a copy waits, and so does the top.
    wait = ((stage == STORED) | (stage == INSERTED)) & close & ~old
    extra = jnp.where(insert | replace | wait, APART, 0).astype(jnp.int32)
    since = jnp.where(store | insert, now, growth.since)
    return rungs, ratios, Growth(stage.astype(jnp.int32), since, extra)


def choose_removal(ratios: Ratios, count: Int[Array, ""]) -> Int[Array, ""]:
    """The place below the top whose removal costs least: the product of its two acceptances."""
    both: Float[Array, " slots"] = ratios.acceptance * jnp.roll(ratios.acceptance, -1)
    below = jnp.arange(len(both), dtype=jnp.int32) < count - 1
    return jnp.argmax(jnp.where(below, both, -1)).astype(jnp.int32)


def _bring_forward(rungs: Rungs, when: Array) -> Rungs:
    """The first two free places exchanged."""
    swapped = rungs.exchange_places(rungs.count, rungs.count + 1)
    return rungs.with_order(swapped, rungs.count, when)
