"""The space of rows: sphere, torus or flat space, each with its base distribution."""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy.base import AbstractDistribution
from energax.energy.distributions import UniformBox
from energax.space import AbstractSpace, UnitSphere
from energax.space.reals import ROUNDING


class UniformSphere(AbstractDistribution):
    """The uniform distribution on the unit sphere in R^size: E(x) = 0, log Z the log area.

    area = 2 pi^(size/2) / Gamma(size/2), size = product of `shape`.

    Raises:
        ValueError: for a size below 2.

    Trap: the energy is 0 off the sphere too. Use a sampler that stays on it, `OnManifold`.

    Example:
        >>> sphere = ex.energy.UniformSphere((3,))
        >>> round(float(sphere.log_z()), 4)  # log(4 pi)
        2.531
    """

    shape: tuple[int, ...] = eqx.field(static=True)

    def __check_init__(self):
        UnitSphere(self.shape)

    @property
    def space(self) -> AbstractSpace:
        return UnitSphere(self.shape)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return jnp.zeros((), x.dtype)

    def log_z(self) -> Float[Array, ""]:
        half = jnp.asarray(math.prod(self.shape) / 2, jnp.result_type(float))
        return math.log(2) + half * math.log(math.pi) - gammaln(half)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        return _on_sphere(jax.random.normal(key, self.shape))


def _on_sphere(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return x / jnp.sqrt(jnp.sum(x**2))


class AbstractManifold(eqx.Module):
    """A space of examples: its base distribution, its projection and its tangents.

    Samplers that stay on it, and dual training, are written for this interface.

    Example:
        >>> isinstance(ex.energy.Sphere((3,)), ex.energy.AbstractManifold)
        True
    """

    @property
    @abc.abstractmethod
    def distribution(self) -> AbstractDistribution:
        """The distribution tau of p(x) = tau(x) exp(-f(x)) / Z."""

    @abc.abstractmethod
    def project(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The point of the space for one that a straight step took off it."""

    @abc.abstractmethod
    def tangent(
        self, x: Float[Array, "*shape"], v: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """The tangential part of v at x."""

    @abc.abstractmethod
    def check(self, name: str, rows: Float[np.ndarray, " size *shape"]) -> None:
        """Raise ValueError, naming argument and row, where rows are not of this space."""


class Sphere(AbstractManifold):
    """The unit sphere, with the uniform distribution; `shape` is that of one example.

    Example:
        >>> sphere = ex.energy.Sphere((2,))
        >>> sphere.project(jnp.array([0.0, 4.0])).tolist()
        [0.0, 1.0]
    """

    shape: tuple[int, ...] = eqx.field(static=True)

    @property
    def distribution(self) -> UniformSphere:
        return UniformSphere(self.shape)

    def project(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _on_sphere(x)

    def tangent(
        self, x: Float[Array, "*shape"], v: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return v - jnp.sum(x * v) * x

    def check(self, name: str, rows: Float[np.ndarray, " size *shape"]) -> None:
        _check_shape(name, rows, self.shape)
        lengths = np.sqrt(np.sum(np.asarray(rows, np.float64).reshape(len(rows), -1) ** 2, axis=1))
        off = ~(np.abs(lengths - 1) <= ROUNDING)
        if off.any():
            row = int(np.argmax(off))
            raise ValueError(
                f"`{name}` must be rows of length 1, on the unit sphere; row {row} has length "
                f"{lengths[row]:.6g}: divide each row by its length."
            )


class Torus(AbstractManifold):
    """The torus, [0, 1)^size with opposite sides joined, with the uniform distribution.

    Example:
        >>> ex.energy.Torus((2,)).project(jnp.array([1.25, -0.25])).tolist()
        [0.25, 0.75]
    """

    shape: tuple[int, ...] = eqx.field(static=True)

    @property
    def distribution(self) -> UniformBox:
        return UniformBox(self.shape, 0.0, 1.0)

    def project(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return x % 1

    def tangent(
        self, x: Float[Array, "*shape"], v: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return v

    def check(self, name: str, rows: Float[np.ndarray, " size *shape"]) -> None:
        _check_shape(name, rows, self.shape)
        off = ~((rows >= 0) & (rows <= 1)).reshape(len(rows), -1).all(axis=1)
        if off.any():
            raise ValueError(
                f"`{name}` must lie in [0, 1] on each axis, the torus of period 1; row "
                f"{int(np.argmax(off))} does not: scale the period to 1."
            )


class Flat(AbstractManifold):
    """R^d, with any exact distribution as `base`.

    Example:
        >>> flat = ex.energy.Flat(ex.energy.Gaussian(jnp.zeros(2)))
        >>> flat.project(jnp.array([3.0, 4.0])).tolist()
        [3.0, 4.0]
    """

    base: AbstractDistribution

    @property
    def distribution(self) -> AbstractDistribution:
        return self.base

    def project(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return x

    def tangent(
        self, x: Float[Array, "*shape"], v: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return v

    def check(self, name: str, rows: Float[np.ndarray, " size *shape"]) -> None:
        _check_shape(name, rows, self.base.shape)
        off = ~np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
        if off.any():
            raise ValueError(f"`{name}` must be finite; row {int(np.argmax(off))} is not.")


def _check_shape(name: str, rows: np.ndarray, shape: tuple[int, ...]) -> None:
    if rows.shape[1:] != shape:
        raise ValueError(f"`{name}` must have rows of shape {shape}; got {rows.shape[1:]}.")
