"""What an energy of all noise levels starts from: one round Gaussian, and a network that is 0."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from energax import network
from energax.data import AbstractTransform, Dataset
from energax.energy import Gaussian, PreconditionedEnergy
from energax.method.build.transforms import encode


def fit_round_base(rows: Dataset, transform: AbstractTransform, *, seed: int) -> Gaussian:
    """The Gaussian with the mean of the rows, and their mean variance on every axis."""
    inputs, _ = encode(transform, rows.train, key=jax.random.key(seed))
    mean = jnp.mean(inputs, axis=0)
    return Gaussian(mean, float(jnp.sqrt(jnp.mean((inputs - mean) ** 2))))


def blank_round_base(shape: tuple[int, ...]) -> Gaussian:
    """A Gaussian of the structure of that one."""
    return Gaussian(jnp.zeros(shape))


def find_spread(base: Gaussian) -> float:
    """Its standard deviation, the same on every axis."""
    return float(np.asarray(base.std).flat[0])


def make_levels(
    base: Gaussian, width: int, depth: int, *, key: PRNGKeyArray
) -> PreconditionedEnergy:
    """The energy of all levels: a U-Net for images, a perceptron for other rows."""
    made = _make_network(base.shape, width, depth, key)
    return PreconditionedEnergy(made, base.mean, find_spread(base))


@eqx.filter_jit
def _make_network(shape: tuple[int, ...], width: int, depth: int, key: PRNGKeyArray) -> Any:
    if len(shape) > 1:
        return network.UNet(shape, width, depth, key=key)
    return network.NoisyArrayMLP(shape, width, depth, key=key)
