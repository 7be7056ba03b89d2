"""Real numbers, and subsets of them."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Shaped

from energax.space.base import AbstractSpace

ROUNDING = 1e-4
"""How far from length 1 a point may be and still be on the sphere, rounding of float32 and all."""


class Reals(AbstractSpace):
    """Arrays of finite real numbers.

    Example:
        >>> bool(ex.space.Reals((2,)).contains(jnp.array([0.5, -3.0])))
        True
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    name: ClassVar[str] = "reals"
    title: ClassVar[str] = "real numbers"
    measure: ClassVar[str] = "volume"

    def contains(self, x: Shaped[Array, "..."]) -> Bool[Array, ""]:
        return _are_real(x, self.shape)

    def embed(self, x: Shaped[Array, "*shape"], dtype: Any) -> Shaped[Array, "*shape"]:
        return x


class Box(AbstractSpace):
    """Arrays of real numbers from `low` to `high`, both of them included.

    Example:
        >>> bool(ex.space.Box((2,), 0.0, 1.0).contains(jnp.array([0.5, 3.0])))
        False
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    name: ClassVar[str] = "box"
    title: ClassVar[str] = "real numbers in a box"
    measure: ClassVar[str] = "volume"

    def __check_init__(self):
        if not self.low < self.high:
            raise ValueError(f"`low` must be below `high`; got {self.low} and {self.high}.")

    def contains(self, x: Shaped[Array, "..."]) -> Bool[Array, ""]:
        return _are_real(x, self.shape) & jnp.all((x >= self.low) & (x <= self.high))

    def embed(self, x: Shaped[Array, "*shape"], dtype: Any) -> Shaped[Array, "*shape"]:
        return x


class UnitSphere(AbstractSpace):
    """Arrays of real numbers whose squares add up to 1.

    Example:
        >>> bool(ex.space.UnitSphere((2,)).contains(jnp.array([0.6, 0.8])))
        True
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    name: ClassVar[str] = "sphere"
    title: ClassVar[str] = "points of the unit sphere"
    measure: ClassVar[str] = "area"

    def __check_init__(self):
        if math.prod(self.shape) < 2:
            raise ValueError(f"`shape` must have at least 2 numbers; got {self.shape}.")

    def contains(self, x: Shaped[Array, "..."]) -> Bool[Array, ""]:
        length = jnp.sqrt(jnp.sum(x**2)) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.nan
        return _are_real(x, self.shape) & (jnp.abs(length - 1) <= ROUNDING)

    def embed(self, x: Shaped[Array, "*shape"], dtype: Any) -> Shaped[Array, "*shape"]:
        return x


def _are_real(x: Shaped[Array, "..."], shape: tuple[int, ...]) -> Bool[Array, ""]:
    if x.shape != shape or not jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.asarray(False)
    return jnp.all(jnp.isfinite(x))
