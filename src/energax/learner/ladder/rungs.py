"""The rungs of a ladder: energies of one structure, each with a population of chains."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

TOP = 0
"""The slot of the energy in training, whatever its place."""


class Walkers(eqx.Module):
    """The chains of one rung, or of every slot, and what travels with their states.

    Args:
        x: The states.
        stamp: The round in which each was drawn from the base.
        lag: Changes of the energy that each saw at the top, nats; see `measure_lag`.

    Example:
        >>> ex.learner.Walkers.create(jnp.zeros((4, 1)), jnp.zeros((), jnp.int32)).stamp.tolist()
        [0, 0, 0, 0]
    """

    x: Shaped[Array, "*chains_and_shape"]
    stamp: Int[Array, "*chains"]
    lag: Float[Array, "*chains"]

    @classmethod
    def create(cls, x: Shaped[Array, " chains *shape"], now: Int[Array, ""]) -> "Walkers":
        """States that the base gave in this round."""
        lag = jnp.zeros(len(x), jnp.result_type(float))
        return cls(x, jnp.broadcast_to(now, (len(x),)), lag)


class Rungs(eqx.Module):
    """Energies that differ in their weights alone, from the base upwards, with their chains.

    Rungs lie in slots in any order, so that a new one moves no other: `order` names the slot of
    each place, the first above the base first. Places from `count` on are free slots.

    Args:
        weights: Of every slot, stacked.
        walkers: The chains of every slot.
        order: Slots by place.
        count: How many rungs there are above the base; the last is the top.

    Example:
        >>> walkers = ex.learner.Walkers.create(jnp.zeros((4, 1)), jnp.zeros((), jnp.int32))
        >>> rungs = ex.learner.Rungs.create(jnp.zeros(2), walkers, slots=3)
        >>> rungs.walkers.x.shape, int(rungs.count)
        ((3, 4, 1), 1)
    """

    weights: PyTree
    walkers: Walkers
    order: Int[Array, " slots"]
    count: Int[Array, ""]

    @classmethod
    def create(cls, weights: PyTree, walkers: Walkers, slots: int) -> "Rungs":
        """The top alone, with these weights and chains."""

        def stack(leaf: Array) -> Array:
            return jnp.broadcast_to(leaf, (slots, *leaf.shape))

        order = jnp.arange(slots, dtype=jnp.int32)
        both = jax.tree.map(stack, weights), jax.tree.map(stack, walkers)
        return cls(*both, order, jnp.ones((), jnp.int32))

    @property
    def active(self) -> Bool[Array, " slots"]:
        """Does a place hold a rung?"""
        return jnp.arange(len(self.order), dtype=jnp.int32) < self.count

    def energy(self, slot: Int[Array, ""], still: PyTree) -> Any:
        """The energy of a slot, as a constant; `still` is what the weights leave out of it."""
        here = jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf[slot]), self.weights)
        return eqx.combine(here, still)

    def population(self, slot: Int[Array, ""] | int) -> Walkers:
        """The chains of a slot."""
        return jax.tree.map(lambda leaf: leaf[slot], self.walkers)

    def set_population(self, slot: Int[Array, ""] | int, walkers: Walkers) -> "Rungs":
        """The rungs with these chains in a slot."""
        put = jax.tree.map(lambda stack, leaf: stack.at[slot].set(leaf), self.walkers, walkers)
        return Rungs(self.weights, put, self.order, self.count)

    def with_walkers(self, walkers: Walkers) -> "Rungs":
        """The rungs with other chains in every slot."""
        return Rungs(self.weights, walkers, self.order, self.count)

    def set_top(self, weights: PyTree) -> "Rungs":
        """The rungs with these weights at the top."""
        put = jax.tree.map(lambda stack, leaf: stack.at[TOP].set(leaf), self.weights, weights)
        return Rungs(put, self.walkers, self.order, self.count)

    def copy(
        self, source: Int[Array, ""] | int, target: Int[Array, ""] | int, when: Bool[Array, ""]
    ) -> "Rungs":
        """The rungs with the weights and chains of one slot in another as well."""

        def put(stack: Array) -> Array:
            return stack.at[target].set(jnp.where(when, stack[source], stack[target]))

        both = jax.tree.map(put, self.weights), jax.tree.map(put, self.walkers)
        return Rungs(*both, self.order, self.count)

    def insert(self, when: Bool[Array, ""]) -> "Rungs":
        """The rung of the first free place becomes the one below the top."""
        last = self.count - 1
        order = self.exchange_places(last, self.count)
        return self.with_order(order, self.count + 1, when)

    def replace(self, when: Bool[Array, ""]) -> "Rungs":
        """The rung of the first free place takes that of the one below the top."""
        order = self.exchange_places(self.count - 2, self.count)
        return self.with_order(order, self.count, when)

    def remove(self, place: Int[Array, ""], when: Bool[Array, ""]) -> "Rungs":
        """Without the rung of a place; its slot becomes the last before the free ones of before.

        The slots of free places keep their place, but for the new one in front of them.
        """
        return self.with_order(remove_place(self.order, place, self.count), self.count - 1, when)

    def retreat(self, place: Int[Array, ""], when: Bool[Array, ""]) -> "Rungs":
        """The rung of a place becomes the top, and all above it are removed."""
        restored = self.copy(self.order[place], TOP, when)
        at, last = jnp.arange(len(self.order), dtype=jnp.int32), self.count - 1
        source = jnp.where((at > place) & (at <= last), at - 1, at)
        order = self.order[jnp.where(at == place, last, source)]
        return restored.with_order(order, place + 1, when)

    def exchange_places(self, one: Array, other: Array) -> Int[Array, " slots"]:
        """`order` with two places exchanged."""
        first, second = self.order[one], self.order[other]
        return self.order.at[one].set(second).at[other].set(first)

    def with_order(self, order: Array, count: Array, when: Bool[Array, ""]) -> "Rungs":
        """The rungs in another order, where `when` holds."""
        chosen = jnp.where(when, order, self.order), jnp.where(when, count, self.count)
        return Rungs(self.weights, self.walkers, *chosen)


def remove_place(values: Array, place: Int[Array, ""], count: Int[Array, ""]) -> Array:
    """The first axis of `values` with a place moved behind the others of the first `count`."""
    at = jnp.arange(len(values), dtype=jnp.int32)
    source = jnp.where((at >= place) & (at < count - 1), at + 1, at)
    return values[jnp.where(at == count - 1, place, source)]
