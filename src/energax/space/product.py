"""A product of spaces, such as a row of numbers and categories."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from energax.space.base import AbstractSpace

Parts = tuple[Shaped[Array, "..."], ...]


class Product(eqx.Module):
    """Tuples of examples, the first from the first space, and so on.

    Example:
        >>> space = ex.space.Product((ex.space.Reals((2,)), ex.space.Bits((3,))))
        >>> bool(space.contains((jnp.zeros(2), jnp.zeros(3, jnp.uint8))))
        True
    """

    parts: tuple[AbstractSpace, ...] = eqx.field(static=True)
    name: ClassVar[str] = "product"
    title: ClassVar[str] = "several kinds of columns"

    def contains(self, x: Parts) -> Bool[Array, ""]:
        """Does each space hold its part?"""
        if len(x) != len(self.parts):
            return jnp.asarray(False)
        held = [space.contains(part) for space, part in zip(self.parts, x, strict=True)]
        return jnp.all(jnp.stack(held))

    def embed(self, x: Parts, dtype: Any) -> Float[Array, " size"]:
        """All parts as real numbers, in one vector."""
        pairs = zip(self.parts, x, strict=True)
        return jnp.concatenate([space.embed(part, dtype).ravel() for space, part in pairs])
