"""One energy, one objective, one optimiser."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from energax.energy import space_of, weights
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.update import (
    apply_update,
    check_ema_decay,
    copy_arrays,
    init_memory,
    select_weights,
    update_average,
)
from energax.objective import AbstractObjective


class DescentState(eqx.Module):
    """What `Descent` carries from update to update.

    `average` is the running average of the weights, None where none is kept.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.sgd(0.1))
        >>> state = learner.init(ex.energy.Gaussian(jnp.ones(1)), jnp.zeros((4, 1)), key=key)
        >>> int(state.updates)
        0
    """

    energy: PyTree
    average: PyTree
    optimiser: PyTree
    memory: PyTree
    updates: Int[Array, ""]


class Descent(AbstractLearner):
    """Gradient descent on an objective with any Optax optimiser, for one energy.

    Clip gradients in the optimiser: `optax.chain(optax.clip_by_global_norm(1.0), ...)`.

    Args:
        ema_decay: in [0, 1); keeps a running average of the weights, which `energy` then returns.
            After update t it is decay_t * average + (1 - decay_t) * weights with
            decay_t = min(ema_decay, (1 + t) / (10 + t)), so that it forgets the start. None: none.

    Raises:
        ValueError: `ema_decay` is out of range.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.sgd(0.1))
        >>> state = learner.init(ex.energy.Gaussian(jnp.ones(1)), jnp.zeros((4, 1)), key=key)
        >>> learner.step(state, jnp.zeros((4, 1)), key=key)[0].energy.mean.round(3).tolist()
        [0.9]
    """

    objective: AbstractObjective
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    ema_decay: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_ema_decay(self.ema_decay)

    @property
    def spreads(self) -> bool:
        return self.objective.spreads

    def init(self, players: PyTree, rows: Any, *, key: PRNGKeyArray) -> DescentState:
        space, name = space_of(players), type(self.objective).__name__
        if space is not None and not isinstance(space, self.objective.serves):
            titles = " and ".join(kind.title for kind in self.objective.serves)
            raise TypeError(f"{name} trains energies of {titles}; this is one of {space.title}.")
        energy = copy_arrays(players)
        moving, _ = weights(energy)
        average = None if self.ema_decay is None else moving
        memory = self.objective.init(energy, rows, key=key)
        state = DescentState(
            energy, average, init_memory(self.optimiser, moving), memory, jnp.zeros((), jnp.int32)
        )
        return copy_arrays(state)

    def step(
        self, state: DescentState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[DescentState, Metrics]:
        moving, still = weights(state.energy)

        def loss(moving: PyTree) -> tuple[Array, PyTree]:
            return self.objective(eqx.combine(moving, still), batch, state.memory, key=key)

        grad, aux = jax.grad(loss, has_aux=True)(moving)
        moving, optimiser = apply_update(self.optimiser, grad, state.optimiser, moving)
        average = update_average(self.ema_decay, state.average, moving, state.updates)
        energy = eqx.combine(moving, still)
        metrics = aux.metrics | {"grad_norm": optax.tree.norm(grad)}
        return DescentState(energy, average, optimiser, aux.memory, state.updates + 1), metrics

    def energy(self, state: DescentState) -> Any:
        """The trained energy, with averaged weights where they are kept, else the last ones."""
        return select_weights(state.energy, state.average)
