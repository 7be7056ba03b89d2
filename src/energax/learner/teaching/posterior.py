"""Latent vectors of data rows: how they are inferred, and what an encoder learns from them."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from energax.data import Labelled
from energax.energy import LatentPosterior, stop_gradient
from energax.learner.base import Metrics
from energax.learner.teaching.base import TeachingPlayers
from energax.network import Encoder, NoisyGenerator
from energax.sampler import AbstractSampler, run, trace

Latents = Float[Array, " batch latent"]
Chains = Float[Array, " size latent"]


def select_rows(batch: Any) -> Float[Array, " batch *shape"]:
    """The rows of a batch, with or without labels."""
    return batch.x if type(batch) is Labelled else batch


def infer(
    sampler: AbstractSampler,
    generator: NoisyGenerator,
    rows: Float[Array, " batch *shape"],
    starts: Latents,
    steps: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Latents, Metrics]:
    """Run a chain on z for each row, which is held constant; no gradient flows through.

    Returns:
        Where the chains end, and the metrics: mean norm of the gradient there, and root mean square
        move. With 0 `steps` the starts come back, and both metrics are 0.
    """
    frozen, starts = stop_gradient(generator), jax.lax.stop_gradient(starts)
    ends, slope = starts, jnp.zeros((), starts.dtype)
    if steps > 0:

        def one(x: Array, z: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            energy = LatentPosterior(frozen, x)
            state, info = run(sampler, energy, z, steps, key=k, keep=trace, thin=steps)
            return state.x, info.grad_norm[-1]

        keys = jax.random.split(key, len(rows))
        ends, slopes = jax.lax.stop_gradient(jax.vmap(one)(rows, starts, keys))
        slope = jnp.mean(slopes)
    moved = jnp.sqrt(jnp.mean((ends - starts) ** 2))
    return ends, {"latent_grad_norm": slope, "latent_displacement": moved}


def measure_size(player: str, made: Float[Array, " batch *shape"]) -> Metrics:
    """The root mean square of what a player draws, as a metric named after the player."""
    return {f"{player}_size": jax.lax.stop_gradient(jnp.sqrt(jnp.mean(made**2)))}


def encoder_log_loss(
    encoder: Encoder, x: Float[Array, "*shape"], z: Float[Array, " latent"]
) -> Array:
    """-log q(z | x) with z held constant: the encoder learns to predict z from x."""
    return -encoder.log_density(jax.lax.stop_gradient(z), x)


class AbstractPosterior(eqx.Module):
    """How a data row gets its latent vector, and what the encoder minimises there."""

    @abc.abstractmethod
    def init(self, players: TeachingPlayers, batch: Any, *, key: PRNGKeyArray) -> PyTree:
        """The memory of the first update; None where nothing is carried."""

    @abc.abstractmethod
    def __call__(
        self, players: TeachingPlayers, batch: Any, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[Latents, PyTree, Metrics]:
        """A latent vector for each row, held constant; the memory; the health of the chains."""

    @abc.abstractmethod
    def cost(
        self,
        encoder: Encoder,
        generator: NoisyGenerator,
        x: Float[Array, "*shape"],
        z: Float[Array, " latent"],
        *,
        key: PRNGKeyArray,
    ) -> Float[Array, ""]:
        """What the encoder minimises at a data row x whose latent vector is z, in nats."""


class AbstractMarkovPosterior(AbstractPosterior):
    """A posterior by chains, whose ends the encoder learns to predict."""

    def cost(
        self,
        encoder: Encoder,
        generator: NoisyGenerator,
        x: Float[Array, "*shape"],
        z: Float[Array, " latent"],
        *,
        key: PRNGKeyArray,
    ) -> Float[Array, ""]:
        return encoder_log_loss(encoder, x, z)


def _check_steps(steps: int, least: int) -> None:
    if steps < least:
        raise ValueError(f"`steps` must be at least {least}; got {steps}.")


class FromEncoder(AbstractMarkovPosterior):
    """Chains start at the encoder's draw, and the encoder learns to predict where they end.

    Args:
        steps: at least 0.

    Raises:
        ValueError: `steps` is below 0.

    Trap: with 0 `steps` the encoder's target is its own draw: the mean of its gradient on data is
    0, and it learns from the generator's draws alone, as in wake-sleep.
    Source: Cui and Han (2023), eq. 10 and 15.

    Example:
        >>> posterior = ex.learner.FromEncoder(ex.sampler.Langevin(0.1), steps=10)
    """

    sampler: AbstractSampler
    steps: int = eqx.field(static=True, default=10)

    def __check_init__(self):
        _check_steps(self.steps, 0)

    def init(self, players: TeachingPlayers, batch: Any, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, players: TeachingPlayers, batch: Any, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Latents, None, Metrics]:
        born, move = jax.random.split(key)
        rows = select_rows(batch)
        starts = sample_encoder(players.encoder, rows, key=born)
        z, health = infer(self.sampler, players.generator, rows, starts, self.steps, key=move)
        return z, None, measure_size("encoder", starts) | health


class Variational(AbstractPosterior):
    """No chain: z is the encoder's draw, and the encoder minimises the variational bound.

    KL(q(z | x) || p(z)) - E_q[log p(x | z)] at each row, differentiated through the draw: with the
    generator's own loss, a variational autoencoder. Source: Kingma and Welling (2014), eq. 10.

    Example:
        >>> posterior = ex.learner.Variational()
    """

    def init(self, players: TeachingPlayers, batch: Any, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, players: TeachingPlayers, batch: Any, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Latents, None, Metrics]:
        z = sample_encoder(players.encoder, select_rows(batch), key=key)
        return jax.lax.stop_gradient(z), None, measure_size("encoder", z)

    def cost(
        self,
        encoder: Encoder,
        generator: NoisyGenerator,
        x: Float[Array, "*shape"],
        z: Float[Array, " latent"],
        *,
        key: PRNGKeyArray,
    ) -> Float[Array, ""]:
        mean, variance = encoder(x)
        apart = jnp.sum(mean**2 + variance - 1 - jnp.log(variance)) / 2
        z = mean + jnp.sqrt(variance) * jax.random.normal(key, mean.shape, mean.dtype)
        return apart - generator.log_likelihood(x, z)


class FromPrior(AbstractMarkovPosterior):
    """Chains start from N(0, I) at each update; an encoder is not needed, but may learn from them.

    Args:
        steps: at least 1.

    Raises:
        ValueError: `steps` is below 1.

    Source: Nijkamp et al. (2020), short-run inference.

    Example:
        >>> posterior = ex.learner.FromPrior(ex.sampler.Langevin(0.1), steps=20)
    """

    sampler: AbstractSampler
    steps: int = eqx.field(static=True, default=20)

    def __check_init__(self):
        _check_steps(self.steps, 1)

    def init(self, players: TeachingPlayers, batch: Any, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, players: TeachingPlayers, batch: Any, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Latents, None, Metrics]:
        born, move = jax.random.split(key)
        rows = select_rows(batch)
        starts = jax.random.normal(born, (len(rows), players.generator.latent), rows.dtype)
        z, health = infer(self.sampler, players.generator, rows, starts, self.steps, key=move)
        return z, None, health


class PersistentPosterior(AbstractMarkovPosterior):
    """A persistent chain for each of `size` rows of data, continued at each visit of the row.

    Batches are `Labelled`, the label of a row being its index, from 0. A row that is twice in a
    batch keeps what its first copy found.

    Args:
        size: number of rows, at least 1; the memory is `size` latent vectors.
        steps: at least 1.

    Raises:
        ValueError: a setting is out of range.
        TypeError: `init` or a call gets rows without labels.

    Trap: each latent vector is as old as the row's last visit.
    Source: Han et al. (2017), alternating back-propagation.

    Example:
        >>> ex.learner.PersistentPosterior(ex.sampler.Langevin(0.1), size=1000).steps
        10
    """

    sampler: AbstractSampler
    size: int = eqx.field(static=True)
    steps: int = eqx.field(static=True, default=10)

    def __check_init__(self):
        _check_steps(self.steps, 1)
        if self.size < 1:
            raise ValueError(f"`size` must be at least 1; got {self.size}.")

    def init(self, players: TeachingPlayers, batch: Any, *, key: PRNGKeyArray) -> Chains:
        _row_numbers(batch)
        return jax.random.normal(key, (self.size, players.generator.latent), batch.x.dtype)

    def __call__(
        self, players: TeachingPlayers, batch: Any, memory: Chains, *, key: PRNGKeyArray
    ) -> tuple[Latents, Chains, Metrics]:
        number = _row_numbers(batch)
        starts = memory.at[number].get(mode="fill", fill_value=jnp.nan)
        z, health = infer(self.sampler, players.generator, batch.x, starts, self.steps, key=key)
        # All copies of a row write the same: which one is last does not matter.
        first = jnp.argmax(number[:, None] == number[None], axis=1)
        return z, memory.at[number].set(z[first]), health


def sample_encoder(
    encoder: Encoder | None, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
) -> Latents:
    """A draw of the encoder for each row. Raises ValueError where the encoder is None."""
    if encoder is None:
        raise ValueError("`encoder` of the players is None: a chain cannot start at its draw.")
    return jax.vmap(lambda x, k: encoder.sample(x, key=k))(rows, jax.random.split(key, len(rows)))


def _row_numbers(batch: Any) -> Int[Array, " batch"]:
    if type(batch) is not Labelled:
        raise TypeError(
            f"`batch` must be Labelled rows; got {type(batch).__name__}: train on Labelled(rows, "
            "numbers of the rows)."
        )
    return batch.label
