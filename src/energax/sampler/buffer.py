"""A replay buffer: the states of many persistent chains, a few of which move at each update."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray, Shaped

from energax.energy import AbstractDistribution, draws


class Buffer(eqx.Module):
    """A replay buffer of `size` chain states: `draw` some, move them, `update` the buffer.

    Args:
        x: The states, of any dtype.
        age: Updates that each has made since it was drawn from the base distribution.

    Example:
        >>> base = ex.energy.Gaussian(jnp.zeros(2))
        >>> slots, old = ex.sampler.Buffer.create(base, 8, key=key).draw(base, 3, 0.1, key=key)
        >>> slots.shape, old.x.shape
        ((3,), (3, 2))
    """

    x: Shaped[Array, " size *shape"]
    age: Int[Array, " size"]

    @classmethod
    def create(cls, base: AbstractDistribution, size: int, *, key: PRNGKeyArray) -> "Buffer":
        """A buffer of `size` draws of the base distribution, all of age 0."""
        return cls(draws(base, size, key=key), jnp.zeros(size, jnp.int32))

    def draw(
        self,
        base: AbstractDistribution,
        count: int,
        reinit_probability: float,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Int[Array, " count"], "Buffer"]:
        """`count` slots, sampled uniformly without replacement, and a buffer of their states.

        Each state is replaced by a new draw of `base` with probability `reinit_probability`.
        `count` may not exceed the size of the buffer.
        """
        order, choose, renew = jax.random.split(key, 3)
        _, slots = jax.lax.top_k(jax.random.uniform(order, self.age.shape), count)
        new = jax.random.bernoulli(choose, reinit_probability, (count,))
        axes = (count,) + (1,) * (self.x.ndim - 1)
        x = jnp.where(new.reshape(axes), draws(base, count, key=renew), self.x[slots])
        return slots, Buffer(x, jnp.where(new, 0, self.age[slots]))

    def update(
        self, slots: Int[Array, " count"], x: Shaped[Array, " count *shape"], age: Array
    ) -> "Buffer":
        """The buffer with `x` in the slots that `draw` gave, and `age + 1` as their age."""
        return Buffer(self.x.at[slots].set(x), self.age.at[slots].set(age + 1))
