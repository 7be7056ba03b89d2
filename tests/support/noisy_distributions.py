"""Exact models of many noise levels, and the distributions that go with them."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from energax.energy import GaussianMixture, NoisyEnergy, NoisyScore

SHARE, STDS = 0.8, (0.5, 0.8)


def centres(shape):
    """Two modes about 10 apart, along no axis."""
    along = np.linspace(1.0, 0.4, math.prod(shape))
    far = 5 * along / np.linalg.norm(along)
    return np.stack([-far, far]).reshape(2, *shape)


def distribution(shape, noise=0.0):
    """The distribution of x + s z: modes of unequal weight and width."""
    dim = math.prod(shape)
    factors = [math.sqrt(std**2 + noise**2) * np.eye(dim) for std in STDS]
    means = jnp.asarray(centres(shape), float)
    return GaussianMixture(np.log([SHARE, 1 - SHARE]), means, np.stack(factors))


def energy(shape):
    """Its exact energy at every level, normalised."""
    means, weights = centres(shape), np.log([SHARE, 1 - SHARE])

    def network(x, noise):
        variance = jnp.asarray(np.square(STDS), x.dtype) + noise**2
        far = jnp.sum((x[None] - jnp.asarray(means, x.dtype)) ** 2, axis=range(1, x.ndim + 1))
        heights = far / (2 * variance) + x.size * jnp.log(2 * math.pi * variance) / 2
        return -jax.nn.logsumexp(jnp.asarray(weights, x.dtype) - heights)

    return NoisyEnergy(network, shape)


class Scores(eqx.Module):
    """The exact scores of all levels, times `factor`: one program for all factors."""

    factor: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x, noise):
        return self.factor.astype(x.dtype) * energy(self.shape).score(x, noise)


def scores(shape, factor=1.0):
    """The same as scores alone, times `factor`: 1 unless a fault is planted."""
    return NoisyScore(Scores(jnp.asarray(factor), shape), shape)


def shrunk(shape):
    """The model of sqrt(1 - t^2) x + t z that says the same."""
    exact = energy(shape)

    def network(x, noise):
        keep = jnp.sqrt(1 - noise**2)
        return exact.network(x / keep, noise / keep)

    return NoisyEnergy(network, shape)


def bowl(mean, variance):
    """N(mean, variance), with axes of their own, under noise: its exact energy at every level."""

    def network(x, noise):
        spread = jnp.asarray(variance, x.dtype) + noise**2
        gap = (x - jnp.asarray(mean, x.dtype)) ** 2 / spread
        return jnp.sum(gap + jnp.log(2 * math.pi * spread)) / 2

    return NoisyEnergy(network, mean.shape)
