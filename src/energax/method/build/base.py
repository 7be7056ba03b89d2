"""The base distribution: fitted before training, or empty, to be filled with saved arrays."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from energax.data import AbstractTransform, Dataset
from energax.energy import (
    AbstractDistribution,
    Gaussian,
    GaussianMixture,
    UniformBox,
    fit_flow,
    fit_mixture,
    make_flow,
)
from energax.errors import InputError
from energax.method.build.memory import check_memory
from energax.method.build.transforms import encode
from energax.method.parts import BOX, Base

RIDGE = {"marginal": 0.1, "standardise": 1e-4, "whiten": 1e-2, "box": 1e-3, "none": 1e-4}
"""Variance added to each axis of a fitted base, in model units, by transform."""

ENOUGH = 6000
"""Dequantised rows that a base is fitted to, where one dequantisation has fewer."""


def fit_base(
    base: Base, transform: str, rows: Dataset, encoder: AbstractTransform, *, seed: int
) -> AbstractDistribution:
    """The distribution that is tilted, that chains start from and that noise is drawn from.

    Fitted to the training rows in model units; to several dequantisations of few whole numbers.
    Raises InputError for more components than rows, or covariances that do not fit into memory.
    """
    if base.kind in ("box", "none"):
        return blank_base(base, rows.shape)
    components = base.components if base.kind == "mixture" else 1
    if components > len(rows.train):
        raise InputError(
            f"--components {components} exceeds the {len(rows.train)} training rows: choose fewer."
        )
    if base.kind != "flow":
        # Covariances, their factors and the precisions, in float64.
        check_memory(
            3 * 8 * components * math.prod(rows.shape) ** 2,
            f"--base {base.kind} for {math.prod(rows.shape)} numbers a row",
            "choose --base box with --transform box, or give fewer columns",
        )
    inputs = fitting_rows(rows, encoder, seed=seed)
    if base.kind == "flow":
        return fit_flow(inputs, seed=seed)
    return fit_mixture(inputs, components, ridge=RIDGE[transform], seed=seed)


def fitting_rows(
    rows: Dataset, encoder: AbstractTransform, *, seed: int
) -> Float[np.ndarray, " size *shape"]:
    """Training rows in model units to fit a distribution to; whole numbers dequantised often."""
    copies = 1 if rows.levels is None else max(1, ENOUGH // len(rows.train))
    key = jax.random.key(seed)
    return np.asarray(encode(encoder, np.repeat(rows.train, copies, axis=0), key=key)[0])


def blank_base(base: Base, shape: tuple[int, ...]) -> AbstractDistribution:
    """A distribution of the structure of `fit_base`, to be filled with saved arrays."""
    match base.kind:
        case "box":
            return UniformBox(shape, *BOX)
        case "none":
            return Gaussian(jnp.zeros(shape))
        case "flow":
            return make_flow(
                shape, mean=jnp.zeros(shape), std=jnp.ones(shape), key=jax.random.key(0)
            )
    count = base.components if base.kind == "mixture" else 1
    means = np.zeros((count, *shape), np.float32)
    return GaussianMixture(np.zeros(count), means, np.tile(np.eye(math.prod(shape)), (count, 1, 1)))
