"""Distributions known exactly: Gaussian, Gaussian mixture, and uniform on a box."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import logsumexp
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray
from scipy.special import log_softmax

from energax.energy.base import AbstractDistribution, AbstractModal


class Gaussian(AbstractDistribution):
    """A Gaussian with independent axes, of any shape: E(x) = sum_i (x_i - mean_i)^2 / (2 std_i^2).

    Args:
        mean: its shape is that of an example.
        std: one number, or an array of the shape of `mean`; above 0.

    Raises:
        ValueError: for a `std` that is not above 0.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(3), 2.0)
        >>> float(normal(jnp.full(3, 2.0))), normal.sample(key=key).shape
        (1.5, (3,))
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
    """E(x) = -log sum_k weight_k N(x; mean_k, L_k L_k'), a mixture of Gaussians, normalised.

    log Z = 0 whatever values its arrays take, so it may be trained: weights are a softmax of
    `logits`, and each L_k^-1 is stored as its entries below the diagonal and the logarithms of
    those on it. One component is the Gaussian with full covariance. The mode of a point is the
    component it most likely came from.

    Args:
        log_weights: (k,), need not be normalised.
        means: (k, *shape).
        factors: (k, dim, dim), the lower Cholesky factors L_k of the covariances of the flattened
            example, with a positive diagonal.

    Raises:
        ValueError: where shapes do not match or a factor is no Cholesky factor.

    Example:
        >>> means, factors = np.array([[-1.0], [1.0]]), np.ones((2, 1, 1))
        >>> mixture = ex.energy.GaussianMixture(np.zeros(2), means, factors)
        >>> mixture.modes, int(mixture.mode(jnp.array([0.7])))
        (2, 1)
    """

    logits: Float[Array, " components"]
    means: Float[Array, " components *shape"]
    below: Float[Array, " components dim dim"]
    log_diagonal: Float[Array, " components dim"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, log_weights: ArrayLike, means: ArrayLike, factors: ArrayLike):
        self.means = jnp.asarray(means)
        dtype = self.means.dtype
        self.shape = self.means.shape[1:]
        count, dim = len(self.means), math.prod(self.shape)
        self.logits = jnp.asarray(log_softmax(np.asarray(log_weights, np.float64)), dtype)
        full = np.asarray(factors, np.float64)
        expected = {"log_weights": (count,), "factors": (count, dim, dim)}
        for name, found in (("log_weights", self.logits.shape), ("factors", full.shape)):
            if found != expected[name]:
                raise ValueError(
                    f"`{name}` must have shape {expected[name]} to go with `means` of shape "
                    f"{self.means.shape}; got {found}."
                )
        if np.any(np.triu(full, 1)) or not np.all(np.diagonal(full, axis1=1, axis2=2) > 0):
            raise ValueError("`factors` must be lower triangular with a positive diagonal.")
        inverse = np.linalg.inv(full)
        self.below = jnp.asarray(np.tril(inverse, -1), dtype)
        self.log_diagonal = jnp.asarray(np.log(np.diagonal(inverse, axis1=1, axis2=2)), dtype)

    @property
    def log_weights(self) -> Float[Array, " components"]:
        """log weight_k, normalised."""
        return jax.nn.log_softmax(self.logits)

    @property
    def whiteners(self) -> Float[Array, " components dim dim"]:
        """L_k^-1, which takes x - mean_k to standard normal numbers; lower triangular."""
        eye = jnp.eye(self.below.shape[1], dtype=self.below.dtype)
        return jnp.tril(self.below, -1) + jnp.exp(self.log_diagonal)[:, :, None] * eye[None]

    @property
    def factors(self) -> Float[Array, " components dim dim"]:
        """L_k, the lower Cholesky factor of each covariance."""
        whiteners = self.whiteners
        eye = jnp.broadcast_to(jnp.eye(whiteners.shape[1], dtype=whiteners.dtype), whiteners.shape)
        return solve_triangular(whiteners, eye, lower=True)

    def _log_parts(self, x: Float[Array, "*shape"]) -> Float[Array, " components"]:
        """log weight_k N(x; mean_k, L_k L_k'), without the constant that all share."""
        count, whiteners = len(self.means), self.whiteners
        # The whiteners of all components at once: one product of matrices under `vmap`.
        white = (whiteners.reshape(-1, whiteners.shape[-1]) @ x.ravel()).reshape(count, -1)
        white = white - jnp.einsum("kij,kj->ki", whiteners, self.means.reshape(count, -1))
        log_volume = jnp.sum(self.log_diagonal, axis=1)
        return self.log_weights + log_volume - jnp.sum(white**2, axis=1) / 2

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return math.prod(self.shape) * math.log(2 * math.pi) / 2 - logsumexp(self._log_parts(x))

    @property
    def modes(self) -> int:
        """The number of components."""
        return len(self.means)

    def mode(self, x: Float[Array, "*shape"]) -> Int[Array, ""]:
        return jnp.argmax(self._log_parts(x))

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros((), self.means.dtype)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        pick, move = jax.random.split(key)
        k = jax.random.categorical(pick, self.logits)
        noise = jax.random.normal(move, self.log_diagonal.shape[1:], self.means.dtype)
        # All components by one product of matrices, then one of them: under `vmap` no factor is
        # copied for each draw.
        shifts = self.factors.reshape(-1, len(noise)) @ noise
        return self.means[k] + shifts.reshape(self.means.shape)[k]


class UniformBox(AbstractDistribution):
    """The uniform distribution on [low, high]^shape: E(x) = 0 inside, infinite outside.

    log Z is the log volume.

    Raises:
        ValueError: where `low` is not below `high`.

    Example:
        >>> box = ex.energy.UniformBox((2,), -1.0, 1.0)
        >>> float(box(jnp.zeros(2))), float(box(jnp.full(2, 3.0)))
        (0.0, inf)
    """

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
