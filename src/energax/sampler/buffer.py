"""A replay buffer: many old chain states, a few of which walk on at each update."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from energax.energy import AbstractDistribution, draws


class Buffer(eqx.Module):
    """`x`: the states; `age`: how often each was walked since it was drawn from the base."""

    x: Float[Array, " size *shape"]
    age: Int[Array, " size"]

    @classmethod
    def create(cls, base: AbstractDistribution, size: int, *, key: PRNGKeyArray) -> "Buffer":
        """A buffer of `size` new draws of the base distribution."""
        return cls(draws(base, size, key=key), jnp.zeros(size, jnp.int32))

    def draw(
        self,
        base: AbstractDistribution,
        count: int,
        reinit_probability: float,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Int[Array, " count"], "Buffer"]:
        """`count` different slots and their states, each re-drawn from `base` by chance.

        The slots are a uniform sample without replacement; `count` may not exceed the buffer's
        size.
        """
        order, choose, renew = jax.random.split(key, 3)
        _, slots = jax.lax.top_k(jax.random.uniform(order, self.age.shape), count)
        new = jax.random.bernoulli(choose, reinit_probability, (count,))
        axes = (count,) + (1,) * (self.x.ndim - 1)
        x = jnp.where(new.reshape(axes), draws(base, count, key=renew), self.x[slots])
        return slots, Buffer(x, jnp.where(new, 0, self.age[slots]))

    def update(
        self, slots: Int[Array, " count"], x: Float[Array, " count *shape"], age: Array
    ) -> "Buffer":
        """The buffer with `x` in the slots that `draw` gave, one walk older."""
        return Buffer(self.x.at[slots].set(x), self.age.at[slots].set(age + 1))
