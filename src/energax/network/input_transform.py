"""A network that looks at its input through a fixed lens."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float


class InputTransform(eqx.Module):
    """f(x) = network(lens(x)): a change of variables for the network alone, not for the density.

    What the lens holds is trained with the rest, unless the lens is `energy.NonTrainable`.
    """

    lens: Callable
    network: Callable

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*out"]:
        return self.network(self.lens(x))
