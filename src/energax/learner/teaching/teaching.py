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
from energax.learner.teaching.base import Optimisers, TeachingBatch, TeachingPlayers
from energax.learner.teaching.posterior import rows_of
from energax.learner.teaching.rules import TeachingRules
from energax.learner.update import (
    apply_update,
    check_ema_decay,
    copy_arrays,
    select_weights,
    update_average,
)


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
    def players(self) -> TeachingPlayers:
        """The players."""
        return TeachingPlayers(self.energy, self.generator, self.encoder)


class Teaching(AbstractLearner):
    """An energy, a generator and an encoder that teach one another by their chains.

    At each update: chains of the energy revise the generator's draws, chains on z infer the rows;
    the generator learns from both, then the encoder, then the energy, for which the generator as it
    now is makes the draws of the *same* z anew and chains revise them anew. With `resample` False
    it takes those of before instead, at half the cost of the chains on x. With `reinit_probability`
    below 1 its chains live on: they begin at the rows of the first batch, and before each walk a
    share `reinit_probability` of them starts again from the generator's draws, as in persistent
    contrastive divergence: the bias of short chains goes, and with it most of what the generator
    tells the energy. `ema_decay` keeps a running average of the energy's weights as in `Descent`.

    Metrics are listed in the order in which things happen, so that of all that fail in one update
    the first player is named: health of the chains, then "generator_...", "encoder_...", and the
    energy's own, with its "grad_norm". "weight_norm" is the length of weights after the step.

    Trap: as in a `Game`, no loss tells of progress. Source: Cui and Han (2023), in the order of
    their released code, where `reinit_probability` is 1.
    """

    rules: TeachingRules
    optimisers: Optimisers
    resample: bool = eqx.field(static=True, default=True)
    ema_decay: float | None = eqx.field(static=True, default=None)
    reinit_probability: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        check_ema_decay(self.ema_decay)
        if not 0 <= self.reinit_probability <= 1:
            raise ValueError(
                f"`reinit_probability` must lie in [0, 1]; got {self.reinit_probability}."
            )
        if self.reinit_probability < 1 and not (self.resample and self.rules.steps > 0):
            raise ValueError(
                "`reinit_probability` must be 1 without `resample` and without steps; got "
                f"{self.reinit_probability}."
            )

    def init(self, players: TeachingPlayers, rows: Any, *, key: PRNGKeyArray) -> TeachingState:
        self.rules.check(players)
        parts = (players.energy, players.generator, players.encoder)
        makers = (self.optimisers.energy, self.optimisers.generator, self.optimisers.encoder)
        moving = weights(players.energy)[0]
        posterior = self.rules.posterior
        state = TeachingState(
            *parts,
            None if self.ema_decay is None else moving,
            tuple(made.init(weights(part)[0]) for made, part in zip(makers, parts, strict=True)),
            None if posterior is None else posterior.init(players, rows, key=key),
            rows_of(rows) if self.reinit_probability < 1 else None,
            jnp.zeros((), jnp.int32),
        )
        return copy_arrays(state)

    def step(
        self, state: TeachingState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[TeachingState, Metrics]:
        prepare, teach, redo = jax.random.split(key, 3)
        players, (of_energy, of_generator, of_encoder) = state.players, state.optimisers
        taught, memory, metrics = self.rules.prepared(players, batch, state.memory, key=prepare)
        generator, of_generator, told = stepped(
            self.optimisers.generator,
            lambda generator: self.rules.generator_loss(generator, players, taught),
            players.generator,
            of_generator,
        )
        metrics |= named("generator_", told)
        players = TeachingPlayers(players.energy, generator, players.encoder)
        encoder, energy, average, chains = (
            players.encoder,
            players.energy,
            state.average,
            state.chains,
        )
        if encoder is not None:
            encoder, of_encoder, told = stepped(
                self.optimisers.encoder,
                lambda encoder: self.rules.encoder_loss(encoder, players, taught, key=teach),
                encoder,
                of_encoder,
            )
            metrics |= named("encoder_", told)
        if energy is not None:
            x, chains = self._against(players, taught, chains, key=redo)
            energy, of_energy, told = stepped(
                self.optimisers.energy,
                lambda energy: self.rules.energy_loss(energy, taught.rows, x),
                energy,
                of_energy,
            )
            average = update_average(self.ema_decay, average, weights(energy)[0], state.updates)
            metrics |= told
        optimisers = (of_energy, of_generator, of_encoder)
        after, updates = (energy, generator, encoder), state.updates + 1
        return TeachingState(*after, average, optimisers, memory, chains, updates), metrics

    def _against(
        self,
        players: TeachingPlayers,
        taught: TeachingBatch,
        chains: Array | None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Array, Array | None]:
        """What the energy is told from the rows, and the chains that live on."""
        if not self.resample:
            return taught.x, None
        if chains is None:
            return self.rules.revised(players, taught.latent_noise, key=key)[0], None
        choose, move = jax.random.split(key)
        anew = jax.random.bernoulli(choose, self.reinit_probability, (len(chains),))
        born = self.rules.starts(players.generator, taught.latent_noise)
        starts = jax.vmap(jnp.where)(anew, born, chains)
        x, _ = self.rules.walked(players, starts, key=move)
        return x, x

    def energy(self, state: TeachingState) -> Any:
        """The energy, with averaged weights where they are kept; None where there is none."""
        return select_weights(state.energy, state.average)


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
    moving, memory = apply_update(optimiser, grad, memory, moving)
    told = OrderedDict(loss=value)
    told |= parts
    told |= {"grad_norm": optax.tree.norm(grad), "weight_norm": optax.tree.norm(moving)}
    return eqx.combine(moving, still), memory, told


def named(prefix: str, told: Metrics) -> Metrics:
    """The same with `prefix` before each name that does not begin with it."""
    return OrderedDict((prefix + name.removeprefix(prefix), value) for name, value in told.items())
