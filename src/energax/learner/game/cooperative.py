"""Cooperative training: a generator proposes, chains of the energy revise, both learn from it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.learner.game.adversarial import against, check_penalty
from energax.learner.game.base import AbstractRules, Players
from energax.network import NoisyGenerator
from energax.objective import Aux
from energax.objective.likelihood import walk
from energax.sampler import AbstractSampler

Batch = Float[Array, " batch *shape"]


class Revision(eqx.Module):
    """The latent vectors of an update, and what the chains made of their examples."""

    z: Float[Array, " batch latent"]
    x: Float[Array, " batch *shape"]


class Cooperative(AbstractRules):
    """Chains of the energy start at what a generator makes; it learns to make where they ended.

    Energy: mean E(data) - mean E(revised), plus `penalty` times the spread of E over both. Rival,
    a `NoisyGenerator`: mean |g(z) - revised|^2 / 2 with the very z that the chain started from.

    Trap: the data reach the generator through the chains alone. A chain that forgets its start
    gives g(z) no reason to depend on z, and g falls to the mean: on a Gaussian, chains that shrink
    their start by r pull a linear g down by 1 - r even where everything is right, until g is flat
    and the energy is that of `ShortRun`. Keep chains short, and expect a biased energy.
    Source: Xie et al. (2018), algorithm 1.
    """

    sampler: AbstractSampler
    steps: int = eqx.field(static=True, default=10)
    penalty: float = 0.0

    def __check_init__(self):
        check_penalty(self.penalty)
        if self.steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {self.steps}.")

    def init(self, players: Players, rows: Batch, *, key: PRNGKeyArray) -> Revision:
        return Revision(jnp.zeros((len(rows), players.rival.latent), rows.dtype), rows)

    def energy_loss(
        self,
        energy: Energy,
        rival: NoisyGenerator,
        batch: Batch,
        memory: Revision,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        first, then = jax.random.split(key)
        z, x = jax.vmap(lambda k: rival.born(key=k))(jax.random.split(first, len(batch)))
        revised, health = walk(self.sampler, energy, x, self.steps, key=then)
        loss, parts = against(energy, batch, revised, self.penalty)
        return loss, Aux(Revision(z, revised), parts | health)

    def rival_loss(
        self,
        rival: NoisyGenerator,
        energy: Energy,
        batch: Batch,
        memory: Revision,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        missed = jax.vmap(rival)(memory.z) - memory.x
        return jnp.sum(missed**2) / (2 * len(missed)), {}
