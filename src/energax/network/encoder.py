"""An amortised Gaussian posterior q(z | x) of the latent vector of an example."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Encoder(eqx.Module):
    """An amortised Gaussian posterior, q(z | x) = N(mean(x), diag variance(x)).

    Args:
        network: maps an example to 2 `latent` numbers: the mean, then log(variance - `floor`).
        latent: the length of z.
        floor: least variance, at least 0. It bounds log q where x determines z exactly.

    Raises:
        ValueError: for a `latent` below 1 or a negative `floor`; once called, where `network`
            returns another shape.

    Trap: the axes of z are independent given x. A variational loss pays for that; chains that start
    from these draws correct it.

    Source: Cui and Han (2023), section 3.2. Their released loss adds the floor of 1e-6 to the
    variance in the square and not in the logarithm.

    Example:
        >>> encoder = ex.network.Encoder(lambda x: jnp.concatenate([x, x]), latent=2)
        >>> mean, variance = encoder(jnp.zeros(2))
        >>> variance.round(3).tolist(), encoder.sample(jnp.zeros(2), key=key).shape
        ([1.0, 1.0], (2,))
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
        output = self.network(x)
        if output.shape != (2 * self.latent,):
            raise ValueError(
                f"`network` must give {2 * self.latent} numbers, a mean and a log-variance for "
                f"each of {self.latent}; it gave an array of shape {output.shape}."
            )
        return output[: self.latent], self.floor + jnp.exp(output[self.latent :])

    def log_density(
        self, z: Float[Array, " latent"], x: Float[Array, "*shape"]
    ) -> Float[Array, ""]:
        """log q(z | x), in nats."""
        mean, variance = self(x)
        spread = (z - mean) ** 2 / variance + jnp.log(variance)
        return -jnp.sum(spread) / 2 - self.latent * math.log(2 * math.pi) / 2

    def sample(self, x: Float[Array, "*shape"], *, key: PRNGKeyArray) -> Float[Array, " latent"]:
        """One draw of z given x, differentiable in the weights of the network."""
        mean, variance = self(x)
        return mean + jnp.sqrt(variance) * jax.random.normal(key, mean.shape, mean.dtype)
