"""Invertible maps between whole numbers, the unit box and all of R^d."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, Shaped

from energax.data.base import AbstractTransform
from energax.data.transform import to_real

_SMALLEST_TAIL = 1e-30
"""Smaller tail probabilities are replaced by this; they occur only at the very edge of the box."""


def _box_inverse(tail: Array, masses: Array) -> Array:
    """Where in [0, 1] the piecewise-linear function with these bin `masses` reaches `tail`."""
    levels = len(masses)
    reached = jnp.cumsum(masses, axis=0)
    bin_ = jnp.sum(reached[:-1] <= tail[None], axis=0, dtype=tail.dtype)
    start = _pick(jnp.concatenate([jnp.zeros_like(masses[:1]), reached[:-1]]), bin_)
    return (bin_ + jnp.clip((tail - start) / _pick(masses, bin_), 0, 1)) / levels


def _pick(table: Array, bin_: Array) -> Array:
    return jnp.take_along_axis(table, bin_[None].astype(jnp.int32), axis=0)[0]


class Dequantise(AbstractTransform):
    """Uniform dequantisation of whole numbers: y = (x + u) / levels, u uniform on [0, 1).

    `log_det` is 0 by convention: the density of whole numbers is reported on the unit box [0, 1]^d.
    With l its log in nats, -(l / d - log levels) / log 2 is bits per dimension, an upper bound on
    the bits of the whole numbers. `decode` rounds down and clips to 0..levels-1. u stays
    4 levels eps away from 0 and 1 (eps of the dtype), so that rounding never changes the number.

    Args:
        levels: x lies in 0..levels-1; from 2 to 65536.

    Raises:
        ValueError: for other `levels`.

    Trap: numbers outside 0..levels-1 are not detected here.

    Example:
        >>> transform = ex.data.Dequantise(4)
        >>> y, _ = transform.encode(jnp.array([0, 3], jnp.uint8), key=key)
        >>> transform.decode(y).tolist()
        [0, 3]
    """

    levels: int = eqx.field(static=True)

    def __init__(self, levels: int):
        self.levels = int(levels)
        if not 2 <= self.levels <= 65536:
            raise ValueError(f"`levels` must be from 2 to 65536; got {levels}.")

    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        whole = to_real(x)
        edge = 4 * self.levels * float(jnp.finfo(whole.dtype).eps)
        noise = jnp.clip(jax.random.uniform(key, whole.shape, whole.dtype), edge, 1 - edge)
        return (whole + noise) / self.levels, jnp.zeros((), whole.dtype)

    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        whole = jnp.clip(jnp.floor(y * self.levels), 0, self.levels - 1)
        return whole.astype(jnp.uint8 if self.levels <= 256 else jnp.int32)


class Logit(AbstractTransform):
    """y = log(z / (1 - z)) with z = margin + (1 - 2 margin) x, for x in the unit box.

    Args:
        margin: in [0, 1/2), keeps z away from 0 and 1. With 0 the edges of the box are mapped to
            infinity.

    Raises:
        ValueError: for another `margin`.

    Trap: outside the box, where the density is 0, y may be NaN.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), section 4.1, with alpha = margin.

    Example:
        >>> ex.data.Logit(0.01).encode(jnp.array([0.5]), key=key)[0].round(6).tolist()
        [0.0]
    """

    margin: float = eqx.field(static=True)

    def __init__(self, margin: float = 1e-6):
        self.margin = float(margin)
        if not 0 <= self.margin < 0.5:
            raise ValueError(f"`margin` must be in [0, 0.5); got {margin}.")

    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        x, slope = to_real(x), 1 - 2 * self.margin
        log_left = jnp.log(self.margin + slope * x)
        # 1 - x is exact near 1, where log(1 - z) needs it.
        log_right = jnp.log(self.margin + slope * (1 - x))
        log_det = jnp.sum(math.log(slope) - log_left - log_right)
        return log_left - log_right, log_det

    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        return (jax.nn.sigmoid(y) - self.margin) / (1 - 2 * self.margin)


class MarginalGauss(AbstractTransform):
    """Makes each coordinate of the unit box standard normal, by its own histogram.

    y = Phi^{-1}(F(x)), with F the piecewise-linear cumulative distribution of the histogram.
    log|dy/dx| = sum log f(x) - log phi(y). `gaussianise_marginals` fits it to rows.

    Tails are summed from the nearer end, so float32 keeps its digits at both. A tail below 1e-30
    (only at the very edge) is replaced by 1e-30. Outside the box `log_det` is -inf.

    Args:
        masses: (levels, *shape), above 0, with sum 1 over the first axis.

    Raises:
        ValueError: for other masses.

    Example:
        >>> transform = ex.data.MarginalGauss(np.full((4, 1), 0.25))
        >>> transform.decode(jnp.array([0.0])).round(6).tolist()
        [0.5]
    """

    masses: Float[Array, " levels *shape"]

    def __init__(self, masses: ArrayLike):
        self.masses = to_real(masses)
        if not np.all(np.asarray(self.masses) > 0):
            raise ValueError("`masses` must be above 0 everywhere: smooth the histogram.")
        if not np.allclose(np.asarray(self.masses, np.float64).sum(axis=0), 1, atol=1e-4):
            raise ValueError("`masses` must sum to 1 over the first axis.")

    @eqx.filter_jit
    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        x = to_real(x)
        masses = self.masses.astype(x.dtype)
        levels, none = len(masses), jnp.zeros_like(masses[:1])
        bin_ = jnp.clip(jnp.floor(x * levels), 0, levels - 1)
        below = jnp.concatenate([none, jnp.cumsum(masses[:-1], axis=0)])
        above = jnp.concatenate([jnp.cumsum(masses[:0:-1], axis=0)[::-1], none])
        mass = _pick(masses, bin_)
        lower = _pick(below, bin_) + mass * (x * levels - bin_)
        upper = _pick(above, bin_) + mass * ((1 - x) * levels - (levels - 1 - bin_))
        tail = ndtri(jnp.maximum(jnp.minimum(lower, upper), _SMALLEST_TAIL))
        y = jnp.where(lower < upper, tail, -tail)
        inside = jnp.all((x >= 0) & (x <= 1))
        log_det = jnp.sum(jnp.log(mass * levels) + y**2 / 2 + math.log(2 * math.pi) / 2)
        return y, jnp.where(inside, log_det, -jnp.inf)

    @eqx.filter_jit
    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        masses = self.masses.astype(y.dtype)
        left, right = _box_inverse(ndtr(y), masses), _box_inverse(ndtr(-y), masses[::-1])
        return jnp.where(y < 0, left, 1 - right)
