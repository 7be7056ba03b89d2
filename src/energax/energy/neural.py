"""A network as an energy."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float, Shaped

from energax.energy.base import AbstractEnergy


class Neural(AbstractEnergy):
    """Any network of one example that returns a scalar, as an energy: E(x) = network(x).

    Trap: exp(-E) need not be integrable. Without a base distribution (`Tilt`) its mass far from the
    data may be infinite, and log Z does not exist.

    Example:
        >>> energy = ex.energy.Neural(ex.network.MLP((2,), width=8, key=key), (2,))
        >>> jax.vmap(energy)(jnp.zeros((3, 2))).shape
        (3,)
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...]):
        self.network, self.shape = network, shape

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.network(x)
