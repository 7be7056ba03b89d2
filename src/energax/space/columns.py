"""Rows of a table: numbers and categories side by side, in which cells may be missing."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Shaped

from energax.space.base import AbstractSpace


class Columns(AbstractSpace):
    """Rows of numbers and categories, as one array of floats: NaN where a cell is missing.

    A category is a whole number from 0. A missing cell is a value of its column like any other, as
    holes may say something: a row with holes is a point, and nothing is filled in to train on it.

    Embedded as the numbers (0 where missing), in their order; then, column by column, a 1 or 0 for
    each state: of a category its values and, last, missing; of a number with holes, missing.

    Args:
        values: of each column, how many values it has; 0 for a number.
        holes: of each column, whether its cells may be missing.

    Raises:
        ValueError: for no columns, or two tuples that differ in length.

    Example:
        >>> space = ex.space.Columns((0, 3), (True, False))
        >>> space.embed(jnp.array([jnp.nan, 2.0]), float).tolist()
        [0.0, 1.0, 0.0, 0.0, 1.0]
    """

    values: tuple[int, ...] = eqx.field(static=True)
    holes: tuple[bool, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    name: ClassVar[str] = "columns"
    title: ClassVar[str] = "numbers and categories"
    measure: ClassVar[str] = "volume of numbers, counting of categories and holes"

    def __init__(self, values: tuple[int, ...], holes: tuple[bool, ...]):
        self.values, self.holes, self.shape = values, holes, (len(values),)
        if not values or len(values) != len(holes):
            raise ValueError(
                "`values` and `holes` must have one entry for each column, and there must be one; "
                f"got {len(values)} and {len(holes)}."
            )

    @property
    def is_number(self) -> Bool[np.ndarray, " columns"]:
        """Which columns are numbers."""
        return np.array(self.values) == 0

    @property
    def numbers(self) -> Int[np.ndarray, " numbers"]:
        """The places of the numbers."""
        return np.flatnonzero(self.is_number)

    @property
    def counts(self) -> Int[np.ndarray, " columns"]:
        """How many states a column has: the values of a category, or 1 for a number; and a hole."""
        return np.maximum(np.array(self.values), 1) + np.array(self.holes)

    @property
    def states(self) -> Bool[np.ndarray, " columns most"]:
        """Which of the largest number of states a column has."""
        return np.arange(max(2, self.counts.max())) < self.counts[:, None]

    @property
    def indicators(self) -> tuple[Int[np.ndarray, " size"], Int[np.ndarray, " size"]]:
        """Of each embedded state, its column and its number."""
        shown = self.states.copy()
        shown[self.is_number, 0] = False
        column, state = np.nonzero(shown)
        return column, state

    @property
    def size(self) -> int:
        """How many numbers an embedded row has."""
        return len(self.numbers) + len(self.indicators[0])

    def find_states(
        self, cells: Float[ArrayLike, "*cells"], column: Int[ArrayLike, "..."]
    ) -> Int[Array, "*cells"]:
        """The state of each cell: its value, or the last where it is missing; 0 of a number."""
        cells, values = jnp.asarray(cells), jnp.asarray(self.values, jnp.int32)[column]
        gone = jnp.isnan(cells)
        known = jnp.where(gone | (values == 0), 0, cells).astype(jnp.int32)
        return jnp.where(gone, jnp.maximum(values, 1), known)

    def contains(self, x: Shaped[Array, "..."]) -> Bool[Array, ""]:
        if x.shape != self.shape or not jnp.issubdtype(x.dtype, jnp.floating):
            return jnp.asarray(False)
        values = jnp.asarray(self.values)
        known = jnp.isfinite(x) & (
            (values == 0) | ((x >= 0) & (x < values.astype(x.dtype)) & (x == jnp.floor(x)))
        )
        return jnp.all(known | (jnp.isnan(x) & jnp.asarray(self.holes)))

    def embed(self, x: Float[Array, " columns"], dtype: Any) -> Float[Array, " size"]:
        column, state = self.indicators
        found = self.find_states(x, np.arange(len(self.values)))
        numbers = jnp.nan_to_num(x[self.numbers]).astype(dtype)
        shown = found[column] == state.astype(np.int32)
        return jnp.concatenate([numbers, shown.astype(dtype)])
