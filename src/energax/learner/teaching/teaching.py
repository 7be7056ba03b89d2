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
from energax.learner.teaching.posterior import select_rows
from energax.learner.teaching.rules import TeachingRules
from energax.learner.update import (
    apply_update,
    check_ema_decay,
    copy_arrays,
    init_memory,
    select_weights,
    update_average,
)


class TeachingState(eqx.Module):
    """What `Teaching` carries from update to update.

    `average` is the running average of the energy's weights and `chains` the persistent chains on
    x, each None where not kept; `memory` is the posterior's.

    Example:
        >>> state = ex.learner.TeachingState(None, None, None, None, (), None, None, jnp.array(0))
        >>> int(state.updates)
        0
    """

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
        """The energy, the generator and the encoder."""
        return TeachingPlayers(self.energy, self.generator, self.encoder)


class Teaching(AbstractLearner):
    """Dual-MCMC teaching: an energy, a generator and an encoder learn from one another's chains.

    At each update chains of the energy refine the generator's draws and chains on z infer the rows.
    The generator learns from both, then the encoder, then the energy: for the latter, the updated
    generator draws again from the same z, and chains refine those draws.

    Metrics are listed in the order in which things happen, so that of all that fail in one update
    the first player is named: health of the chains, then "generator_...", "encoder_...", and the
    energy's own, with its "grad_norm". "weight_norm" is the norm of the weights after the step.

    Args:
        resample: False: the energy learns from the first draws, which halves the chains on x.
        ema_decay: as in `Descent`, for the energy's weights.
        reinit_probability: below 1 the chains on x that the energy learns from are persistent. They
            begin at the rows of the first batch; before each update this share of them starts again
            from the generator's draws, as in persistent contrastive divergence. The bias of short
            chains goes, and with it most of what the generator teaches the energy.

    Raises:
        ValueError: a setting is out of range, or `reinit_probability` is below 1 without `resample`
            or without steps.

    Trap: as in a `Game`, the losses do not show progress.
    Source: Cui and Han (2023), in the order of their released code, where `reinit_probability` is
    1.

    Example:
        >>> chain, adam = ex.sampler.Langevin(0.1), optax.adam(1e-3)
        >>> rules = ex.learner.TeachingRules(chain, ex.learner.FromEncoder(chain))
        >>> learner = ex.learner.Teaching(rules, ex.learner.Optimisers(adam, adam, adam))
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
            tuple(
                init_memory(made, weights(part)[0])
                for made, part in zip(makers, parts, strict=True)
            ),
            None if posterior is None else posterior.init(players, rows, key=key),
            select_rows(rows) if self.reinit_probability < 1 else None,
            jnp.zeros((), jnp.int32),
        )
        return copy_arrays(state)

    def step(
        self, state: TeachingState, batch: Any, *, key: PRNGKeyArray
    ) -> tuple[TeachingState, Metrics]:
        prepare, teach, redo = jax.random.split(key, 3)
        players, (of_energy, of_generator, of_encoder) = state.players, state.optimisers
        given, memory, metrics = self.rules.prepare(players, batch, state.memory, key=prepare)
        generator, of_generator, own = update_player(
            self.optimisers.generator,
            lambda generator: self.rules.generator_loss(generator, players, given),
            players.generator,
            of_generator,
        )
        metrics |= add_prefix("generator_", own)
        players = TeachingPlayers(players.energy, generator, players.encoder)
        encoder, energy, average, chains = (
            players.encoder,
            players.energy,
            state.average,
            state.chains,
        )
        if encoder is not None:
            encoder, of_encoder, own = update_player(
                self.optimisers.encoder,
                lambda encoder: self.rules.encoder_loss(encoder, players, given, key=teach),
                encoder,
                of_encoder,
            )
            metrics |= add_prefix("encoder_", own)
        if energy is not None:
            x, chains = self._draw_negatives(players, given, chains, key=redo)
            energy, of_energy, own = update_player(
                self.optimisers.energy,
                lambda energy: self.rules.energy_loss(energy, given.rows, x),
                energy,
                of_energy,
            )
            average = update_average(self.ema_decay, average, weights(energy)[0], state.updates)
            metrics |= own
        optimisers = (of_energy, of_generator, of_encoder)
        after, updates = (energy, generator, encoder), state.updates + 1
        return TeachingState(*after, average, optimisers, memory, chains, updates), metrics

    def _draw_negatives(
        self,
        players: TeachingPlayers,
        given: TeachingBatch,
        chains: Array | None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Array, Array | None]:
        """The draws that the energy learns from, and the persistent chains."""
        if not self.resample:
            return given.x, None
        if chains is None:
            return self.rules.refine(players, given.latent_noise, key=key)[0], None
        choose, move = jax.random.split(key)
        restart = jax.random.bernoulli(choose, self.reinit_probability, (len(chains),))
        born = self.rules.make_starts(players.generator, given.latent_noise)
        starts = jax.vmap(jnp.where)(restart, born, chains)
        x, _ = self.rules.run_chains(players, starts, key=move)
        return x, x

    def energy(self, state: TeachingState) -> Any:
        """The energy, with averaged weights where they are kept; None where there is none."""
        return select_weights(state.energy, state.average)


def update_player(
    optimiser: optax.GradientTransformation,
    loss: Callable[[PyTree], tuple[Array, Metrics]],
    player: PyTree,
    memory: PyTree,
) -> tuple[PyTree, PyTree, Metrics]:
    """A player after one step down its loss, the optimiser's memory, and the metrics."""
    moving, still = weights(player)

    def of_weights(moving: PyTree) -> tuple[Array, Metrics]:
        return loss(eqx.combine(moving, still))

    (value, parts), grad = jax.value_and_grad(of_weights, has_aux=True)(moving)
    moving, memory = apply_update(optimiser, grad, memory, moving)
    metrics = OrderedDict(loss=value)
    metrics |= parts
    metrics |= {"grad_norm": optax.tree.norm(grad), "weight_norm": optax.tree.norm(moving)}
    return eqx.combine(moving, still), memory, metrics


def add_prefix(prefix: str, metrics: Metrics) -> Metrics:
    """The metrics with `prefix` before each name that does not begin with it."""
    return OrderedDict(
        (prefix + name.removeprefix(prefix), value) for name, value in metrics.items()
    )
