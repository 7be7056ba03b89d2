"""An energy at every level of noise from a network whose output has unit size."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from energax.energy.base import NonTrainable
from energax.energy.noisy import AbstractNoisy, Level, NoisyScore, as_number


class Centre(eqx.Module):
    """The mean m of rows, and one standard deviation d about it for all axes."""

    mean: Float[Array, "*shape"]
    std: Float[Array, ""]


def _centre(mean: Float[Array, "*shape"], std: float) -> NonTrainable:
    if not std > 0:
        raise ValueError(f"`std` must be above 0; got {std}.")
    return NonTrainable(Centre(mean, jnp.asarray(std, mean.dtype)))


def _split(centre: NonTrainable, x: Array, noise: Array) -> tuple[Array, Array, Array]:
    """The row about its mean in units of a = sqrt(s^2 + d^2), a itself, and d / s."""
    known: Centre = centre.value
    mean, std = known.mean.astype(x.dtype), known.std.astype(x.dtype)
    broad = jnp.sqrt(noise**2 + std**2)
    return (x - mean) / broad, broad, std / noise


class PreconditionedEnergy(AbstractNoisy):
    """An energy for each noise s from a network g, of rows of mean m and standard deviation d.

    E(x, s) = |u|^2 / 2 - d / (2 s) <u, g(u, s)> + dim / 2 log(2 pi a^2)

    with a = sqrt(s^2 + d^2) and u = (x - m) / a. For g = 0 it is the normalised Gaussian N(m, a^2),
    right for rows from N(m, d^2) at every s; as s grows it is right whatever g.

    The network of a score (`as_score`) is a good start for that of the energy, though not the same:
    the gradient of <u, g> / 2 is (g + J^T u) / 2, J the Jacobian of g.

    Args:
        network: g, of a row and a noise level, an array of the shape of the row.
        mean: m, of the shape of a row.
        std: d, above 0, the same for all axes.

    Raises:
        ValueError: for a `std` that is not above 0.

    Trap: trained by denoising alone, E at each s is known up to a constant c(s).
    Source: the preconditioning of Karras et al. (2022), table 1, as an energy; <x, g> / 2 is that
    of Guth, Kadkhodaie and Simoncelli (2025).

    Example:
        >>> model = ex.energy.PreconditionedEnergy(lambda u, s: 0 * u, jnp.zeros(2), 1.0)
        >>> level = model.at(1.0)  # N(0, 2 I)
        >>> round(float(level(jnp.ones(2))), 4)  # 1/2 + log(4 pi)
        3.031
    """

    network: Callable
    centre: NonTrainable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, network: Callable, mean: Float[Array, "*shape"], std: float):
        self.network, self.centre, self.shape = network, _centre(mean, std), mean.shape

    def __call__(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, ""]:
        """E(x, s) in nats."""
        u, broad, ratio = _split(self.centre, x, noise)
        known = jnp.sum(u**2) / 2 + x.size * (jnp.log(broad) + math.log(2 * math.pi) / 2)
        return known - ratio * jnp.sum(u * self.network(u, noise)) / 2

    def score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Float[Array, "*shape"]:
        return -jax.grad(self)(x, noise)

    def at(self, noise: ArrayLike) -> Level:
        return Level(network=self, noise=as_number(noise), shape=self.shape)

    def as_score(self) -> NoisyScore:
        """The score that the same network stands for: cheaper, and no gradient of an energy.

        score(x, s) = (d / s g(u, s) - u) / a: the denoised row x + s^2 score is m + c_skip (x - m)
        + c_out g with the constants of Karras et al.; what g is asked for has unit variance.
        """
        return NoisyScore(self._estimate_score, self.shape)

    def _estimate_score(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Array:
        u, broad, ratio = _split(self.centre, x, noise)
        return (ratio * self.network(u, noise) - u) / broad
