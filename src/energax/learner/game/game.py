"""Two players, two optimisers, one compiled step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from energax.energy import weights
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.game.base import AbstractRules, Players
from energax.learner.update import (
    apply_update,
    check_ema_decay,
    copy_arrays,
    init_memory,
    select_weights,
    update_average,
)


class GameState(eqx.Module):
    """What a `Game` carries from update to update.

    `average` is the running average of the energy's weights, None where none is kept.

    Example:
        >>> game = ex.learner.Game(ex.learner.LearnedStein(), optax.sgd(0.1), optax.sgd(0.1))
        >>> players = ex.learner.Players(ex.energy.Gaussian(jnp.zeros(2)), jax.nn.tanh)
        >>> int(game.init(players, jnp.zeros((4, 2)), key=key).updates)
        0
    """

    energy: PyTree
    rival: PyTree
    average: PyTree
    optimiser: PyTree
    rival_optimiser: PyTree
    memory: PyTree
    updates: Int[Array, ""]


class Game(AbstractLearner):
    """An energy and a rival that take turns: one step of the energy, then `rounds` of the rival.

    Metrics are those of the energy's rules and "grad_norm"; the rival's, from its last round, begin
    with "rival_", so that where both fail in one update the energy is named first.

    Args:
        rules: what each player minimises.
        rounds: steps of the rival at each update, at least 1.
        ema_decay: as in `Descent`, for the energy: games circle their solution, and the average is
            nearer to it.

    Raises:
        ValueError: `rounds` or `ema_decay` is out of range.

    Trap: the losses do not show progress; both players may get worse together. Watch a measure of
    the energy itself.

    Example:
        >>> rules = ex.learner.LearnedStein(penalty=0.5)
        >>> game = ex.learner.Game(rules, optax.adam(1e-3), optax.adam(1e-3), rounds=5)
    """

    rules: AbstractRules
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    rival_optimiser: optax.GradientTransformation = eqx.field(static=True)
    rounds: int = eqx.field(static=True, default=1)
    ema_decay: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_ema_decay(self.ema_decay)
        if self.rounds < 1:
            raise ValueError(f"`rounds` must be at least 1; got {self.rounds}.")

    def init(
        self, players: Players, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> GameState:
        moving, answering = weights(players.energy)[0], weights(players.rival)[0]
        state = GameState(
            players.energy,
            players.rival,
            None if self.ema_decay is None else moving,
            init_memory(self.optimiser, moving),
            init_memory(self.rival_optimiser, answering),
            self.rules.init(players, rows, key=key),
            jnp.zeros((), jnp.int32),
        )
        return copy_arrays(state)

    def step(
        self, state: GameState, batch: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> tuple[GameState, Metrics]:
        first, then = jax.random.split(key)
        moving, still = weights(state.energy)

        def loss(moving: PyTree) -> tuple[Array, PyTree]:
            energy = eqx.combine(moving, still)
            return self.rules.energy_loss(energy, state.rival, batch, state.memory, key=first)

        grad, aux = jax.grad(loss, has_aux=True)(moving)
        moving, optimiser = apply_update(self.optimiser, grad, state.optimiser, moving)
        average = update_average(self.ema_decay, state.average, moving, state.updates)
        energy = eqx.combine(moving, still)
        rival, rival_optimiser, rival_metrics = self._step_rival(
            state.rival, state.rival_optimiser, energy, batch, aux.memory, key=then
        )
        metrics = aux.metrics | {"grad_norm": optax.tree.norm(grad)} | rival_metrics
        updates = state.updates + 1
        after = GameState(energy, rival, average, optimiser, rival_optimiser, aux.memory, updates)
        return after, metrics

    def _step_rival(
        self,
        rival: PyTree,
        optimiser: PyTree,
        energy: PyTree,
        batch: Float[Array, " batch *shape"],
        memory: PyTree,
        *,
        key: PRNGKeyArray,
    ) -> tuple[PyTree, PyTree, Metrics]:
        """The rival after its rounds, its optimiser, and the metrics of its last round."""
        moving, still = weights(rival)

        def round_(carry: tuple, key: PRNGKeyArray) -> tuple[tuple, Metrics]:
            moving, optimiser = carry

            def loss(moving: PyTree) -> tuple[Array, Metrics]:
                rival = eqx.combine(moving, still)
                return self.rules.rival_loss(rival, energy, batch, memory, key=key)

            (value, metrics), grad = jax.value_and_grad(loss, has_aux=True)(moving)
            metrics = {"rival_loss": value} | metrics | {"rival_grad_norm": optax.tree.norm(grad)}
            return apply_update(self.rival_optimiser, grad, optimiser, moving), metrics

        keys = jax.random.split(key, self.rounds)
        (moving, optimiser), metrics = jax.lax.scan(round_, (moving, optimiser), keys)
        last = jax.tree.map(lambda values: values[-1], metrics)
        return eqx.combine(moving, still), optimiser, last

    def energy(self, state: GameState) -> Any:
        """The energy, with averaged weights where they are kept, else with the last ones."""
        return select_weights(state.energy, state.average)
