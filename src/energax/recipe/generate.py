"""What a generator makes: draws, draws that the chain of the energy revises, codes of rows."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax import sampler
from energax.energy import stop_gradient
from energax.errors import Diverged, InputError
from energax.learner import TeachingPlayers
from energax.learner.teaching.posterior import infer
from energax.recipe import methods, teach
from energax.recipe.settings import CHAINS, Settings

Latents = Float[Array, " size latent"]


def generated(
    trio: TeachingPlayers, count: int, *, key: PRNGKeyArray
) -> Float[Array, " count *shape"]:
    """g(z) of z ~ N(0, I), without noise and without a chain, in model units."""
    z = jax.random.normal(key, (count, trio.generator.latent))
    return checked(made(trio, z))


def made(trio: TeachingPlayers, z: Latents) -> Float[Array, " size *shape"]:
    """g(z), in model units."""
    return _each(trio.generator, z)


@eqx.filter_jit
def _each(player: Callable, batch: Array) -> PyTree:
    return jax.vmap(player)(batch)


@dataclasses.dataclass(frozen=True)
class Walk:
    """Draws of a generator and what the chains of training make of them, in model units.

    `energies`: E/T of each at its start and after each step, nats, T the temperature of the chain.
    """

    starts: Float[Array, " count *shape"]
    ends: Float[Array, " count *shape"]
    energies: Float[Array, " count points"]


def walked(trio: TeachingPlayers, settings: Settings, count: int, *, key: PRNGKeyArray) -> Walk:
    """Chains of training that begin at draws of the generator, followed to their ends.

    They begin where those of training began: at g(z) with the generator's noise, or without where
    chains ran cold. Raises InputError where the energy was trained without such chains, Diverged
    for chains that run off.
    """
    if settings.objective not in CHAINS or settings.chain_steps < 1:
        raise InputError(
            f"This run ({settings.objective}, --chain-steps {settings.chain_steps}) was trained "
            "without chains that begin at its generator: choose --by generator or energy."
        )
    rules = teach.rules(settings, methods.chain(settings), 1)
    born, walk = jax.random.split(key)
    seeds = rules.draw_noise(trio.generator, jnp.zeros((count, *trio.energy.shape)), key=born)
    starts, energy = (
        eqx.filter_jit(rules.make_starts)(trio.generator, seeds),
        stop_gradient(trio.energy),
    )
    chain, steps = rules.sampler, rules.steps
    state, info = sampler.chains(chain, energy, starts, steps, key=walk, keep=sampler.trace)
    ends = checked(state.x)
    energies = jnp.concatenate([info.energy, _each(energy, ends)[:, None]], axis=1)
    return Walk(starts, ends, energies / settings.temperature)


def revised(
    trio: TeachingPlayers, settings: Settings, count: int, *, key: PRNGKeyArray
) -> Float[Array, " count *shape"]:
    """Where the chains of training end that begin at draws of the generator: those of `walked`."""
    return walked(trio, settings, count, key=key).ends


@dataclasses.dataclass(frozen=True)
class Codes:
    """Latent vectors of rows: `starts`, where their chains began, and `ends`, where they ended.

    `steps`: those of the chains. `words` says where they began.
    """

    starts: Latents
    ends: Latents
    steps: int
    words: str


def codes(
    trio: TeachingPlayers,
    settings: Settings,
    rows: Float[Array, " size *shape"],
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> Codes:
    """z of rows in model units: the encoder's mean, then `steps` Langevin steps on p(z | row).

    Steps of `latent_step_size`; as many as in training where `steps` is None: none after a
    `variational` encoder. Without an encoder chains start from N(0, I).

    Raises InputError for neither an encoder nor steps, Diverged for chains that run off.
    """
    steps = own_steps(settings) if steps is None else steps
    if steps < 0:
        raise InputError(f"--steps must be at least 0; got {steps}.")
    if trio.encoder is None and steps == 0:
        raise InputError(
            "This run has no encoder, so that its chains on z start from N(0, I): --steps must be "
            "at least 1; got 0."
        )
    born, walk = jax.random.split(key)
    if trio.encoder is None:
        starts = jax.random.normal(born, (len(rows), trio.generator.latent))
        words = "at a draw of N(0, I)"
    else:
        starts = _each(trio.encoder, rows)[0]
        words = "at the encoder's mean"
    chain = sampler.Langevin(settings.latent_step_size)
    ends, _ = eqx.filter_jit(infer)(chain, trio.generator, rows, starts, steps, key=walk)
    if not bool(jnp.all(jnp.isfinite(ends))):
        raise Diverged(
            f"The chains on z run off to infinity at steps of {settings.latent_step_size:g}: give "
            "--steps 0 where there is an encoder, or train with a smaller --latent-step-size."
        )
    return Codes(starts, ends, steps, words)


def own_steps(settings: Settings) -> int:
    """Steps on z in training; the setting of a run whose training infers nothing."""
    alone = settings.objective == "teaching" and settings.posterior == "variational"
    return 0 if alone else settings.latent_steps


def between(starts: Latents, ends: Latents, num: int) -> Float[Array, " size num latent"]:
    """`num` points on the straight line from each start to its end, both included.

    Trap: the middle of a line is nearer to 0 than draws of N(0, I) in many dimensions are.
    """
    share = jnp.linspace(0.0, 1.0, num)[:, None]
    return starts[:, None] * (1 - share) + ends[:, None] * share


def checked(x: Float[Array, " size *shape"]) -> Float[Array, " size *shape"]:
    """The same. Raises Diverged where a number is not finite."""
    if not bool(jnp.all(jnp.isfinite(x))):
        raise Diverged("Draws of this run's generator are not finite: train with smaller rates.")
    return x
