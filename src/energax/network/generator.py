"""Networks that make an example: from an array to an array, and from a latent vector with noise."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class ArrayMLP(eqx.Module):
    """A multilayer perceptron from an array of shape `shape` to one of shape `out`.

    A generator where `shape` is that of a latent vector; a field, such as a critic of Stein's
    discrepancy, where both shapes are that of an example. `ends` is applied to each number that
    comes out: `jnp.tanh` for data on [-1, 1].
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
    """x = g(z) + s e with z ~ N(0, I) of `latent` numbers, e ~ N(0, I) and s = `noise`.

    The noise gives the distribution of x a density, log q(x) = log int N(z; 0, I) N(x; g(z), s^2 I)
    dz, which is not tractable, but whose slopes can be estimated. `learned` lets s move, from
    `noise`. Source: Grathwohl et al. (2021), eq. 7.
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
        missed = (x - self.network(z)) / std
        each = jnp.log(std) + math.log(2 * math.pi) / 2
        return -jnp.sum(missed**2) / 2 - x.size * each

    def born(self, *, key: PRNGKeyArray) -> tuple[Float[Array, " latent"], Float[Array, "*shape"]]:
        """One draw of (z, x)."""
        first, then = jax.random.split(key)
        z = jax.random.normal(first, (self.latent,))
        clean = self.network(z)
        return z, clean + self.std * jax.random.normal(then, clean.shape, clean.dtype)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        """One draw of x."""
        return self.born(key=key)[1]
