"""What a ladder says of itself at every update."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from energax.energy import AbstractDistribution
from energax.learner.base import Metrics
from energax.learner.ladder.log_z import Ratios
from energax.learner.ladder.rungs import TOP, Rungs
from energax.learner.ladder.swaps import Links

STUCK = 1e-4
"""Probability of a swap below which a state can leave the top by local moves alone."""


def share_immobile(
    lower: Float[Array, " lower"], upper: Float[Array, " upper"]
) -> Float[Array, ""]:
    """The share of upper states that next to no swap takes down, whoever is the other one.

    Args:
        lower, upper: E_lower - E_upper at the chains of two neighbours.
    """
    chance = jnp.exp(jnp.minimum(lower[None] - upper[:, None], 0))
    return jnp.mean((jnp.mean(chance, 1) < STUCK).astype(chance.dtype))


def measure_ladder_state(
    base: AbstractDistribution, rungs: Rungs, ratios: Ratios, links: Links, now: Int[Array, ""]
) -> Metrics:
    """log Z, swaps, how fresh the chains of the top are; `links` are those of the last round."""
    total, error = ratios.total(rungs.active)
    dtype, last = total.dtype, rungs.count - 1
    rates = jnp.where(rungs.active, ratios.acceptance, 0)
    count = rungs.count.astype(dtype)
    return {
        "log_z": base.log_z().astype(dtype) + total,
        "log_z_error": error,
        "swap_rate_min": jnp.min(jnp.where(rungs.active, rates, 1)),
        "swap_rate_mean": jnp.sum(rates) / count,
        "rungs": count,
        "renewal_age": jnp.mean((now - rungs.walkers.stamp[TOP]).astype(dtype)),
        "immobile_share": share_immobile(links.lower[last], links.upper[last]),
    }
