"""Energies of bits and categories: mass functions p(x) = exp(-E(x)) / Z, Z a sum."""

import abc

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from energax.energy.base import AbstractEnergy, float_dtype
from energax.space import AbstractFinite


class AbstractDiscrete(AbstractEnergy):
    """An energy of bits or categories, defined by its values on embedded examples.

    A subclass has a `shape`, a `space` and `extend`, which takes zeros and ones of bits, or
    one-hot rows of categories, and is smooth between them.

    Example:
        >>> energy = ex.energy.Neural(lambda e: jnp.sum(e), ex.space.Bits((3,)))
        >>> float(energy(jnp.array([1, 0, 1], jnp.uint8)))  # any network of bits is an energy too
        2.0
    """

    @property
    @abc.abstractmethod
    def space(self) -> AbstractFinite:
        """Where examples live."""

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.extend(self.space.embed(x, float_dtype(self)))

    @abc.abstractmethod
    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        """The energy of an embedded example, in nats."""


class AbstractLocal(AbstractDiscrete):
    """An energy that knows what a change of one site costs, without being evaluated again.

    Example:
        >>> issubclass(ex.energy.AbstractLocal, ex.energy.AbstractDiscrete)
        True
    """

    @abc.abstractmethod
    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        """E(x with this site set to c) - E(x), for each of `sites` (of the flattened example)."""


def place_flips(
    bits: Shaped[Array, " some"], costs: Float[Array, " some"]
) -> Float[Array, " some 2"]:
    """The `changes` of some bits: 0 for the value that each has, `costs` for the other."""
    other = bits[:, None].astype(jnp.int32) != jnp.arange(2, dtype=jnp.int32)[None]
    return jnp.where(other, costs[:, None], jnp.zeros((), costs.dtype))


def place_changes(
    values: Shaped[Array, " some"], energies: Float[Array, " some states"]
) -> Float[Array, " some states"]:
    """The `changes` of some sites: the energy of each state less that of the value it has."""
    return energies - jnp.take_along_axis(energies, values[:, None].astype(jnp.int32), axis=1)
