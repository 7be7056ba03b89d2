"""Generators: from an array to an array, and from a latent vector to a noisy example."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class ArrayMLP(eqx.Module):
    """A multilayer perceptron from an array of shape `shape` to one of shape `out`.

    With the shape of a latent vector it is a generator; where both shapes are that of an example it
    is a vector field, such as a critic of Stein's discrepancy.

    Args:
        width: number of units of each of the `depth` hidden layers.
        ends: applied to each number of the output, such as `jnp.tanh` for data on [-1, 1].

    Raises:
        ValueError: for a `width` or `depth` below 1.

    Example:
        >>> generator = ex.network.ArrayMLP((2,), (4, 4), width=8, ends=jnp.tanh, key=key)
        >>> generator(jnp.zeros(2)).shape
        (4, 4)
    """

    perceptron: eqx.nn.MLP
    ends: Callable | None
    shape: tuple[int, ...] = eqx.field(static=True)
    out: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        out: tuple[int, ...],
        width: int = 128,
        depth: int = 2,
        *,
        activation: Callable = jax.nn.silu,
        ends: Callable | None = None,
        key: PRNGKeyArray,
    ):
        if width < 1 or depth < 1:
            raise ValueError(f"`width` and `depth` must be at least 1; got {width} and {depth}.")
        self.perceptron = eqx.nn.MLP(
            math.prod(shape), math.prod(out), width, depth, activation, key=key
        )
        self.shape, self.out, self.ends = shape, out, ends

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*out"]:
        y = self.perceptron(x.reshape(-1)).reshape(self.out)
        return y if self.ends is None else self.ends(y)


class NoisyGenerator(eqx.Module):
    """A generator with Gaussian output noise: x = g(z) + s e, with z and e standard normal.

    log q(x) = log int N(z; 0, I) N(x; g(z), s^2 I) dz

    The density exists thanks to the noise. It is not tractable, but its gradient can be estimated.

    Args:
        network: g, from a latent vector to an example.
        latent: the length of z.
        noise: s, above 0, in the units of the example.
        learned: train s too, starting from `noise`.

    Raises:
        ValueError: for a `latent` below 1 or a `noise` that is not above 0.

    Source: Grathwohl et al. (2021), eq. 7.

    Example:
        >>> generator = ex.network.NoisyGenerator(lambda z: 2 * z, latent=2, noise=0.1)
        >>> z, x = generator.sample_pair(key=key)
        >>> z.shape, x.shape, bool(jnp.all(jnp.abs(x - 2 * z) < 1))
        ((2,), (2,), True)
    """

    network: Callable
    log_factor: Float[Array, ""] | None
    latent: int = eqx.field(static=True)
    noise: float = eqx.field(static=True)

    def __init__(
        self, network: Callable, latent: int, noise: float = 0.1, *, learned: bool = False
    ):
        if latent < 1:
            raise ValueError(f"`latent` must be at least 1; got {latent}.")
        if not noise > 0:
            raise ValueError(f"`noise` must be above 0; got {noise}.")
        self.network, self.latent, self.noise = network, latent, noise
        self.log_factor = jnp.zeros(()) if learned else None

    @property
    def std(self) -> Float[Array, ""]:
        """s, the standard deviation of the noise on each number of the example."""
        start = jnp.asarray(self.noise)
        return start if self.log_factor is None else start * jnp.exp(self.log_factor)

    def __call__(self, z: Float[Array, " latent"]) -> Float[Array, "*shape"]:
        """g(z), without noise."""
        return self.network(z)

    def log_likelihood(
        self, x: Float[Array, "*shape"], z: Float[Array, " latent"]
    ) -> Float[Array, ""]:
        """log p(x | z) = log N(x; g(z), s^2 I), in nats."""
        std = self.std.astype(x.dtype)
        residual = (x - self.network(z)) / std
        each = jnp.log(std) + math.log(2 * math.pi) / 2
        return -jnp.sum(residual**2) / 2 - x.size * each

    def sample_pair(
        self, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, " latent"], Float[Array, "*shape"]]:
        """One draw of (z, x)."""
        first, then = jax.random.split(key)
        z = jax.random.normal(first, (self.latent,))
        clean = self.network(z)
        return z, clean + self.std * jax.random.normal(then, clean.shape, clean.dtype)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        """One draw of x."""
        return self.sample_pair(key=key)[1]
