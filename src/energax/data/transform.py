"""Invertible maps between the user's units and the model's, each with its log-determinant."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, Shaped

from energax.data.base import AbstractTransform


def to_real(x: Shaped[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    """Floating numbers as they are, whole numbers in the default precision."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


class Whole(AbstractTransform):
    """Whole numbers as they are, the model units of bits and categories: y = x, `log_det` is 0.

    Raises ValueError for real numbers.

    Example:
        >>> ex.data.Whole().encode(jnp.array([1, 0], jnp.uint8), key=key)[0].tolist()
        [1, 0]
    """

    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Shaped[Array, "*shape"], Float[Array, ""]]:
        x = jnp.asarray(x)
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise ValueError(f"`x` must be whole numbers; got {x.dtype}.")
        return x, jnp.zeros(())

    def decode(self, y: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        return y


class Standardise(AbstractTransform):
    """y = (x - mean) / std; `standardise` fits it to rows.

    Args:
        mean: a number, or an array of the shape of an example.
        std: the same, above 0.

    Raises:
        ValueError: for a `std` that is not above 0.

    Example:
        >>> ex.data.Standardise(1.0, 2.0).decode(jnp.array([1.0])).tolist()
        [3.0]
    """

    mean: Float[Array, "..."]
    std: Float[Array, "..."]

    def __init__(self, mean: ArrayLike, std: ArrayLike):
        self.mean, self.std = to_real(mean), to_real(std)
        if not np.all(np.asarray(self.std) > 0):
            raise ValueError("`std` must be above 0 everywhere.")

    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        x = to_real(x)
        std = jnp.broadcast_to(self.std.astype(x.dtype), x.shape)
        return (x - self.mean.astype(x.dtype)) / std, -jnp.sum(jnp.log(std))

    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        return y * self.std.astype(y.dtype) + self.mean.astype(y.dtype)


class Whiten(AbstractTransform):
    """y = factor (x - mean), of the flattened example; `whiten` fits it to rows.

    log|dy/dx| = log|det factor|.

    Args:
        mean: of the shape of an example.
        factor: (dim, dim), invertible.
        inverse: its inverse.

    Raises:
        ValueError: where shapes do not match, or `inverse` is not the inverse.

    Example:
        >>> transform = ex.data.Whiten(np.zeros(2), 2 * np.eye(2), np.eye(2) / 2)
        >>> transform.encode(jnp.ones(2), key=key)[0].tolist()
        [2.0, 2.0]
    """

    mean: Float[Array, "*shape"]
    factor: Float[Array, " dim dim"]
    inverse: Float[Array, " dim dim"]

    def __init__(self, mean: ArrayLike, factor: ArrayLike, inverse: ArrayLike):
        self.mean, self.factor, self.inverse = to_real(mean), to_real(factor), to_real(inverse)
        dim = self.mean.size
        for name in ("factor", "inverse"):
            if getattr(self, name).shape != (dim, dim):
                raise ValueError(
                    f"`{name}` must have shape {(dim, dim)}, as the mean has {dim} numbers; got "
                    f"{getattr(self, name).shape}."
                )
        product = np.asarray(self.factor, np.float64) @ np.asarray(self.inverse, np.float64)
        if not np.allclose(product, np.eye(dim), atol=1e-3):
            raise ValueError("`inverse` must be the inverse of `factor`.")

    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        x = to_real(x)
        factor = self.factor.astype(x.dtype)
        y = factor @ (x - self.mean.astype(x.dtype)).reshape(-1)
        return y.reshape(x.shape), jnp.linalg.slogdet(factor)[1]

    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        x = self.inverse.astype(y.dtype) @ y.reshape(-1)
        return x.reshape(y.shape) + self.mean.astype(y.dtype)


class ScaleToBox(AbstractTransform):
    """The affine map from [low, high] to [box_low, box_high]; `scale_to_box` fits it to rows.

    Args:
        low, high: numbers, or arrays of the shape of an example.

    Raises:
        ValueError: where a lower end is not below the upper one.

    Trap: a number outside [low, high] is mapped outside the box.

    Example:
        >>> ex.data.ScaleToBox(0.0, 10.0).encode(jnp.array([10.0, 5.0]), key=key)[0].tolist()
        [1.0, 0.0]
    """

    low: Float[Array, "..."]
    high: Float[Array, "..."]
    box_low: Float[Array, ""]
    box_high: Float[Array, ""]

    def __init__(
        self, low: ArrayLike, high: ArrayLike, box_low: ArrayLike = -1.0, box_high: ArrayLike = 1.0
    ):
        self.low, self.high = to_real(low), to_real(high)
        self.box_low, self.box_high = to_real(box_low), to_real(box_high)
        if not np.all(np.asarray(self.low) < np.asarray(self.high)):
            raise ValueError("`low` must be below `high` everywhere.")
        if not self.box_low < self.box_high:
            raise ValueError(f"`box_low` must be below `box_high`; got {box_low} and {box_high}.")

    def _slope(self, dtype: jnp.dtype) -> Array:
        return (self.box_high - self.box_low).astype(dtype) / (self.high - self.low).astype(dtype)

    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        x = to_real(x)
        slope = jnp.broadcast_to(self._slope(x.dtype), x.shape)
        y = (x - self.low.astype(x.dtype)) * slope + self.box_low.astype(x.dtype)
        return y, jnp.sum(jnp.log(slope))

    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        shift = y - self.box_low.astype(y.dtype)
        return shift / self._slope(y.dtype) + self.low.astype(y.dtype)


class Pipeline(AbstractTransform):
    """Transforms applied in order, with the sum of their log-determinants; no steps: the identity.

    Example:
        >>> steps = ex.data.Dequantise(17), ex.data.Logit(1e-3)
        >>> pipeline = ex.data.Pipeline(steps)
        >>> pipeline.decode(pipeline.encode(jnp.array([3, 16]), key=key)[0]).tolist()
        [3, 16]
    """

    steps: tuple[AbstractTransform, ...]

    @eqx.filter_jit
    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        y = to_real(x)
        total = jnp.zeros((), y.dtype)
        for index, step in enumerate(self.steps):
            y, log_det = step.encode(y, key=jax.random.fold_in(key, index))
            total = total + log_det
        return y, total

    @eqx.filter_jit
    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        for step in reversed(self.steps):
            y = step.decode(y)
        return y
