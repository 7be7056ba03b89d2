"""log Z along a ladder: Bennett's ratio on every link, and an error from independent groups."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from energax.learner.ladder.rungs import remove_place
from energax.learner.ladder.swaps import Links

WINDOW = 500
"""Rounds over which the ratio of a link that does not change is averaged."""

HALVINGS = 50
"""Of the bracket of a root: beyond the last digit of float64 for brackets of a few nats."""


def bennett_shares(
    lower: Float[Array, " lower"], upper: Float[Array, " upper"], ratio: Float[Array, ""]
) -> tuple[Float[Array, " lower"], Float[Array, " upper"]]:
    """sigma(l - D + c) at lower draws and sigma(D - c - l) at upper ones, D = `ratio`."""
    offset = jnp.log(jnp.asarray(len(upper) / len(lower), lower.dtype))
    return jax.nn.sigmoid(lower - ratio + offset), jax.nn.sigmoid(ratio - offset - upper)


def bennett_root(lower: Float[Array, " lower"], upper: Float[Array, " upper"]) -> Float[Array, ""]:
    """log Z_upper - log Z_lower from l = E_lower - E_upper at draws of both, by bisection.

    The root D of `bennett_shares` with equal sums. A compiled program can hold it; on the host
    `evaluate.bennett_ratio` solves the same equation, with an error.

    Example:
        >>> root = ex.learner.bennett_root(jnp.array([0.9, 1.1]), jnp.array([1.0, 1.0]))
        >>> round(float(root), 4)
        1.0
    """
    reach = 1 + abs(jnp.log(jnp.asarray(len(upper) / len(lower), lower.dtype)))
    every = jnp.concatenate([lower, upper])

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        below, above = bennett_shares(lower, upper, middle)
        more = jnp.sum(below) > jnp.sum(above)
        return jnp.where(more, middle, low), jnp.where(more, high, middle)

    start = jnp.min(every) - reach, jnp.max(every) + reach
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, start)
    return (low + high) / 2


class Ratios(eqx.Module):
    """Running estimates of every link, by the place of its upper rung.

    Args:
        value: log Z_upper - log Z_lower.
        groups: How far each group of chains would move it; groups are independent.
        information: Mean of sum sigma (1 - sigma) over both samples of a round.
        acceptance: Mean probability of a swap.
        rounds: How many rounds these rest on; 0 starts a link again.

    Example:
        >>> base = ex.energy.Gaussian(jnp.zeros(1))
        >>> learner = ex.learner.Ladder(base, ex.sampler.mala(0.5), optax.sgd(0.1), chains=16)
        >>> isinstance(learner.init(base, jnp.ones((4, 1)), key=key).ratios, ex.learner.Ratios)
        True
    """

    value: Float[Array, " slots"]
    groups: Float[Array, " slots groups"]
    information: Float[Array, " slots"]
    acceptance: Float[Array, " slots"]
    rounds: Int[Array, " slots"]

    @classmethod
    def create(cls, slots: int, groups: int, dtype: jnp.dtype) -> "Ratios":
        """Links of which nothing is known."""
        zeros = jnp.zeros(slots, dtype)
        spread = jnp.zeros((slots, groups), dtype)
        return cls(zeros, spread, zeros, zeros, jnp.zeros(slots, jnp.int32))

    def restart(self, places: Bool[Array, " slots"]) -> "Ratios":
        """These links start again."""
        rounds = jnp.where(places, 0, self.rounds)
        return Ratios(self.value, self.groups, self.information, self.acceptance, rounds)

    def remove(self, place: Int[Array, ""], count: Int[Array, ""], when: Array) -> "Ratios":
        """Without a rung of `count`: the link that is left across the gap starts again."""

        def drop(part: Array) -> Array:
            return jnp.where(when, remove_place(part, place, count), part)

        return jax.tree.map(drop, self).restart(
            when & (jnp.arange(len(self.rounds), dtype=jnp.int32) == place)
        )

    def retreat(self, place: Int[Array, ""], when: Array) -> "Ratios":
        """The rung of a place is the top now; the link below it stays as it is."""
        return self.restart(when & (jnp.arange(len(self.rounds), dtype=jnp.int32) > place))

    def update(self, links: Links, active: Bool[Array, " slots"]) -> "Ratios":
        """After one more round: the root of the first, then one scoring step a round.

        D <- D + gain (sum_lower sigma - sum_upper sigma') / I, gain = 1 / rounds, at least
        1 / `WINDOW`: the average of the rounds' roots in the limit.
        """
        first, groups = self.rounds == 0, self.groups.shape[1]
        value = jnp.where(first, jax.vmap(bennett_root)(links.lower, links.upper), self.value)
        below, above = jax.vmap(bennett_shares)(links.lower, links.upper, value)
        found = jnp.sum(below * (1 - below), 1) + jnp.sum(above * (1 - above), 1)
        gain = 1 / jnp.minimum(self.rounds + 1, WINDOW).astype(value.dtype)

        def average(old: Array, new: Array) -> Array:
            share = gain.reshape(-1, *[1] * (old.ndim - 1))
            return old + share * (new - old)

        information = average(self.information, found)
        surplus = (below - above).reshape(len(first), groups, -1).sum(2)
        # Without overlap there is no information: the error says so, and the step stays small.
        known = jnp.maximum(information, jnp.finfo(value.dtype).tiny)
        influence = groups * surplus / known[:, None]
        return Ratios(
            value + gain * jnp.sum(surplus, 1) / jnp.maximum(information, 1),
            average(self.groups, influence),
            information,
            average(self.acceptance, links.acceptance),
            jnp.where(active, self.rounds + 1, 0),
        )

    def total(self, active: Bool[Array, " slots"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """log Z_top - log Z_base and its standard error, from the spread over groups.

        Links share rungs and swaps carry states between them, so that their errors are not
        independent: those of groups are.
        """
        count = self.groups.shape[1]
        by_group = jnp.sum(jnp.where(active[:, None], self.groups, 0), 0)
        error = jnp.std(by_group, ddof=1) / count**0.5
        return jnp.sum(jnp.where(active, self.value, 0)), error
