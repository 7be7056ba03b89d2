"""A network as an energy."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float, Shaped

from energax.energy.base import AbstractEnergy, float_dtype
from energax.space import AbstractSpace, Reals


class Neural(AbstractEnergy):
    """Any network of one example that returns a scalar, as an energy: E(x) = network(x).

    Trap: exp(-E) of real numbers need not be integrable. Without a base distribution (`Tilt`) its
    mass far from the data may be infinite, and log Z does not exist.

    Args:
        network: from an example to a scalar. Of bits and categories it sees the embedded example:
            zeros and ones, or one-hot rows.
        space: of an example; a plain shape stands for real numbers.

    Example:
        >>> energy = ex.energy.Neural(ex.network.MLP((2,), width=8, key=key), (2,))
        >>> jax.vmap(energy)(jnp.zeros((3, 2))).shape
        (3,)
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)
    _space: AbstractSpace = eqx.field(static=True)

    def __init__(self, network: Callable, space: tuple[int, ...] | AbstractSpace):
        self.network = network
        self._space = space if isinstance(space, AbstractSpace) else Reals(space)
        self.shape = self._space.shape

    @property
    def space(self) -> AbstractSpace:
        return self._space

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.network(self._space.embed(x, float_dtype(self.network)))

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return self.network(e)
