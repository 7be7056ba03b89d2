"""A replay buffer: many old chain states, a few of which walk on at each update."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from energax.energy import AbstractLaw, draws


class Buffer(eqx.Module):
    """`x`: the states; `age`: how often each was walked on since it was drawn from the base law."""

    x: Float[Array, " size *shape"]
    age: Int[Array, " size"]


def filled(law: AbstractLaw, size: int, *, key: PRNGKeyArray) -> Buffer:
    """A buffer of `size` fresh draws of the base law."""
    return Buffer(draws(law, size, key=key), jnp.zeros(size, jnp.int32))


def pick(
    buffer: Buffer, law: AbstractLaw, count: int, fresh: float, *, key: PRNGKeyArray
) -> tuple[Int[Array, " count"], Buffer]:
    """`count` different slots and their states, each re-drawn from `law` with chance `fresh`.

    The slots are a uniform sample without replacement; `count` may not exceed the buffer's size.
    """
    order, choose, renew = jax.random.split(key, 3)
    _, slots = jax.lax.top_k(jax.random.uniform(order, buffer.age.shape), count)
    new = jax.random.bernoulli(choose, fresh, (count,))
    axes = (count,) + (1,) * (buffer.x.ndim - 1)
    x = jnp.where(new.reshape(axes), draws(law, count, key=renew), buffer.x[slots])
    return slots, Buffer(x, jnp.where(new, 0, buffer.age[slots]))


def put_back(
    buffer: Buffer, slots: Int[Array, " count"], x: Float[Array, " count *shape"], age: Array
) -> Buffer:
    """The buffer with `x` in the slots that `pick` gave, one walk older."""
    return Buffer(buffer.x.at[slots].set(x), buffer.age.at[slots].set(age + 1))
