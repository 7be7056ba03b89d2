"""Bits and categories: spaces of finitely many points."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray, Shaped, UInt8

from energax.errors import InputError
from energax.space.base import AbstractSpace

MOST_STATES = 256
"""A site holds one byte."""

MOST_POINTS = 2**20
"""A space of more points is not enumerated."""

BLOCK = 2**14
"""Points of a block of an enumeration."""


class AbstractFinite(AbstractSpace):
    """Arrays of `sites` whole numbers from 0 to `states` - 1, kept as bytes.

    The points are numbered from 0 to `count` - 1: the last site counts fastest.

    Example:
        >>> isinstance(ex.space.Bits((3,)), ex.space.AbstractFinite)
        True
    """

    states: eqx.AbstractVar[int]
    """How many values a site has."""
    measure: ClassVar[str] = "counting"
    dtype: ClassVar[Any] = jnp.uint8

    @property
    def sites(self) -> int:
        """How many sites an example has."""
        return math.prod(self.shape)

    @property
    def count(self) -> int:
        """How many points there are."""
        return self.states**self.sites

    @property
    def enumerable(self) -> bool:
        """Are there few enough points for sums over all of them?"""
        return self.count <= MOST_POINTS

    def contains(self, x: Shaped[Array, "..."]) -> Bool[Array, ""]:
        if x.shape != self.shape or not (
            jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == jnp.bool_
        ):
            return jnp.asarray(False)
        whole = x.astype(jnp.int32)
        return jnp.all((whole >= 0) & (whole < self.states))

    @eqx.filter_jit
    def points(self, numbers: Int[ArrayLike, " size"]) -> UInt8[Array, " size *shape"]:
        """The points of these numbers. Raises ValueError where there are more than 2^20."""
        digits = (jnp.asarray(numbers, jnp.int32)[:, None] // self._powers()[None]) % self.states
        return digits.astype(self.dtype).reshape(-1, *self.shape)

    def number(self, x: Shaped[Array, "*shape"]) -> Int[Array, ""]:
        """The number of a point, the inverse of `points`."""
        return jnp.sum(x.reshape(-1).astype(jnp.int32) * self._powers())

    def _powers(self) -> Int[Array, " sites"]:
        self._check_count()
        return jnp.asarray(self.states ** np.arange(self.sites - 1, -1, -1), jnp.int32)

    def enumerate(self) -> UInt8[Array, " count *shape"]:
        """All points. Raises ValueError where there are more than 2^20."""
        return self.points(np.arange(self.count, dtype=np.int32))

    def blocks(self) -> Iterator[UInt8[Array, " size *shape"]]:
        """All points, a block at a time. Raises ValueError where there are more than 2^20."""
        for start in range(0, self.count, BLOCK):
            yield self.points(np.arange(start, min(start + BLOCK, self.count), dtype=np.int32))

    def _check_count(self) -> None:
        if not self.enumerable:
            raise ValueError(
                f"{self.states}^{self.sites} points are too many to enumerate: at most "
                f"{MOST_POINTS} are."
            )

    def draw(self, *, key: PRNGKeyArray) -> UInt8[Array, "*shape"]:
        """A point, all of them alike."""
        return jax.random.randint(key, self.shape, 0, self.states, jnp.int32).astype(self.dtype)

    def neighbour(self, x: UInt8[Array, "*shape"], *, key: PRNGKeyArray) -> UInt8[Array, "*shape"]:
        """A point that differs from x at one site, all of them alike."""
        where, what = jax.random.split(key)
        site = jax.random.randint(where, (), 0, self.sites)
        shift = jax.random.randint(what, (), 1, self.states)
        flat = x.reshape(-1)
        value = (flat[site].astype(jnp.int32) + shift.astype(jnp.int32)) % self.states
        return flat.at[site].set(value.astype(x.dtype)).reshape(x.shape)


class Bits(AbstractFinite):
    """Arrays of 0 and 1. Embedded as they are: 0.0 and 1.0.

    Example:
        >>> ex.space.Bits((2,)).enumerate().tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    states: int = eqx.field(static=True, default=2, init=False)
    name: ClassVar[str] = "bits"
    title: ClassVar[str] = "bits"

    def embed(self, x: Shaped[Array, "*shape"], dtype: Any) -> Float[Array, "*shape"]:
        return x.astype(dtype)


class Categories(AbstractFinite):
    """Arrays of whole numbers from 0 to `states` - 1 without an order. Embedded as one-hot rows.

    Raises:
        ValueError: for fewer than 2 or more than 256 states.

    Example:
        >>> ex.space.Categories((2,), 3).embed(jnp.array([2, 0], jnp.uint8), float).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    states: int = eqx.field(static=True)
    name: ClassVar[str] = "categories"
    title: ClassVar[str] = "categories"

    def __check_init__(self):
        if not 2 <= self.states <= MOST_STATES:
            raise ValueError(f"`states` must be from 2 to {MOST_STATES}; got {self.states}.")

    def embed(self, x: Shaped[Array, "*shape"], dtype: Any) -> Float[Array, "*shape states"]:
        return jax.nn.one_hot(x, self.states, dtype=dtype)


def from_dict(record: dict[str, Any]) -> AbstractFinite:
    """The finite space of a record of its shape and states: `Bits` where there are two.

    Raises InputError for a record that is not one.

    Example:
        >>> ex.space.from_dict({"shape": [4], "states": 2})
        Bits(shape=(4,))
    """
    try:
        shape, states = tuple(int(n) for n in record["shape"]), int(record["states"])
        return Bits(shape) if states == 2 else Categories(shape, states)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"The record of a space is damaged: {error}.") from error
