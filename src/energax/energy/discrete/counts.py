"""How often values of sites, and of pairs of sites, occur in rows."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Shaped

from energax.errors import InputError
from energax.space import AbstractFinite

BLOCK = 2**13
"""Rows that are turned into real numbers at a time."""


def check_rows(rows: Shaped[np.ndarray, "..."], space: AbstractFinite) -> None:
    """Raises InputError for rows that are not of the space, and for none."""
    if rows.ndim == 0 or len(rows) == 0 or rows.shape[1:] != space.shape:
        raise InputError(
            f"`rows` must be at least one row of shape {space.shape}; got an array of shape "
            f"{rows.shape}."
        )
    if rows.dtype.kind not in "iub":
        raise InputError(
            f"`rows` must be whole numbers from 0 to {space.states - 1}; got numbers of type "
            f"{rows.dtype}."
        )
    wrong = ((rows < 0) | (rows >= space.states)).reshape(len(rows), -1)
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        value = rows[row].reshape(-1)[wrong[row].argmax()]
        raise InputError(
            f"`rows` must be whole numbers from 0 to {space.states - 1}; row {row} holds {value}."
        )


def check_pseudocount(pseudocount: float) -> None:
    """Raises ValueError for one that leaves values without probability."""
    if not pseudocount > 0:
        raise ValueError(
            f"`pseudocount` must be above 0, so that no value is impossible; got {pseudocount}."
        )


def find_weights(
    rows: Shaped[np.ndarray, " size *shape"], weights: Float[np.ndarray, " _"] | None
) -> Float[np.ndarray, " size"]:
    """How much each row counts: 1 where nothing is said.

    Raises ValueError for weights of another number, or below 0.
    """
    if weights is None:
        return np.ones(len(rows))
    if weights.shape != (len(rows),) or not np.all(weights >= 0):
        raise ValueError(
            f"`weights` must be {len(rows)} numbers of at least 0, one a row; got an array of "
            f"shape {weights.shape} down to {weights.min(initial=0)}."
        )
    return weights.astype(np.float64)


def one_hot_blocks(
    rows: Shaped[np.ndarray, " size *shape"], space: AbstractFinite, first: int = 0
) -> Iterator[Float[np.ndarray, " some columns"]]:
    """Rows as one-hot rows without the states below `first`, flattened; a block at a time."""
    values = np.arange(first, space.states)
    for start in range(0, len(rows), BLOCK):
        flat = rows[start : start + BLOCK].reshape(-1, space.sites, 1)
        yield (flat == values).reshape(len(flat), -1).astype(np.float64)


def split_blocks(weights: Float[np.ndarray, " size"]) -> list[Float[np.ndarray, " some 1"]]:
    """The weights of the rows of each block, as a column."""
    return np.split(weights[:, None], range(BLOCK, len(weights), BLOCK))


def count_sites(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractFinite,
    weights: Float[np.ndarray, " size"],
) -> Float[np.ndarray, " sites states"]:
    """The weight of the rows that have each value at each site."""
    pairs = zip(one_hot_blocks(rows, space), split_blocks(weights), strict=True)
    total = sum((weight * block).sum(axis=0) for block, weight in pairs)
    return np.asarray(total).reshape(space.sites, space.states)


def count_pairs(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractFinite,
    weights: Float[np.ndarray, " size"],
) -> Float[np.ndarray, " sites states sites states"]:
    """The weight of the rows that have each pair of values at each pair of sites."""
    pairs = zip(one_hot_blocks(rows, space), split_blocks(weights), strict=True)
    total = sum((weight * block).T @ block for block, weight in pairs)
    return np.asarray(total).reshape(space.sites, space.states, space.sites, space.states)
