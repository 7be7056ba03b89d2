"""What a space is: the shape and type of its points, and the measure that densities refer to."""

import abc
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Bool, Shaped


class AbstractSpace(eqx.Module):
    """Where an example lives: energies, data sets, samplers and objectives name their space.

    Its fields are static, so that spaces can be compared and hashed, and are constants of a
    compiled program.

    Example:
        >>> isinstance(ex.space.Bits((3,)), ex.space.AbstractSpace)
        True
    """

    name: ClassVar[str]
    """What tables call it."""
    title: ClassVar[str]
    """What its points are, in words."""
    measure: ClassVar[str]
    """What a density or mass function is relative to."""

    shape: eqx.AbstractVar[tuple[int, ...]]
    """The shape of one example."""

    @abc.abstractmethod
    def contains(self, x: Shaped[Array, "..."]) -> Bool[Array, ""]:
        """Does the space hold this array, of its shape? False for another type of numbers."""

    @abc.abstractmethod
    def embed(self, x: Shaped[Array, "*shape"], dtype: Any) -> Shaped[Array, "..."]:
        """The example as real numbers, such as networks and gradients need."""
