"""Do the chains of the top keep up with training? Where they do not, updates pause."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from energax.energy import AbstractDistribution
from energax.learner.ladder.rungs import TOP, Rungs, Walkers

MEMORY = 200
"""Updates after which a change of the energy is forgotten."""

LIMIT = 0.25
"""Standard deviations that an average over the chains may lag behind."""

SURE = 3.0
"""Standard errors by which a lag must differ from 0."""

LONGEST = 100
"""Rounds of a pause at most."""

ROUNDS = 10
"""Rounds between two looks of a pause."""

REST = 10
"""Updates after a pause before another."""

FAR = 2.0
"""Standard deviations from the mean beyond which a state counts as one of the tails."""


class Pause(eqx.Module):
    """Where a pause of the updates stands.

    Args:
        rounds: Made in it so far; 0 where there is none.
        rest: Updates before the next may begin.

    Example:
        >>> int(ex.learner.Pause.create().rounds)
        0
    """

    rounds: Int[Array, ""]
    rest: Int[Array, ""]

    @classmethod
    def create(cls) -> "Pause":
        """None."""
        zero = jnp.zeros((), jnp.int32)
        return cls(zero, zero)

    @property
    def extra(self) -> Int[Array, ""]:
        """Rounds to make on top of the usual ones."""
        return jnp.where(self.rounds > 0, ROUNDS, 0).astype(jnp.int32)

    def advance(self, lag: Float[Array, ""], error: Float[Array, ""]) -> "Pause":
        """After a look at the lag: a pause begins above `LIMIT` and ends below half of it."""
        active = self.rounds > 0
        start = ~active & (self.rest == 0) & (lag > LIMIT) & (lag > SURE * error)
        stay = active & (lag > LIMIT / 2) & (self.rounds < LONGEST)
        rounds = jnp.where(start | stay, self.rounds + ROUNDS, 0)
        rest = jnp.where(active & ~stay, REST, jnp.maximum(self.rest - 1, 0))
        return Pause(rounds.astype(jnp.int32), rest.astype(jnp.int32))


def measure_lag(
    work: Float[Array, " chains"], memory: Float[Array, " chains"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """By how many standard deviations averages over chains lag behind the energy, and an error.

    An update that adds s to the energy changes the mean of z by -Cov(z, s), to first order; a chain
    that did not move since has not followed it. `memory` holds the sum of s over recent updates,
    at the states that a chain then had, and the lag of z is mean(z memory).

    Args:
        work: E_top - E_below at the chains of the top. z is `work` itself, and whether it is
            more than `FAR` standard deviations from its mean, both standardised.
        memory: Centred changes of the energy that each chain saw.

    Returns:
        The larger lag of the two, and the standard error of it.
    """
    lag = jnp.zeros((), work.dtype)
    error, values = lag, _standardise(work)
    for z in (values, _standardise((abs(values) > FAR).astype(values.dtype))):
        product = z * memory
        mean, spread = abs(jnp.mean(product)), jnp.std(product) / len(product) ** 0.5
        error = jnp.where(mean > lag, spread, error)
        lag = jnp.maximum(lag, mean)
    return lag, error


def _standardise(values: Float[Array, " chains"]) -> Float[Array, " chains"]:
    middle, spread = jnp.mean(values), jnp.std(values)
    return jnp.where(spread > 0, (values - middle) / jnp.where(spread > 0, spread, 1), 0)


def find_work(base: AbstractDistribution, still: PyTree, rungs: Rungs) -> Float[Array, " chains"]:
    """E_top - E_below at the chains of the top."""
    x, slot = rungs.walkers.x[TOP], rungs.order[jnp.maximum(rungs.count - 2, 0)]
    top = jax.vmap(rungs.energy(jnp.asarray(TOP), still))(x)
    below = jax.lax.cond(
        rungs.count > 1,
        lambda: jax.vmap(rungs.energy(slot, still))(x).astype(top.dtype),
        lambda: jax.vmap(base)(x).astype(top.dtype),
    )
    return top - below


def remember(walkers: Walkers, change: Float[Array, " chains"], when: Bool[Array, ""]) -> Walkers:
    """The chains of every slot after an update that adds `change` to the energy of the top's."""
    centred = (change - jnp.mean(change)).astype(walkers.lag.dtype)
    moved = (1 - 1 / MEMORY) * walkers.lag
    lag = jnp.where(when, moved.at[TOP].add(centred), walkers.lag)
    return Walkers(walkers.x, walkers.stamp, lag)
