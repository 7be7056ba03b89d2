"""The base distribution: fitted before training, or empty, to be filled with saved arrays."""

import dataclasses
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
    choose_mixture,
    fit_flow,
    fit_mixture,
    make_flow,
)
from energax.errors import InputError
from energax.method.build.memory import check_memory
from energax.method.build.transforms import encode, fit_transform
from energax.method.build.validation import choose_rows
from energax.method.parts import BOX, Base, Inputs
from energax.progress import stage

RIDGE = {"marginal": 0.1, "standardise": 1e-4, "whiten": 1e-2, "box": 1e-3, "none": 1e-4}
"""Variance added to each axis of a base of which nothing is chosen, by transform."""

COMPONENTS = 10
"""Gaussians of such a mixture."""

CHOOSABLE = 256
"""Axes up to which a mixture is chosen: beyond, its covariances are too large to try many."""

FEWEST = 3
"""Rows from which on some can be held out."""

ROWS_EACH, TRIED = 1.5, 500
"""Rows for each number of a smaller mixture that is tried; rows from which on one is."""

ENOUGH, MOST = 6000, 100_000
"""Dequantised rows that a base is fitted to, where one dequantisation has fewer; rows at most."""


def settle_base(
    base: Base, inputs: Inputs, rows: Dataset, *, choose: bool
) -> tuple[Base, str | None]:
    """The base with everything settled that it leaves to the rows, and how that was done.

    A mixture is chosen on held-out training rows, the same for every seed of a run, unless `choose`
    is False or rows are too wide.
    """
    if base.settled:
        return base, None
    if base.components is not None:
        _check_size(base.kind, base.components, rows)
    if base.kind == "mixture" and choose and _choosable(rows):
        encoder = fit_transform(inputs, rows)
        some = np.asarray(encode(encoder, rows.train, key=jax.random.key(0))[0])
        given = {"components": base.components, "covariance": base.covariance, "ridge": base.ridge}
        with stage("choosing the base"):
            found = choose_mixture(some, **given)
        # Not finite: no mixture could be fitted to a part of so few rows, so nothing was chosen.
        if math.isfinite(found.value):
            made = Base(base.kind, found.components, found.covariance, found.ridge)
            return made, f"{made}: {found.value:.3f} nats a held-out row in model units"
    count = (base.components or COMPONENTS) if base.kind == "mixture" else 1
    ridge = RIDGE[inputs.transform] if base.ridge is None else base.ridge
    return Base(base.kind, count, base.covariance or "full", ridge), None


def shrink_base(base: Base, rows: Dataset) -> Base | None:
    """A mixture of as many Gaussians as there are rows for, where it has more; else None."""
    full = base.kind == "mixture" and base.covariance == "full" and rows.levels is None
    if not full or base.components is None or len(rows.train) < TRIED:
        return None
    dim = math.prod(rows.shape)
    numbers = (dim + 1) * (dim + 2) // 2
    room = max(int(len(rows.train) / (ROWS_EACH * numbers)), 1)
    return dataclasses.replace(base, components=room) if room < base.components else None


def _choosable(rows: Dataset) -> bool:
    # The base of whole numbers is fitted to several dequantised copies, which held-out rows of one
    # copy do not speak for: on digits they chose a base that is 2 nats worse.
    few = math.prod(rows.shape) <= CHOOSABLE and len(rows.train) >= FEWEST
    return few and rows.levels is None


def fit_base(
    base: Base, rows: Dataset, encoder: AbstractTransform, *, seed: int
) -> AbstractDistribution:
    """The distribution that is tilted, that chains start from and that noise is drawn from.

    Fitted to the training rows in model units; to several dequantisations of few whole numbers.
    Raises InputError for more components than rows, or covariances that do not fit into memory.
    """
    if base.kind in ("box", "none"):
        return blank_base(base, rows.shape)
    if base.kind == "flow":
        return fit_flow(fitting_rows(rows, encoder, seed=seed), seed=seed)
    components, covariance, ridge = base.components, base.covariance, base.ridge
    if components is None or covariance is None or ridge is None:
        raise ValueError("`base` must be settled before it is fitted: see `settle_base`.")
    _check_size(base.kind, components, rows)
    inputs = fitting_rows(rows, encoder, seed=seed)
    return fit_mixture(inputs, components, covariance=covariance, ridge=ridge, seed=seed)


def _check_size(kind: str, components: int, rows: Dataset) -> None:
    if components > len(rows.train):
        raise InputError(
            f"--components {components} exceeds the {len(rows.train)} training rows: choose fewer."
        )
    # Covariances, their factors and the precisions, in float64.
    check_memory(
        3 * 8 * components * math.prod(rows.shape) ** 2,
        f"--base {kind} for {math.prod(rows.shape)} numbers a row",
        "choose --base box with --transform box, or give fewer columns",
    )


def fitting_rows(
    rows: Dataset, encoder: AbstractTransform, *, seed: int
) -> Float[np.ndarray, " size *shape"]:
    """Training rows in model units to fit a distribution to; whole numbers dequantised often."""
    copies = 1 if rows.levels is None else max(1, ENOUGH // len(rows.train))
    some = np.repeat(choose_rows(rows.train, MOST), copies, axis=0)
    return np.asarray(encode(encoder, some, key=jax.random.key(seed))[0])


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
    count = base.components or 1
    means = np.zeros((count, *shape), np.float32)
    return GaussianMixture(np.zeros(count), means, np.tile(np.eye(math.prod(shape)), (count, 1, 1)))
