"""The energy of a denoising autoencoder with tied weights."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy.base import AbstractEnergy


class DenoisingAutoencoder(AbstractEnergy):
    """E(x) = (|x - c|^2 / 2 - sum_j softplus(w_j . x + b_j)) / s^2, s = `noise`.

    Its slope is (x - r(x)) / s^2 with the reconstruction r(x) = c + sum_j sigmoid(w_j . x + b_j)
    w_j of an autoencoder whose decoder is its transposed encoder. So `DenoisingScoreMatching` at
    the same noise is mean |r(x + s z) - x|^2 / (2 s^4): to denoise rows is to train the energy. The
    density is proper: the bowl grows with the square of x, what is taken off it linearly.

    Trap: the noise is part of the energy; trained at another noise, r reconstructs nothing.
    Source: Vincent (2011), section 4.
    """

    weight: Float[Array, " units dim"]
    bias: Float[Array, " units"]
    centre: Float[Array, "*shape"]
    noise: float = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, shape: tuple[int, ...], units: int, noise: float, *, key: PRNGKeyArray):
        if units < 1:
            raise ValueError(f"`units` must be at least 1; got {units}.")
        if not noise > 0:
            raise ValueError(f"`noise` must be above 0; got {noise}.")
        dim = math.prod(shape)
        self.weight = jax.random.normal(key, (units, dim)) / math.sqrt(dim)
        self.bias, self.centre = jnp.zeros(units), jnp.zeros(shape)
        self.noise, self.shape = noise, shape

    def _hidden(self, x: Float[Array, "*shape"]) -> Float[Array, " units"]:
        return self.weight @ x.reshape(-1) + self.bias

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        well = jnp.sum((x - self.centre) ** 2) / 2
        return (well - jnp.sum(jax.nn.softplus(self._hidden(x)))) / self.noise**2

    def reconstruct(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """r(x) = x - s^2 dE/dx: the mean of the clean row, once trained (Tweedie's formula)."""
        return self.centre + (jax.nn.sigmoid(self._hidden(x)) @ self.weight).reshape(self.shape)
