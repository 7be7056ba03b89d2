"""A guess at the latent vector behind an example: a Gaussian whose moments a network says."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Encoder(eqx.Module):
    """q(z | x) = N(mean(x), diag variance(x)), z of `latent` numbers.

    `network` takes an example to a vector of 2 `latent` numbers: the mean, then log(variance -
    `floor`). The floor keeps -log q from rewarding a width of 0 where z can be told exactly.

    Trap: the axes of z are independent given x, which is what variational losses pay for and what
    chains that start here repair. Source: Cui and Han (2023), section 3.2, whose released loss adds
    the floor of 1e-6 to the variance in the square and not in the logarithm.
    """

    network: Callable
    latent: int = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(self, network: Callable, latent: int, floor: float = 1e-6):
        if latent < 1:
            raise ValueError(f"`latent` must be at least 1; got {latent}.")
        if not floor >= 0:
            raise ValueError(f"`floor` must be at least 0; got {floor}.")
        self.network, self.latent, self.floor = network, latent, floor

    def __call__(
        self, x: Float[Array, "*shape"]
    ) -> tuple[Float[Array, " latent"], Float[Array, " latent"]]:
        """Mean and variance of z, given x."""
        said = self.network(x)
        if said.shape != (2 * self.latent,):
            raise ValueError(
                f"`network` must give {2 * self.latent} numbers, a mean and a log-variance for "
                f"each of {self.latent}; it gave an array of shape {said.shape}."
            )
        return said[: self.latent], self.floor + jnp.exp(said[self.latent :])

    def log_density(
        self, z: Float[Array, " latent"], x: Float[Array, "*shape"]
    ) -> Float[Array, ""]:
        """log q(z | x), in nats."""
        mean, variance = self(x)
        spread = (z - mean) ** 2 / variance + jnp.log(variance)
        return -jnp.sum(spread) / 2 - self.latent * math.log(2 * math.pi) / 2

    def sample(self, x: Float[Array, "*shape"], *, key: PRNGKeyArray) -> Float[Array, " latent"]:
        """One draw of z given x, through which gradients flow into the network."""
        mean, variance = self(x)
        return mean + jnp.sqrt(variance) * jax.random.normal(key, mean.shape, mean.dtype)
