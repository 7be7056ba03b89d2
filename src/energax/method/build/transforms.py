"""The map from the user's units to the model's."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, Shaped

from energax import data
from energax.data import AbstractTransform, Dataset
from energax.errors import InputError
from energax.method.parts import BOX, Inputs


def fit_transform(inputs: Inputs, rows: Dataset) -> AbstractTransform:
    """The map to model units, fitted to the training rows. Whole numbers are dequantised first.

    Raises InputError for a transform that does not suit the rows.
    """
    if rows.levels is None:
        return _fit_to_reals(inputs, rows)
    first, unit = data.Dequantise(rows.levels), (rows.train + 0.5) / rows.levels
    match inputs.transform:
        case "standardise":
            return data.Pipeline((first, data.standardise(unit)))
        case "whiten":
            noise = 1 / (rows.levels * math.sqrt(12))
            return data.Pipeline((first, data.whiten(unit, noise=noise)))
        case "box":
            return data.Pipeline((first, data.ScaleToBox(0.0, 1.0, *BOX)))
        case "marginal":
            return data.Pipeline((first, data.gaussianise_marginals(rows.train, rows.levels)))
    return data.Pipeline((first,))


def _fit_to_reals(inputs: Inputs, rows: Dataset) -> AbstractTransform:
    match inputs.transform:
        case "standardise":
            return data.standardise(rows.train)
        case "whiten":
            return data.whiten(rows.train)
        case "box":
            return data.scale_to_box(rows.train)
        case "marginal":
            raise InputError("--transform marginal is for whole numbers (images); choose another.")
    return data.Pipeline(())


@eqx.filter_jit
def _encode(transform: AbstractTransform, rows: Array, keys: Array) -> tuple[Array, Array]:
    return jax.vmap(lambda x, k: transform.encode(x, key=k))(rows, keys)


def encode(
    transform: AbstractTransform, rows: Shaped[ArrayLike, " size *shape"], *, key: PRNGKeyArray
) -> tuple[Shaped[Array, " size *shape"], Float[Array, " size"]]:
    """Rows in model units, and log|dy/dx| of each in nats."""
    found = jnp.asarray(rows)
    return _encode(transform, found, jax.random.split(key, len(found)))
