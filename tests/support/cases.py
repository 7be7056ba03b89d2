"""What the distribution tests share: a trainable Gaussian, and data for it on vectors and on
images."""

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from energax.energy import AbstractEnergy, Gaussian, Normalised

SHAPES = {"vector": (3,), "image": (1, 2, 2)}


class Bowl(AbstractEnergy):
    """sum_i exp(log_precision_i) (x_i - mean_i)^2 / 2: every weight has a known optimum."""

    mean: Array
    log_precision: Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, mean, precision):
        self.mean, self.log_precision = jnp.asarray(mean), jnp.log(jnp.asarray(precision))
        self.shape = self.mean.shape

    def __call__(self, x):
        return jnp.sum(jnp.exp(self.log_precision) * (x - self.mean) ** 2) / 2


@dataclasses.dataclass(frozen=True)
class Place:
    """Data N(mean, variance) and a model N(centre, 1 / precision): float64 arrays of one shape."""

    mean: np.ndarray
    variance: np.ndarray
    centre: np.ndarray
    precision: np.ndarray

    @property
    def data(self):
        """The distribution of the data."""
        return Gaussian(jnp.asarray(self.mean, float), self.variance**0.5)

    @property
    def model(self):
        """The trainable energy at the model's weights, with a constant that is right."""
        constant = np.sum(np.log(2 * math.pi / self.precision)) / 2
        return Normalised(
            Bowl(jnp.asarray(self.centre, float), jnp.asarray(self.precision, float)), constant
        )


def place(shape):
    """Data and model apart on every axis, each axis different."""
    ramp = np.linspace(-1, 1, math.prod(shape)).reshape(shape)
    return Place(0.5 + 0.5 * ramp, 1 + 0.3 * ramp, 0.2 - 0.3 * ramp, 1.1 - 0.3 * ramp)


def place_apart_on_one_axis(shape):
    """Data and model differ on the first axis alone: integrals over x become one-dimensional."""
    whole = place(shape)
    first = np.arange(math.prod(shape)).reshape(shape) == 0
    centre = np.where(first, whole.centre, whole.mean)
    precision = np.where(first, whole.precision, 1 / whole.variance)
    return Place(whole.mean, whole.variance, centre, precision)


def flat(energy):
    """All weights of a `Place.model`, or of a gradient in its form, in one vector."""
    bowl = energy.energy
    return jnp.concatenate([bowl.mean.ravel(), bowl.log_precision.ravel(), energy.log_z.reshape(1)])


def rows_of(at, sizes):
    """Draws of the data's distribution, made without JAX: nothing to compile, and an independent
    oracle."""
    draws = np.random.default_rng(7).normal(at.mean, at.variance**0.5, (*sizes, *at.mean.shape))
    return jnp.asarray(draws, float)
