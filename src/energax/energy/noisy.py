"""One model for many levels of noise: the distribution of x + s z for each s."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from energax.energy.base import AbstractEnergy, Energy


class AbstractNoisy(eqx.Module):
    """A model of x + s z, z ~ N(0, I), for each noise s above 0.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 * (1 + s**2)), (2,))
        >>> isinstance(model, ex.energy.AbstractNoisy), model.at(0.5).shape
        (True, (2,))
    """

    shape: eqx.AbstractVar[tuple[int, ...]]

    @abc.abstractmethod
    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        """Gradient in x of the log-density of x + s z at noise s."""

    @abc.abstractmethod
    def at(self, noise: ArrayLike) -> AbstractEnergy:
        """The energy at one level of noise."""


def as_number(noise: ArrayLike) -> Float[Array, ""]:
    """A level of noise as an array, in JAX's own precision."""
    return jnp.asarray(noise, jnp.result_type(float))


class Level(AbstractEnergy):
    """E(x) = network(x, noise) at one `noise`."""

    network: Callable
    noise: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.network(x, self.noise.astype(x.dtype))


class Slope(AbstractEnergy):
    """An energy with a known gradient alone: dE/dx = -score(x, noise).

    Trap: its value is 0 everywhere and means nothing. It serves samplers without a rejection step,
    and no method that compares energies.
    """

    network: Callable
    noise: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        here = jax.lax.stop_gradient(x)
        pull = jax.lax.stop_gradient(self.network(here, self.noise.astype(x.dtype)))
        return -jnp.sum(pull * (x - here))


class NoisyEnergy(AbstractNoisy):
    """An energy for each noise s: E(x, s) = network(x, s).

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 * (1 + s**2)), (2,))
        >>> float(model.at(1.0)(jnp.ones(2))), model.score(jnp.ones(2), jnp.array(1.0)).tolist()
        (0.5, [-0.5, -0.5])
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...]):
        self.network, self.shape = network, shape

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        return -jax.grad(self.network)(x, noise)

    def at(self, noise: ArrayLike) -> Level:
        return Level(network=self.network, noise=as_number(noise), shape=self.shape)


class NoisyScore(AbstractNoisy):
    """A score for each noise s: network(x, s), an array of the shape of x.

    One differentiation fewer than `NoisyEnergy`, in training and in sampling.

    Trap: it need not be the gradient of an energy, so it cannot compare rows: the energy `at` a
    noise has the right gradient and the value 0.

    Source: Song and Ermon (2019); Song and Kingma (2021), section 4.4.

    Example:
        >>> model = ex.energy.NoisyScore(lambda x, s: -x / (1 + s**2), (2,))
        >>> ex.energy.score(model.at(1.0), jnp.ones(2)).tolist()
        [-0.5, -0.5]
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...]):
        self.network, self.shape = network, shape

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        return self.network(x, noise)

    def at(self, noise: ArrayLike) -> Slope:
        return Slope(network=self.network, noise=as_number(noise), shape=self.shape)


class Zoomed(AbstractEnergy):
    """E(scale x): the energy of rows that were divided by `scale`."""

    energy: AbstractEnergy
    scale: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(self.scale.astype(x.dtype) * x)


class Unshrunk(AbstractNoisy):
    """A variance-preserving model, of sqrt(1 - t^2) x + t z, as a model of x + s z.

    score(y, s) = c shrunk.score(c y, t = c s), with c = 1 / sqrt(1 + s^2) and s = t / sqrt(1 - t^2)

    This is an exact change of variables. Samplers and likelihoods are written for x + s z; through
    this they run what `MultiLevelDenoising(..., variance_preserving=True)` trains. For t = 0.99
    s is 7.

    Source: Song et al. (2021), section 3.4 and appendix B, in our own variables.

    Example:
        >>> normal = ex.energy.NoisyScore(lambda x, t: -x, (1,))  # of rows from N(0, 1), at each t
        >>> ex.energy.Unshrunk(normal).score(jnp.ones(1), jnp.array(1.0)).round(6).tolist()
        [-0.5]
    """

    shrunk: AbstractNoisy
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, shrunk: AbstractNoisy):
        self.shrunk, self.shape = shrunk, shrunk.shape

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        shrink = 1 / jnp.sqrt(1 + noise**2)
        return shrink * self.shrunk.score(shrink * x, shrink * noise)

    def at(self, noise: ArrayLike) -> Zoomed:
        shrink = 1 / jnp.sqrt(1 + as_number(noise) ** 2)
        inner = self.shrunk.at(shrink * as_number(noise))
        return Zoomed(energy=inner, scale=shrink, shape=self.shape)


class Posterior(AbstractEnergy):
    """The posterior of a cleaner row x, given a noisier one, in units of the noise between them.

    E(u) = E(x) + |u|^2 / 2 with x = noisier + added u

    This is Bayes' rule for noisier = x + added z, with added = sqrt(t^2 - s^2) for noise levels
    s < t. In these units all levels need the same step size.

    Args:
        energy: of x, at the lower noise.
        noisier: the noisier row.
        added: standard deviation of the noise between the two.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(1))
        >>> energy = ex.energy.Posterior(normal, jnp.array([2.0]), jnp.array(0.5))
        >>> energy.row(jnp.zeros(1)).tolist(), float(energy(jnp.zeros(1)))
        ([2.0], 2.0)
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


def denoise(
    model: AbstractNoisy, x: Float[Array, "*shape"], noise: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """The mean of the clean row, E[clean | x = clean + s z] = x + s^2 score(x, s).

    Source: Tweedie's formula, Robbins (1956).

    Example:
        >>> model = ex.energy.NoisyScore(lambda x, s: -x / (1 + s**2), (1,))  # rows from N(0, 1)
        >>> ex.energy.denoise(model, jnp.array([2.0]), jnp.array(1.0)).tolist()
        [1.0]
    """
    return x + noise**2 * model.score(x, noise)
