"""What each of the three players minimises, while the other two are held constant."""

from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import Energy, stop_gradient
from energax.learner.base import Metrics
from energax.learner.teaching.base import LatentNoise, TeachingBatch, TeachingPlayers
from energax.learner.teaching.posterior import (
    AbstractPosterior,
    encoder_log_loss,
    measure_size,
    select_rows,
)
from energax.network import Encoder, NoisyGenerator
from energax.objective.likelihood import contrast, walk
from energax.sampler import AbstractSampler

Batch = Float[Array, " batch *shape"]
Loss = tuple[Float[Array, ""], Metrics]


class TeachingRules(eqx.Module):
    """The three losses of teaching: two chains give the targets of all three players.

    x+ is where a chain of `steps` steps of the energy ends that begins at g(z) + s e and keeps its
    z; z+ is what `posterior` infers for a row x. Both are held constant. In nats,

        generator: mean -log p(x | z+) + `generator_weight` mean -log p(x+ | z)
        encoder:   mean -log q(z+ | x) + `encoder_weight` mean -log q(z | x+)
        energy:    mean E(x) - mean E(x+), and `penalty` times the spread of E over both.

    Special cases: without a `posterior`, cooperative learning (Xie et al. 2018, algorithm 1, where
    `generator_weight` is s^2 and `Teaching` has `resample` False); `Variational` with 0 `steps` and
    `pathwise_weight` 1, the divergence triangle, which has no chains (generator: KL(q || p) + KL(p
    || energy and q), as `pathwise_loss` says). Without an encoder, take a posterior that needs
    none; without an energy, 0 `steps`.

    Args:
        sampler: the chain on x; its temperature is that of the energy's loss.
        posterior: how z+ is inferred; None for no inference.
        steps: at least 0, of the chain on x.
        add_noise: chains on x begin at g(z) + s e; False: at g(z).

    Raises:
        ValueError: `steps` or a weight is below 0.

    Trap: x+ keeps the z of its start, so that a chain on x that forgets its start gives g(z) no
    reason to depend on z. Where all players are right, g is linear with slope w, and chains shrink
    their start by r, g is pulled towards the mean by `generator_weight` (1 - r) w / s^2; so is the
    encoder's second term. Keep `steps` few, the chain cold, or `generator_weight` small.

    Source: Cui and Han (2023), eq. 7, 10, 15. Where we differ: their eq. 13 takes p(z | x+) for the
    distribution of the kept z, which it is not; their code has |x - g|^2 in place of -log p, and
    divides the energy's loss by the temperature of the chain; both are one factor, which Adam does
    not see.

    Example:
        >>> chain = ex.sampler.Langevin(0.1)
        >>> rules = ex.learner.TeachingRules(chain, ex.learner.FromEncoder(chain), steps=10)
        >>> rules.encoder_weight
        0.1
    """

    sampler: AbstractSampler
    posterior: AbstractPosterior | None
    steps: int = eqx.field(static=True, default=10)
    generator_weight: float = eqx.field(static=True, default=1.0)
    encoder_weight: float = eqx.field(static=True, default=0.1)
    pathwise_weight: float = eqx.field(static=True, default=0.0)
    penalty: float = eqx.field(static=True, default=0.0)
    add_noise: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        if self.steps < 0:
            raise ValueError(f"`steps` must be at least 0; got {self.steps}.")
        for name in ("generator_weight", "encoder_weight", "pathwise_weight", "penalty"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least 0; got {getattr(self, name)}.")

    def check(self, players: TeachingPlayers) -> None:
        """Refuse players that these rules cannot train.

        Raises:
            ValueError: the energy or the encoder is None where it is needed.
        """
        if players.energy is None and (self.steps > 0 or self.pathwise_weight > 0):
            raise ValueError(
                "`energy` of the players is None: its chains need `steps=0` and "
                "`pathwise_weight=0`; got "
                f"{self.steps} and {self.pathwise_weight}."
            )
        if players.encoder is None and self.pathwise_weight > 0:
            raise ValueError(
                "`encoder` of the players is None: `pathwise_weight` must be 0 without one."
            )

    def prepare(
        self, players: TeachingPlayers, batch: Any, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[TeachingBatch, PyTree, Metrics]:
        """Run both chains: the batch to learn from, the memory of the posterior, the health."""
        born, revise, infer = jax.random.split(key, 3)
        rows = select_rows(batch)
        latent_noise = self.draw_noise(players.generator, rows, key=born)
        x, health = self.refine(players, latent_noise, key=revise)
        z, metrics = None, OrderedDict(health)
        if self.posterior is not None:
            z, memory, health = self.posterior(players, batch, memory, key=infer)
            metrics |= health
        return TeachingBatch(rows, z, latent_noise, x), memory, metrics

    def draw_noise(
        self, generator: NoisyGenerator, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> LatentNoise:
        """What as many draws of the generator as there are rows are made of."""
        first, then = jax.random.split(key)
        z = jax.random.normal(first, (len(rows), generator.latent), rows.dtype)
        return LatentNoise(z, jax.random.normal(then, rows.shape, rows.dtype))

    def make_starts(self, generator: NoisyGenerator, latent_noise: LatentNoise) -> Batch:
        """Where the chains of the energy begin: the generator's draws, held constant."""
        made = jax.vmap(generator)(latent_noise.z)
        return jax.lax.stop_gradient(
            add_generator_noise(made, generator, latent_noise) if self.add_noise else made
        )

    def refine(
        self, players: TeachingPlayers, latent_noise: LatentNoise, *, key: PRNGKeyArray
    ) -> tuple[Batch, Metrics]:
        """x+: where the chains of the energy end that begin at the generator's draws."""
        starts = self.make_starts(players.generator, latent_noise)
        x, health = self.run_chains(players, starts, key=key)
        return x, measure_size("generator", starts) | health

    def run_chains(
        self, players: TeachingPlayers, starts: Batch, *, key: PRNGKeyArray
    ) -> tuple[Batch, Metrics]:
        """Where chains of the energy end that begin at `starts`, and their health."""
        if self.steps == 0:
            return starts, {}
        return walk(self.sampler, players.energy, starts, self.steps, key=key)

    def generator_loss(
        self, generator: NoisyGenerator, players: TeachingPlayers, given: TeachingBatch
    ) -> Loss:
        """Rows given the z inferred for them, and refined draws given their own z."""
        likelihood = jax.vmap(generator.log_likelihood)
        loss, parts = jnp.zeros((), given.rows.dtype), {}
        if given.z is not None:
            parts["generator_data"] = -jnp.mean(likelihood(given.rows, given.z))
            loss += parts["generator_data"]
        if self.generator_weight > 0:
            loss -= self.generator_weight * jnp.mean(likelihood(given.x, given.latent_noise.z))
        if self.pathwise_weight > 0:
            loss += self.pathwise_weight * self.pathwise_loss(
                generator, players, given.latent_noise
            )
        return loss, parts

    def pathwise_loss(
        self, generator: NoisyGenerator, players: TeachingPlayers, latent_noise: LatentNoise
    ) -> Float[Array, ""]:
        """mean E(x) - log q(z | x) + log p(x | z) at x = g(z) + s e, differentiated through x.

        Up to a constant KL(p(z) p(x | z) || p_E(x) q(z | x)). Source: Han et al. (2019), eq. 8.
        """
        made = add_generator_noise(jax.vmap(generator)(latent_noise.z), generator, latent_noise)
        cost = jax.vmap(stop_gradient(players.energy))(made)
        guess = jax.vmap(stop_gradient(players.encoder).log_density)(latent_noise.z, made)
        return jnp.mean(cost - guess + jax.vmap(generator.log_likelihood)(made, latent_noise.z))

    def encoder_loss(
        self,
        encoder: Encoder,
        players: TeachingPlayers,
        given: TeachingBatch,
        *,
        key: PRNGKeyArray,
    ) -> Loss:
        """The z inferred for rows, and the z that refined draws began from."""
        loss, parts = jnp.zeros((), given.rows.dtype), {}
        if self.posterior is not None and given.z is not None:
            cost, still = self.posterior.cost, stop_gradient(players.generator)

            def one(x: Array, z: Array, k: PRNGKeyArray) -> Array:
                return cost(encoder, still, x, z, key=k)

            keys = jax.random.split(key, len(given.rows))
            parts["encoder_data"] = jnp.mean(jax.vmap(one)(given.rows, given.z, keys))
            loss += parts["encoder_data"]
        if self.encoder_weight > 0:
            said = jax.vmap(lambda x, z: encoder_log_loss(encoder, x, z))(
                given.x, given.latent_noise.z
            )
            loss += self.encoder_weight * jnp.mean(said)
        return loss, parts

    def energy_loss(self, energy: Energy, rows: Batch, x: Batch) -> Loss:
        """Rows against refined draws."""
        return contrast(energy, rows, x, self.penalty)


def add_generator_noise(made: Batch, generator: NoisyGenerator, latent_noise: LatentNoise) -> Batch:
    """g(z) + s e."""
    return made + generator.std.astype(made.dtype) * latent_noise.noise
