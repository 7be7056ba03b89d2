"""The weights that did best on rows which are not trained on, and the end of training by them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

from energax.data import Labelled, Weighted
from energax.energy import weights
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.update import copy_arrays, select_weights
from energax.objective import AbstractObjective

SURE = 2.0
"""Standard errors by which a look must beat the start, for the start to be given up."""


class KeepBestState(eqx.Module):
    """What `KeepBest` carries from update to update.

    Args:
        inner: state of the learner inside.
        average: the weights of the best look so far, those of the start before there is one.
        start: the loss of each row at the start.
        best, last: the loss of the kept weights, and that at the last look.
        kept, updates: updates made before the best look, and in all.

    Example:
        >>> inner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.sgd(0.1))
        >>> learner = ex.learner.KeepBest(inner, inner.objective, jnp.zeros((4, 1)), every=2)
        >>> float(learner.init(ex.energy.Gaussian(jnp.ones(1)), learner.rows, key=key).best)
        -0.5
    """

    inner: PyTree
    average: PyTree
    start: Float[Array, " size"]
    best: Float[Array, ""]
    last: Float[Array, ""]
    kept: Int[Array, ""]
    updates: Int[Array, ""]

    @property
    def energy(self) -> PyTree:
        """The energy in training."""
        return self.inner.energy


class KeepBest(AbstractLearner):
    """Another learner, and the weights at which its energy did best on validation rows.

    Every `every` updates the loss of the energy (with averaged weights where the learner keeps
    them) on `rows` is looked at, with the same randomness each time. `energy` gives the weights of
    the best look: training may overfit, what is kept does not get worse. The weights of the start
    are kept until a look beats them by two standard errors of the difference, paired over rows: an
    energy that starts at its base and learns nothing that can be shown stays its base.

    Args:
        learner: one that trains an energy alone, or together with others, which are not kept.
        loss: what is looked at, a mean over rows; it carries nothing, so it needs no chains.
        rows: (size, *shape), or `Labelled` ones, in model units, not among the rows to train on;
            where they are `Weighted`, the loss is the weighted mean of that of each row.
        every: updates between two looks.
        patience: looks without a better one after which `is_done` says that training may end;
            None: never.

    Raises:
        ValueError: for `every` or `patience` below 1.

    Metrics are those of the learner; "validation", the loss at the last look; "kept", the updates
    made before the best one, 0 for the start.

    Trap: the loss on `rows` is the least of many looks, so it flatters: measure on other rows.

    Example:
        >>> loss = ex.objective.ImplicitScoreMatching()
        >>> inner = ex.learner.Descent(loss, optax.sgd(0.1))
        >>> learner = ex.learner.KeepBest(inner, loss, jnp.zeros((4, 1)), every=10)
    """

    learner: AbstractLearner
    loss: AbstractObjective
    rows: Shaped[Array, " size *shape"] | Labelled | Weighted
    every: int = eqx.field(static=True)
    patience: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        for name in ("every", "patience"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"`{name}` must be at least 1; got {count}.")

    @property
    def spreads(self) -> bool:
        return self.learner.spreads

    def init(self, players: PyTree, rows: Any, *, key: PRNGKeyArray) -> KeepBestState:
        inner = self.learner.init(players, rows, key=key)
        kept = weights(self.learner.energy(inner))[0]
        each = eqx.filter_jit(KeepBest._look)(self, inner)
        mean, none = each @ self._shares(each), jnp.zeros((), jnp.int32)
        return copy_arrays(KeepBestState(inner, kept, each, mean, mean, none, none))

    def step(
        self, state: KeepBestState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[KeepBestState, Metrics]:
        inner, metrics = self.learner.step(state.inner, batch, key=key)
        updates = state.updates + 1
        last, better = jax.lax.cond(
            updates % self.every == 0,
            lambda: self._compare(inner, state),
            lambda: (state.last, jnp.array(False)),
        )
        now = weights(self.learner.energy(inner))[0]
        average, best, kept = jax.tree.map(
            lambda new, old: jnp.where(better, new, old),
            (now, last, updates),
            (state.average, state.best, state.kept),
        )
        after = KeepBestState(inner, average, state.start, best, last, kept, updates)
        return after, metrics | {"validation": last, "kept": kept.astype(last.dtype)}

    def energy(self, state: KeepBestState) -> Any:
        """The energy, with the weights of the best look."""
        return select_weights(state.inner.energy, state.average)

    def check(self, state: KeepBestState) -> None:
        self.learner.check(state.inner)

    def is_done(self, state: KeepBestState) -> bool:
        """Were the last `patience` looks no better than the best one?"""
        if self.patience is None:
            return self.learner.is_done(state.inner)
        return int(state.updates) - int(state.kept) >= self.patience * self.every

    def _compare(
        self, inner: PyTree, state: KeepBestState
    ) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        """The mean loss, and whether it is the lowest and beats the start beyond doubt."""
        each = self._look(inner)
        mean = each @ self._shares(each)
        return mean, (mean < state.best) & self.is_sure(state.start - each)

    def is_sure(self, gains: Float[Array, " size"]) -> Bool[Array, ""]:
        """Is the mean gain over the rows above 0 by two standard errors?"""
        shares = self._shares(gains)
        gain = gains @ shares
        return gain > SURE * jnp.sqrt(shares**2 @ (gains - gain) ** 2)

    def _shares(self, each: Float[Array, " size"]) -> Float[Array, " size"]:
        """What each row counts, with sum 1."""
        if isinstance(self.rows, Weighted):
            weight = self.rows.weight.astype(each.dtype)
            return weight / jnp.sum(weight)
        return jnp.full_like(each, 1 / len(each))

    def _look(self, inner: PyTree) -> Float[Array, " size"]:
        return self.measure(self.learner.energy(inner))

    def measure(self, energy: Any) -> Float[Array, " size"]:
        """The loss of each row, with a key of its own that is the same each time."""
        rows = self.rows.x if isinstance(self.rows, Weighted) else self.rows

        def one(row: Any, key: PRNGKeyArray) -> Float[Array, ""]:
            return self.loss(energy, jax.tree.map(lambda part: part[None], row), None, key=key)[0]

        return jax.vmap(one)(rows, jax.random.split(jax.random.key(0), len(rows)))
