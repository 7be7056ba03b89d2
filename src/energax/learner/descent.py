"""One energy, one objective, one optimiser."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from energax.energy import weights
from energax.learner.base import AbstractLearner, Metrics
from energax.objective import AbstractObjective


class DescentState(eqx.Module):
    """The energy, the running average of its weights (None: not kept), and what updates carry."""

    energy: PyTree
    average: PyTree
    optimiser: PyTree
    memory: PyTree
    updates: Int[Array, ""]


def _copied(tree: PyTree) -> PyTree:
    """Own arrays: the loop donates its state, which must not hold the caller's or one twice."""
    return jax.tree.map(lambda leaf: jnp.array(leaf) if eqx.is_array(leaf) else leaf, tree)


class Descent(AbstractLearner):
    """Gradient descent on an objective with any Optax optimiser; optionally averages the weights.

    `decay`: the average is decay * average + (1 - decay) * weights after each update, with
    decay_t = min(decay, (1 + t) / (10 + t)) so that it forgets the start; None keeps none.
    Clip gradients in the optimiser: `optax.chain(optax.clip_by_global_norm(1.0), ...)`.
    """

    objective: AbstractObjective
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    decay: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if self.decay is not None and not 0 <= self.decay < 1:
            raise ValueError(f"`decay` must lie in [0, 1) or be None; got {self.decay}.")

    def init(
        self, players: PyTree, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> DescentState:
        energy = _copied(players)
        moving, _ = weights(energy)
        average = None if self.decay is None else _copied(moving)
        memory = self.objective.init(energy, rows, key=key)
        state = DescentState(
            energy, average, self.optimiser.init(moving), memory, jnp.zeros((), jnp.int32)
        )
        return _copied(state)

    def step(
        self, state: DescentState, batch: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> tuple[DescentState, Metrics]:
        moving, still = weights(state.energy)

        def loss(moving: PyTree) -> tuple[Array, PyTree]:
            return self.objective(eqx.combine(moving, still), batch, state.memory, key=key)

        grad, aux = jax.grad(loss, has_aux=True)(moving)
        # Optax mixes its integer count with floats, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            updates, optimiser = self.optimiser.update(grad, state.optimiser, moving)
        moving = optax.apply_updates(moving, updates)
        average = self._averaged(state.average, moving, state.updates)
        energy = eqx.combine(moving, still)
        metrics = aux.metrics | {"grad_norm": optax.tree.norm(grad)}
        return DescentState(energy, average, optimiser, aux.memory, state.updates + 1), metrics

    def _averaged(self, average: PyTree, moving: PyTree, updates: Int[Array, ""]) -> PyTree:
        if self.decay is None:
            return None
        decay = jnp.minimum(self.decay, (1 + updates) / (10 + updates))
        return jax.tree.map(
            lambda old, new: old + (1 - decay).astype(old.dtype) * (new - old), average, moving
        )

    def energy(self, state: DescentState) -> Any:
        """What was trained, with averaged weights where they are kept, else with the last ones."""
        if self.decay is None:
            return state.energy
        return eqx.combine(state.average, weights(state.energy)[1])
