"""The weights that did best on rows which are not trained on."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Shaped

from energax.data import Weighted
from energax.energy import weights
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.update import copy_arrays, select_weights
from energax.objective import AbstractMemoryless


class KeepBestState(eqx.Module):
    """What `KeepBest` carries from update to update.

    Args:
        inner: state of the learner inside.
        average: the weights with the lowest loss on the validation rows so far.
        best, last: that loss, and the loss at the last look.
        updates: updates made.

    Example:
        >>> inner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.sgd(0.1))
        >>> learner = ex.learner.KeepBest(inner, inner.objective, jnp.zeros((4, 1)), every=2)
        >>> float(learner.init(ex.energy.Gaussian(jnp.ones(1)), learner.rows, key=key).best)
        -0.5
    """

    inner: PyTree
    average: PyTree
    best: Float[Array, ""]
    last: Float[Array, ""]
    updates: Int[Array, ""]

    @property
    def energy(self) -> PyTree:
        """The energy in training."""
        return self.inner.energy


class KeepBest(AbstractLearner):
    """Another learner, and the weights at which its energy did best on validation rows.

    Every `every` updates the loss of the energy (with averaged weights where the learner keeps
    them) on `rows` is looked at, with the same randomness each time. `energy` gives the weights of
    the best look: training may overfit, what is kept does not get worse.

    Args:
        learner: one that trains an energy alone.
        loss: what is looked at; it carries nothing, so it needs no chains.
        rows: (size, *shape), in model units, not among the rows to train on; where they are
            `Weighted`, the loss is the weighted mean of that of each row.
        every: updates between two looks.

    Raises:
        ValueError: for `every` below 1.

    Metrics are those of the learner, and "validation", the loss at the last look.

    Trap: the loss on `rows` is the least of many looks, so it flatters: measure on other rows.

    Example:
        >>> loss = ex.objective.ImplicitScoreMatching()
        >>> inner = ex.learner.Descent(loss, optax.sgd(0.1))
        >>> learner = ex.learner.KeepBest(inner, loss, jnp.zeros((4, 1)), every=10)
    """

    learner: AbstractLearner
    loss: AbstractMemoryless
    rows: Shaped[Array, " size *shape"] | Weighted
    every: int = eqx.field(static=True)

    def __check_init__(self):
        if self.every < 1:
            raise ValueError(f"`every` must be at least 1; got {self.every}.")

    def init(self, players: PyTree, rows: Any, *, key: PRNGKeyArray) -> KeepBestState:
        inner = self.learner.init(players, rows, key=key)
        kept = weights(self.learner.energy(inner))[0]
        found = eqx.filter_jit(self._look)(inner)
        return copy_arrays(KeepBestState(inner, kept, found, found, jnp.zeros((), jnp.int32)))

    def step(
        self, state: KeepBestState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[KeepBestState, Metrics]:
        inner, metrics = self.learner.step(state.inner, batch, key=key)
        updates = state.updates + 1
        last = jax.lax.cond(
            updates % self.every == 0, lambda: self._look(inner), lambda: state.last
        )
        better = (updates % self.every == 0) & (last < state.best)
        now = weights(self.learner.energy(inner))[0]
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, state.average)
        best = jnp.where(better, last, state.best)
        after = KeepBestState(inner, kept, best, last, updates)
        return after, metrics | {"validation": last}

    def energy(self, state: KeepBestState) -> Any:
        """The energy, with the weights of the best look."""
        return select_weights(state.inner.energy, state.average)

    def check(self, state: KeepBestState) -> None:
        self.learner.check(state.inner)

    def _look(self, inner: PyTree) -> Float[Array, ""]:
        energy, rows, key = self.learner.energy(inner), self.rows, jax.random.key(0)
        if not isinstance(rows, Weighted):
            return self.loss(energy, rows, None, key=key)[0]

        def one(x: Array, k: PRNGKeyArray) -> Float[Array, ""]:
            return self.loss(energy, x[None], None, key=k)[0]

        each = jax.vmap(one)(rows.x, jax.random.split(key, len(rows)))
        weight = rows.weight.astype(each.dtype)
        return weight @ each / jnp.sum(weight)
