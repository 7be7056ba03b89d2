"""Gibbs sampling of rows of numbers and categories, column by column."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from energax.energy import ColumnMixture, Energy
from energax.sampler.base import AbstractSampler, Info, State
from energax.space import AbstractSpace, Columns


class ColumnGibbs(AbstractSampler):
    """Gibbs sampling over columns: one step is one sweep, each column in its order.

    A category is drawn from its conditional. For a number, the cell that stands there and draws of
    a proposal that does not depend on it are weighed by exp(-E) over the density of the proposal,
    and one is drawn by weight, which keeps the conditional.

    Args:
        base: what proposes numbers, given the rest of a row and without it.
        draws: proposals for a number; with more it moves more often.
        hidden: (columns,), the columns that move; None: all.
        holes: may a cell become a hole? If not, the start must have none that moves.

    Source: Andrieu, Lee and Vihola (2018), iterated sampling importance resampling, per column.

    Example:
        >>> where = ex.space.Columns((0, 2), (False, False))
        >>> base = ex.energy.fit_columns(np.array([[0.0, 1.0], [1.0, 0.0]]), where)
        >>> ex.sampler.run(ex.sampler.ColumnGibbs(base), base, jnp.zeros(2), 5, key=key)[1].shape
        (5, 2)
    """

    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Columns,)
    base: ColumnMixture
    draws: int = eqx.field(static=True, default=32)
    hidden: Bool[Array, " columns"] | None = None
    holes: bool = eqx.field(static=True, default=True)

    def init(self, energy: Energy, x: Float[Array, " columns"], *, key: PRNGKeyArray) -> State:
        return State(x)

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        """A sweep. `acceptance`: the mean probability with which a cell changes."""
        size = len(state.x)
        moves = jnp.ones(size, bool) if self.hidden is None else self.hidden

        def visit(x: Array, part: tuple[Array, PRNGKeyArray]) -> tuple[Array, Array]:
            column, key = part
            propose, choose = jax.random.split(key)
            found = self.base.propose(x, column, self.draws, key=propose)
            ranks = found.rank(energy, x, column)
            if not self.holes:
                ranks = jnp.where(jnp.isnan(found.cells), -jnp.inf, ranks)
            new = found.cells[jax.random.categorical(choose, ranks)]
            leaves = 1 - jax.nn.softmax(ranks)[found.present]
            return x.at[column].set(jnp.where(moves[column], new, x[column])), leaves

        parts = (jnp.arange(size), jax.random.split(key, size))
        x, leaves = jax.lax.scan(visit, state.x, parts)
        count = jnp.maximum(jnp.sum(moves), 1).astype(x.dtype)
        rate = jnp.sum(jnp.where(moves, leaves, 0)) / count
        return State(x), Info(rate, energy(x), jnp.zeros((), x.dtype))
