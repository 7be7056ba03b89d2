"""From rows of mixed columns to a base, and to the energy that tilts it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float, PRNGKeyArray

from energax import network
from energax.data import AbstractTransform, Dataset, Standardise
from energax.energy import (
    AbstractEnergy,
    ColumnMixture,
    Neural,
    NonTrainable,
    Tilt,
    count_bumps,
    fit_columns,
)
from energax.errors import InputError
from energax.method.build.energies import start_at_zero
from energax.method.build.transforms import encode
from energax.method.groundwork import Groundwork
from energax.space import Columns

NEAREST = 0.05
"""Least distance of two knots, in standard deviations."""

TAIL = 1e-3
"""Probability beyond the first and the last knot."""

HALVINGS, REACH = 60, 1e3
"""Of the interval in which a quantile is looked for, and where that ends."""


def find_columns_space(rows: Dataset) -> Columns:
    """Where rows of mixed columns live. Raises TypeError for others."""
    if not isinstance(rows.space, Columns):
        raise TypeError(f"{rows.name} holds {rows.space.title}, not mixed columns.")
    return rows.space


def standardise_columns(rows: Dataset) -> Standardise:
    """Mean 0 and standard deviation 1 for the numbers of the training rows; categories stay."""
    number, exact = find_columns_space(rows).is_number, rows.train.astype(np.float64)
    empty = number & np.isnan(exact).all(axis=0)
    if empty.any():
        name = (rows.columns or ())[int(np.argmax(empty))]
        raise InputError(f"Column {name!r} of {rows.name} misses in all training rows: drop it.")
    mean, std = np.zeros(len(number)), np.ones(len(number))
    mean[number] = np.nanmean(exact[:, number], axis=0)
    spread = np.nanstd(exact[:, number], axis=0)
    std[number] = np.where(spread > 0, spread, 1)
    return Standardise(mean.astype(np.float32), std.astype(np.float32))


def fit_column_base(
    rows: Dataset, transform: AbstractTransform, components: int, pseudocount: float, *, seed: int
) -> ColumnMixture:
    """A mixture of independent columns, fitted to the training rows in model units."""
    if components > len(rows.train):
        raise InputError(
            f"--components {components} exceeds the {len(rows.train)} rows to fit the base to: "
            "choose fewer."
        )
    inputs = np.asarray(encode(transform, rows.train, key=jax.random.key(0))[0])
    where = find_columns_space(rows)
    return fit_columns(inputs, where, components, pseudocount=pseudocount, seed=seed)


def blank_column_base(space: Columns, components: int) -> ColumnMixture:
    """A distribution of the structure of `fit_column_base`, to be filled with saved arrays."""
    size = (components, len(space.values), count_bumps(components))
    logits, flat = jnp.zeros((components, *space.states.shape)), jnp.zeros(size)
    return ColumnMixture(jnp.zeros(components), logits, flat, flat, flat + 1, space)


def find_knots(base: ColumnMixture, steps: int) -> Float[Array, " numbers knots"]:
    """Quantiles of the base at even probabilities, for each number, and never too near."""
    levels = jnp.linspace(TAIL, 1 - TAIL, steps + 1, dtype=base.means.dtype)[:, None]
    number = base.space.numbers
    present = base.log_weights[:, None] + base.log_states[..., 0]
    shares = jax.nn.log_softmax(present, axis=0)[..., None] + base.log_shares
    weights, means, stds = (
        jnp.moveaxis(part[:, number], 1, 0).reshape(len(number), base.means[:, 0].size)
        for part in (jnp.exp(shares), base.means, base.stds)
    )

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = norm.cdf(middle[..., None], means[None], stds[None])
        under = jnp.sum(weights[None] * below, axis=-1) < levels
        return jnp.where(under, middle, low), jnp.where(under, high, middle)

    far = jnp.full((steps + 1, len(number)), REACH, base.means.dtype)
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (-far, far))
    found = ((low + high) / 2).T
    gaps = jnp.maximum(jnp.diff(found, axis=1), NEAREST)
    return jnp.concatenate([found[:, :1], found[:, :1] + jnp.cumsum(gaps, axis=1)], axis=1)


def make_columns(
    ground: Groundwork, width: int, depth: int, knots: int, *, key: PRNGKeyArray
) -> AbstractEnergy:
    """The user's own energy where there is one; else the base, tilted by a network that is 0.

    The network sees the numbers as a staircase besides; it is bounded, so log Z is finite.
    """
    if ground.energy is not None:
        own = ground.energy
        return own if isinstance(own, AbstractEnergy) else Neural(own, ground.base.space)
    base = ground.base
    spread = network.SpreadNumbers(find_knots(base, knots))
    size = base.space.size + knots * len(base.space.numbers)
    dtype = base.means.dtype
    mlp: Any = None
    if width > 0:
        mlp = start_at_zero(network.MLP((size,), width, depth, key=key))
    pairs = jnp.zeros((base.space.size,) * 2, dtype)
    net = network.Interactions(jnp.zeros(size, dtype), pairs, mlp)
    return Tilt(base, network.InputTransform(NonTrainable(spread), net))
