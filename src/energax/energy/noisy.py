"""One model for many levels of noise: the law of x + s z for every s at once."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from energax.energy.base import AbstractEnergy


class AbstractNoisy(eqx.Module):
    """The laws of x + s z, z ~ N(0, I), as functions of x and of the noise s above 0."""

    shape: eqx.AbstractVar[tuple[int, ...]]

    @abc.abstractmethod
    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        """Gradient in x of the log-density of x + s z at noise s."""

    @abc.abstractmethod
    def at(self, noise: ArrayLike) -> AbstractEnergy:
        """The energy at one level of noise."""


def _number(noise: ArrayLike) -> Float[Array, ""]:
    return jnp.asarray(noise, jnp.result_type(float))


class Level(AbstractEnergy):
    """E(x) = network(x, noise) at one `noise`."""

    network: Callable
    noise: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.network(x, self.noise.astype(x.dtype))


class Slope(AbstractEnergy):
    """An energy of which only the slope is known: dE/dx = -score(x, noise).

    Trap: its value is 0 everywhere and means nothing. It serves samplers that never reject, and no
    method that compares energies.
    """

    network: Callable
    noise: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        here = jax.lax.stop_gradient(x)
        pull = jax.lax.stop_gradient(self.network(here, self.noise.astype(x.dtype)))
        return -jnp.sum(pull * (x - here))


class NoisyEnergy(AbstractNoisy):
    """E(x, s) = network(x, s), a scalar: at every s an energy of its own."""

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...]):
        self.network, self.shape = network, shape

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        return -jax.grad(self.network)(x, noise)

    def at(self, noise: ArrayLike) -> Level:
        return Level(network=self.network, noise=_number(noise), shape=self.shape)


class NoisyScore(AbstractNoisy):
    """The score itself, network(x, s), an array like x: a score-based model.

    One differentiation fewer than `NoisyEnergy`, in training and in sampling. Trap: nothing makes
    it the gradient of anything, so it has no energy to compare rows by.

    Source: Song and Ermon (2019); Song and Kingma (2021), section 4.4.
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...]):
        self.network, self.shape = network, shape

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        return self.network(x, noise)

    def at(self, noise: ArrayLike) -> Slope:
        return Slope(network=self.network, noise=_number(noise), shape=self.shape)


def denoised(
    model: AbstractNoisy, x: Float[Array, "*shape"], noise: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """E[clean | x = clean + s z] = x + s^2 score(x, s): Tweedie's formula (Robbins 1956)."""
    return x + noise**2 * model.score(x, noise)
