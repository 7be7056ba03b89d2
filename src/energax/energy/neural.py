"""A network as an energy."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float

from energax.energy.base import AbstractEnergy


class Neural(AbstractEnergy):
    """E(x) = network(x): any module of one example that returns a scalar.

    Trap: nothing makes exp(-E) integrable. Without a base distribution (`Tilt`) the density may
    have infinite mass far from the data, and log Z then does not exist.
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...]):
        self.network, self.shape = network, shape

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.network(x)
