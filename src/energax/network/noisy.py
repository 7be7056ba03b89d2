"""A perceptron that also sees the level of noise."""

import math
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class NoisyMLP(eqx.Module):
    """A perceptron f of x / sqrt(1 + s^2) and log s, for data of about unit scale and noise s.

    kind "scalar", an energy: |x|^2 / (2 (1 + s^2)) + f / s; kind "field", a score of the shape of
    x: -x / (1 + s^2) + f / s.

    The first term is the exact answer for noise that dominates the data. The division by s yields
    gradients of the right size, 1 / s, from weights of unit size (Song and Ermon 2020, technique
    3).

    Raises:
        ValueError: for a `width` or `depth` below 1.

    Example:
        >>> network = ex.network.NoisyMLP((2,), width=8, kind="field", key=key)
        >>> network(jnp.zeros(2), jnp.array(0.5)).shape
        (2,)
    """

    perceptron: eqx.nn.MLP
    shape: tuple[int, ...] = eqx.field(static=True)
    kind: Literal["scalar", "field"] = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 128,
        depth: int = 2,
        *,
        kind: Literal["scalar", "field"] = "scalar",
        activation: Callable = jax.nn.silu,
        key: PRNGKeyArray,
    ):
        if width < 1 or depth < 1:
            raise ValueError(f"`width` and `depth` must be at least 1; got {width} and {depth}.")
        size = math.prod(shape)
        out = 1 if kind == "scalar" else size
        self.perceptron = eqx.nn.MLP(size + 1, out, width, depth, activation, key=key)
        self.shape, self.kind = shape, kind

    def __call__(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Array:
        broad = 1 + noise**2
        seen = jnp.append(x.reshape(-1) / jnp.sqrt(broad), jnp.log(noise))
        out = self.perceptron(seen) / noise
        if self.kind == "scalar":
            return jnp.sum(x**2) / (2 * broad) + out[0]
        return out.reshape(self.shape) - x / broad


class NoisyArrayMLP(eqx.Module):
    """A perceptron g of x and log(s) / 4, an array of the shape of x; its last layer starts at 0.

    For a `PreconditionedEnergy` of rows that are no images.

    Raises:
        ValueError: for a `width` or `depth` below 1.

    Example:
        >>> network = ex.network.NoisyArrayMLP((2,), width=8, key=key)
        >>> network(jnp.ones(2), jnp.array(0.5)).tolist()
        [0.0, 0.0]
    """

    perceptron: eqx.nn.MLP
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 128,
        depth: int = 2,
        *,
        activation: Callable = jax.nn.silu,
        key: PRNGKeyArray,
    ):
        if width < 1 or depth < 1:
            raise ValueError(f"`width` and `depth` must be at least 1; got {width} and {depth}.")
        size = math.prod(shape)
        made = eqx.nn.MLP(size + 1, size, width, depth, activation, key=key)
        zeros = jax.tree.map(jnp.zeros_like, made.layers[-1])
        self.perceptron = eqx.tree_at(lambda n: n.layers[-1], made, zeros)
        self.shape = shape

    def __call__(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Array:
        seen = jnp.append(x.reshape(-1), jnp.log(noise) / 4)
        return self.perceptron(seen).reshape(self.shape)
