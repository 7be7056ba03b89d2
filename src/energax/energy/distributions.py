"""Distributions known exactly: Gaussian, Gaussian mixture, and uniform on a box."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from energax.energy.base import AbstractDistribution, AbstractModal


class Gaussian(AbstractDistribution):
    """E(x) = sum_i (x_i - mean_i)^2 / (2 std_i^2): independent axes, any shape.

    `std` is one number or an array of the shape of `mean`; above 0.
    """

    mean: Float[Array, "*shape"]
    std: Float[Array, "*shape"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, mean: ArrayLike, std: ArrayLike = 1.0):
        self.mean = jnp.asarray(mean)
        if not np.all(np.asarray(std) > 0):
            raise ValueError(f"`std` must be above 0 everywhere; got {std}.")
        self.std = jnp.broadcast_to(jnp.asarray(std, self.mean.dtype), self.mean.shape)
        self.shape = self.mean.shape

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return jnp.sum(((x - self.mean) / self.std) ** 2) / 2

    def log_z(self) -> Float[Array, ""]:
        return jnp.sum(jnp.log(self.std)) + self.mean.size * math.log(2 * math.pi) / 2

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        return self.mean + self.std * jax.random.normal(key, self.shape, self.mean.dtype)


class GaussianMixture(AbstractModal):
    """E(x) = -log sum_k weight_k N(x; mean_k, L_k L_k'), normalised: log Z = 0.

    `log_weights` (k,) need not be normalised; `means` (k, *shape); `factors` (k, dim, dim) are the
    lower Cholesky factors L_k of the covariances of the flattened example. One component is the
    Gaussian with full covariance. The mode of a point is the component it most likely came from.
    """

    log_weights: Float[Array, " components"]
    means: Float[Array, " components *shape"]
    factors: Float[Array, " components dim dim"]
    whiteners: Float[Array, " components dim dim"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, log_weights: ArrayLike, means: ArrayLike, factors: ArrayLike):
        self.means = jnp.asarray(means)
        dtype = self.means.dtype
        self.shape = self.means.shape[1:]
        dim = math.prod(self.shape)
        self.factors = jnp.asarray(factors, dtype)
        self.log_weights = jax.nn.log_softmax(jnp.asarray(log_weights, dtype))
        if self.log_weights.shape != (len(self.means),):
            raise ValueError(
                f"`log_weights` must have shape {(len(self.means),)} to go with `means` of shape "
                f"{self.means.shape}; got {self.log_weights.shape}."
            )
        if self.factors.shape != (len(self.means), dim, dim):
            raise ValueError(
                f"`factors` must have shape {(len(self.means), dim, dim)} to go with `means` of "
                f"shape {self.means.shape}; got {self.factors.shape}."
            )
        full = np.asarray(factors, np.float64)
        if np.any(np.triu(full, 1)) or not np.all(np.diagonal(full, axis1=1, axis2=2) > 0):
            raise ValueError("`factors` must be lower triangular with a positive diagonal.")
        self.whiteners = jnp.asarray(np.linalg.inv(full), dtype)

    def _log_parts(self, x: Float[Array, "*shape"]) -> Float[Array, " components"]:
        """log weight_k N(x; mean_k, L_k L_k'), without the constant that all share."""
        shift = (x[None] - self.means).reshape(len(self.means), -1)
        white = jnp.einsum("kij,kj->ki", self.whiteners, shift)
        log_volume = jnp.sum(jnp.log(jnp.diagonal(self.whiteners, axis1=1, axis2=2)), axis=1)
        return self.log_weights + log_volume - jnp.sum(white**2, axis=1) / 2

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return math.prod(self.shape) * math.log(2 * math.pi) / 2 - logsumexp(self._log_parts(x))

    @property
    def modes(self) -> int:
        return len(self.means)

    def mode(self, x: Float[Array, "*shape"]) -> Int[Array, ""]:
        return jnp.argmax(self._log_parts(x))

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros((), self.means.dtype)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        pick, move = jax.random.split(key)
        k = jax.random.categorical(pick, self.log_weights)
        noise = jax.random.normal(move, self.factors.shape[2:], self.means.dtype)
        return self.means[k] + (self.factors[k] @ noise).reshape(self.shape)


class UniformBox(AbstractDistribution):
    """E(x) = 0 inside the box [low, high]^shape and infinite outside; log Z is the log volume."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0):
        if not low < high:
            raise ValueError(f"`low` must be below `high`; got {low} and {high}.")
        self.shape = shape
        self.low, self.high = jnp.asarray(low), jnp.asarray(high)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        low, high = self.low.astype(x.dtype), self.high.astype(x.dtype)
        inside = jnp.all((x >= low) & (x <= high))
        return jnp.where(inside, jnp.zeros((), x.dtype), jnp.inf)

    def log_z(self) -> Float[Array, ""]:
        return math.prod(self.shape) * jnp.log(self.high - self.low)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        return jax.random.uniform(key, self.shape, self.low.dtype, self.low, self.high)
