"""One model for many levels of noise: the distribution of x + s z for every s at once."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from energax.energy.base import AbstractEnergy, Energy


class AbstractNoisy(eqx.Module):
    """The distributions of x + s z, z ~ N(0, I), as functions of x and of the noise s above 0."""

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


class Zoomed(AbstractEnergy):
    """E(scale x): an energy seen in rows that are 1 / scale times as large."""

    energy: AbstractEnergy
    scale: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(self.scale.astype(x.dtype) * x)


class Unshrunk(AbstractNoisy):
    """A model of shrunk rows, sqrt(1 - t^2) x + t z, seen as a model of x + s z.

    Dividing the shrunk row by sqrt(1 - t^2) gives x + s z with s = t / sqrt(1 - t^2), so this is an
    exact change of variables, not another process: with c = 1 / sqrt(1 + s^2),
    score(y, s) = c shrunk.score(c y, t = c s). Samplers and likelihoods here are written for
    x + s z; this lets them run what `MultiLevelDenoising(..., variance_preserving=True)` trains. A
    level t of 0.99 is s = 7.

    Source: Song et al. (2021), section 3.4 and appendix B, in our own variables.
    """

    shrunk: AbstractNoisy
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, shrunk: AbstractNoisy):
        self.shrunk, self.shape = shrunk, shrunk.shape

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        shrink = 1 / jnp.sqrt(1 + noise**2)
        return shrink * self.shrunk.score(shrink * x, shrink * noise)

    def at(self, noise: ArrayLike) -> Zoomed:
        shrink = 1 / jnp.sqrt(1 + _number(noise) ** 2)
        inner = self.shrunk.at(shrink * _number(noise))
        return Zoomed(energy=inner, scale=shrink, shape=self.shape)


class Posterior(AbstractEnergy):
    """The distribution of a cleaner row given a noisier one, in units of the noise between them.

    With x = noisier + added u, added = sqrt(t^2 - s^2) for levels s < t of noise, the energy of u
    is E(noisier + added u, s) + |u|^2 / 2, which is E(x, s) + |x - noisier|^2 / (2 added^2): Bayes'
    rule for noisier = x + added z. In these units every level asks for the same step size.
    """

    energy: Energy
    noisier: Float[Array, "*shape"]
    added: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: Energy, noisier: Float[Array, "*shape"], added: Float[Array, ""]):
        self.energy, self.noisier, self.added = energy, noisier, added
        self.shape = noisier.shape

    def row(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The cleaner row x that `u` stands for."""
        return self.noisier + self.added * u

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(self.row(x)) + jnp.sum(x**2) / 2


def denoised(
    model: AbstractNoisy, x: Float[Array, "*shape"], noise: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """E[clean | x = clean + s z] = x + s^2 score(x, s): Tweedie's formula (Robbins 1956)."""
    return x + noise**2 * model.score(x, noise)
