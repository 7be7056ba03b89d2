"""A multilayer perceptron from one example to a scalar, or to several numbers."""

import itertools
import math
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray


class MLP(eqx.Module):
    """A multilayer perceptron from one flattened example to a scalar or a vector.

    f(x) = w . silu(W_n ... silu(W_1 x + b_1) ...) + b

    Args:
        shape: of one example.
        width: number of units of each of the `depth` hidden layers.
        out: "scalar", or the length of the vector that is returned, such as the number of logits.

    Raises:
        ValueError: for a `width`, `depth` or `out` below 1.

    Trap: keep the activation smooth for score-based objectives. The second derivatives of ReLU
    vanish, and with them what sliced score matching learns from.

    Example:
        >>> network = ex.network.MLP((2,), width=8, key=key)
        >>> network(jnp.zeros(2)).shape, network.features(jnp.zeros(2)).shape
        ((), (8,))
    """

    layers: tuple[eqx.nn.Linear, ...]
    activation: Callable

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 128,
        depth: int = 2,
        *,
        activation: Callable = jax.nn.silu,
        out: int | Literal["scalar"] = "scalar",
        key: PRNGKeyArray,
    ):
        if width < 1 or depth < 1:
            raise ValueError(f"`width` and `depth` must be at least 1; got {width} and {depth}.")
        if out != "scalar" and out < 1:
            raise ValueError(f"`out` must be at least 1 or 'scalar'; got {out}.")
        sizes = [math.prod(shape)] + [width] * depth
        *hidden, last = jax.random.split(key, depth + 1)
        self.layers = (
            *(
                eqx.nn.Linear(*pair, key=k)
                for pair, k in zip(itertools.pairwise(sizes), hidden, strict=True)
            ),
            eqx.nn.Linear(width, out, key=last),
        )
        self.activation = activation

    def features(self, x: Float[Array, "*shape"]) -> Float[Array, " width"]:
        """The input of the last layer: the last hidden layer, after its activation."""
        x = x.reshape(-1)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return x

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*out"]:
        return self.layers[-1](self.features(x))
