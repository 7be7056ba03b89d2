"""Dual-MCMC teaching: three players, three optimisers, two chains, one compiled step."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from energax.energy import weights
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.teaching.base import Lesson, Optimisers, Trio
from energax.learner.teaching.posterior import rows_of
from energax.learner.teaching.rules import TeachingRules
from energax.learner.update import averaged, check_decay, copied, evaluated, moved


class TeachingState(eqx.Module):
    """The three players, the running average of the energy's weights, and what updates carry."""

    energy: PyTree
    generator: PyTree
    encoder: PyTree
    average: PyTree
    optimisers: tuple[PyTree, ...]
    memory: PyTree
    chains: PyTree
    updates: Int[Array, ""]

    @property
    def trio(self) -> Trio:
        """The players."""
        return Trio(self.energy, self.generator, self.encoder)


class Teaching(AbstractLearner):
    """An energy, a generator and an encoder that teach one another by their chains.

    At each update: chains of the energy revise the generator's draws, chains on z infer the rows;
    the generator learns from both, then the encoder, then the energy, for which the generator as it
    now is makes the draws of the *same* z anew and chains revise them anew. With `again` False it
    takes those of before instead, at half the cost of the chains on x. With `fresh` below 1 its
    chains live on: they begin at the rows of the first batch, and before each walk a share `fresh`
    of them starts again from the generator's draws, as in persistent contrastive divergence: the
    bias of short chains goes, and with it most of what the generator tells the energy. `decay`
    keeps a running average of the energy's weights as in `Descent`.

    Metrics are listed in the order in which things happen, so that of all that fail in one update
    the first player is named: health of the chains, then "generator_...", "encoder_...", and the
    energy's own, with its "grad_norm". "weight_norm" is the length of weights after the step.

    Trap: as in a `Game`, no loss tells of progress. Source: Cui and Han (2023), in the order of
    their released code, where `fresh` is 1.
    """

    rules: TeachingRules
    optimisers: Optimisers
    again: bool = eqx.field(static=True, default=True)
    decay: float | None = eqx.field(static=True, default=None)
    fresh: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        check_decay(self.decay)
        if not 0 <= self.fresh <= 1:
            raise ValueError(f"`fresh` must lie in [0, 1]; got {self.fresh}.")
        if self.fresh < 1 and not (self.again and self.rules.steps > 0):
            raise ValueError(
                f"`fresh` must be 1 without `again` and without steps; got {self.fresh}."
            )

    def init(self, players: Trio, rows: Any, *, key: PRNGKeyArray) -> TeachingState:
        self.rules.check(players)
        parts = (players.energy, players.generator, players.encoder)
        makers = (self.optimisers.energy, self.optimisers.generator, self.optimisers.encoder)
        moving = weights(players.energy)[0]
        posterior = self.rules.posterior
        state = TeachingState(
            *parts,
            None if self.decay is None else moving,
            tuple(made.init(weights(part)[0]) for made, part in zip(makers, parts, strict=True)),
            None if posterior is None else posterior.init(players, rows, key=key),
            rows_of(rows) if self.fresh < 1 else None,
            jnp.zeros((), jnp.int32),
        )
        return copied(state)

    def step(
        self, state: TeachingState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[TeachingState, Metrics]:
        prepare, teach, redo = jax.random.split(key, 3)
        trio, (of_energy, of_generator, of_encoder) = state.trio, state.optimisers
        lesson, memory, metrics = self.rules.prepared(trio, batch, state.memory, key=prepare)
        generator, of_generator, told = stepped(
            self.optimisers.generator,
            lambda generator: self.rules.generator_loss(generator, trio, lesson),
            trio.generator,
            of_generator,
        )
        metrics |= named("generator_", told)
        trio = Trio(trio.energy, generator, trio.encoder)
        encoder, energy, average, chains = trio.encoder, trio.energy, state.average, state.chains
        if encoder is not None:
            encoder, of_encoder, told = stepped(
                self.optimisers.encoder,
                lambda encoder: self.rules.encoder_loss(encoder, trio, lesson, key=teach),
                encoder,
                of_encoder,
            )
            metrics |= named("encoder_", told)
        if energy is not None:
            x, chains = self._against(trio, lesson, chains, key=redo)
            energy, of_energy, told = stepped(
                self.optimisers.energy,
                lambda energy: self.rules.energy_loss(energy, lesson.rows, x),
                energy,
                of_energy,
            )
            average = averaged(self.decay, average, weights(energy)[0], state.updates)
            metrics |= told
        optimisers = (of_energy, of_generator, of_encoder)
        players, updates = (energy, generator, encoder), state.updates + 1
        return TeachingState(*players, average, optimisers, memory, chains, updates), metrics

    def _against(
        self, trio: Trio, lesson: Lesson, chains: Array | None, *, key: PRNGKeyArray
    ) -> tuple[Array, Array | None]:
        """What the energy is told from the rows, and the chains that live on."""
        if not self.again:
            return lesson.x, None
        if chains is None:
            return self.rules.revised(trio, lesson.seeds, key=key)[0], None
        choose, move = jax.random.split(key)
        anew = jax.random.bernoulli(choose, self.fresh, (len(chains),))
        born = self.rules.starts(trio.generator, lesson.seeds)
        starts = jax.vmap(jnp.where)(anew, born, chains)
        x, _ = self.rules.walked(trio, starts, key=move)
        return x, x

    def energy(self, state: TeachingState) -> Any:
        """The energy, with averaged weights where they are kept; None where there is none."""
        return evaluated(state.energy, state.average)


def stepped(
    optimiser: optax.GradientTransformation,
    loss: Callable[[PyTree], tuple[Array, Metrics]],
    player: PyTree,
    memory: PyTree,
) -> tuple[PyTree, PyTree, Metrics]:
    """A player after one step down its loss, its optimiser's memory, and what there is to tell."""
    moving, still = weights(player)

    def of_weights(moving: PyTree) -> tuple[Array, Metrics]:
        return loss(eqx.combine(moving, still))

    (value, parts), grad = jax.value_and_grad(of_weights, has_aux=True)(moving)
    moving, memory = moved(optimiser, grad, memory, moving)
    told = OrderedDict(loss=value)
    told |= parts
    told |= {"grad_norm": optax.tree.norm(grad), "weight_norm": optax.tree.norm(moving)}
    return eqx.combine(moving, still), memory, told


def named(prefix: str, told: Metrics) -> Metrics:
    """The same with `prefix` before each name that does not begin with it."""
    return OrderedDict((prefix + name.removeprefix(prefix), value) for name, value in told.items())
