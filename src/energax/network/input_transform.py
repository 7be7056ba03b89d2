"""A network of a transformed input."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float, Shaped


class InputTransform(eqx.Module):
    """f(x) = network(transform(x)): a change of variables for the network alone.

    The density stays one over x, so no log-determinant enters. x may hold whole numbers.

    Trap: floating arrays inside `transform` are trained too, unless it is an
    `energy.NonTrainable`.

    Example:
        >>> centre = lambda x: x / 255 - 0.5
        >>> network = ex.network.InputTransform(centre, lambda y: jnp.sum(y**2))
        >>> float(network(jnp.array([0, 255], jnp.uint8)))
        0.5
    """

    transform: Callable
    network: Callable

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, "*out"]:
        return self.network(self.transform(x))
