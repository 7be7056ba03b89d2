"""Column-wise ranking: which of several cells stands in a column, given the rest of the row?"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from energax.energy import ColumnMixture, Energy, weights
from energax.objective.base import AbstractMemoryless, Aux
from energax.space import Columns

Rows = Float[Array, " batch columns"]


class ColumnRanking(AbstractMemoryless):
    """The cross-entropy of picking the cell of a column among others, summed over columns.

    With r(c) = -E(x with c in column j) - log q(c): minus the log-softmax of r over the cell that
    stands there and the others, at that cell. Of a category the others are all its states, and the
    loss is -log p(x_j given the rest); of a number they are draws of q, a density given the rest of
    the row. A hole is a state like any other. The minimiser has every conditional of the data, and
    so the joint distribution, where it is connected.

    Args:
        base: what proposes numbers, given the rest of a row and without it.
        draws: proposals for a number.
        columns: columns of a row that are looked at in an update, at random; None: all.
        penalty: added to the loss times half the sum of squared weights of the energy: 1 / (size of
            the training set) is a standard normal prior.

    Raises:
        ValueError: for a count below 1, or a penalty below 0.

    Source: Ma and Collins (2018), ranking; Besag (1975), conditionals. The proposals and holes as
    states are ours.

    Example:
        >>> where, rows = ex.space.Columns((2,), (False,)), jnp.array([[1.0], [0.0]])
        >>> base = ex.energy.fit_columns(np.asarray(rows), where)
        >>> round(float(ex.objective.ColumnRanking(base)(base, rows, None, key=key)[0]), 4)  # log 2
        0.6931
    """

    serves = (Columns,)
    base: ColumnMixture
    draws: int = eqx.field(static=True, default=32)
    columns: int | None = eqx.field(static=True, default=None)
    penalty: float = 0.0

    def __check_init__(self):
        if self.draws < 1 or (self.columns is not None and self.columns < 1):
            raise ValueError(
                f"`draws` and `columns` must be at least 1; got {self.draws} and {self.columns}."
            )
        if self.penalty < 0:
            raise ValueError(f"`penalty` must be at least 0; got {self.penalty}.")

    def __call__(
        self, energy: Energy, batch: Rows, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def one(x: Array, key: PRNGKeyArray) -> Array:
            return self._rank(energy, x, key=key)

        loss = jnp.mean(jax.vmap(one)(batch, jax.random.split(key, len(batch))))
        metrics = {"loss": loss}
        if self.penalty:
            squares = sum(jnp.sum(w**2) for w in jax.tree.leaves(weights(energy)[0]))
            loss = loss + self.penalty * squares / 2
        return loss, Aux(memory, metrics)

    def _rank(
        self, energy: Energy, x: Float[Array, " columns"], *, key: PRNGKeyArray
    ) -> Float[Array, ""]:
        """The loss of a row, of some columns as an estimate of all."""
        pick, draw = jax.random.split(key)
        every = jnp.arange(len(x))
        if self.columns is None or self.columns >= len(x):
            return jnp.sum(
                jax.lax.map(
                    lambda part: self._rank_column(energy, x, *part),
                    (every, jax.random.split(draw, len(x))),
                )
            )
        some = jax.random.permutation(pick, every)[: self.columns]
        keys = jax.random.split(draw, self.columns)
        each = jax.vmap(lambda j, k: self._rank_column(energy, x, j, k))(some, keys)
        return jnp.sum(each) * (len(x) / self.columns)

    def _rank_column(
        self, energy: Energy, x: Array, column: Int[Array, ""], key: PRNGKeyArray
    ) -> Float[Array, ""]:
        found = jax.lax.stop_gradient(self.base.propose(x, column, self.draws, key=key))
        return -jax.nn.log_softmax(found.rank(energy, x, column))[found.present]
