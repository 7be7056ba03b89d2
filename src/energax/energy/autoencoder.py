"""The energy of a denoising autoencoder with tied weights."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy.base import AbstractEnergy


class DenoisingAutoencoder(AbstractEnergy):
    """The energy whose gradient is that of a denoising autoencoder with tied weights.

    E(x) = (|x - c|^2 / 2 - sum_j softplus(w_j . x + b_j)) / s^2, s = `noise`.

    dE/dx = (x - r(x)) / s^2 with the reconstruction r(x) = c + sum_j sigmoid(w_j . x + b_j) w_j.
    `DenoisingScoreMatching` at the same noise is therefore the reconstruction loss
    mean |r(x + s z) - x|^2 / (2 s^4). The density is integrable: the quadratic term dominates.

    Args:
        units: number of hidden units.
        noise: s, above 0, in the units of x.

    Raises:
        ValueError: for `units` below 1 or a `noise` that is not above 0.

    Trap: the noise is part of the energy. Train at the same noise, or r does not reconstruct.

    Source: Vincent (2011), section 4.

    Example:
        >>> energy = ex.energy.DenoisingAutoencoder((4,), units=8, noise=0.5, key=key)
        >>> x = jnp.ones(4)
        >>> bool(jnp.allclose(energy.reconstruct(x), x + 0.25 * ex.energy.score(energy, x)))
        True
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

    def _activate(self, x: Float[Array, "*shape"]) -> Float[Array, " units"]:
        return self.weight @ x.reshape(-1) + self.bias

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        well = jnp.sum((x - self.centre) ** 2) / 2
        return (well - jnp.sum(jax.nn.softplus(self._activate(x)))) / self.noise**2

    def reconstruct(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """r(x) = x - s^2 dE/dx: after training, the mean of the clean row (Tweedie's formula)."""
        return self.centre + (jax.nn.sigmoid(self._activate(x)) @ self.weight).reshape(self.shape)
