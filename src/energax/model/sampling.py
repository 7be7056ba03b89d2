"""New rows: by the chains that trained the model where they ran cold, else by exact MCMC."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.energy import draws, stop_gradient
from energax.errors import Diverged, InputError
from energax.learner import TeachingPlayers
from energax.method.chain import NoisePath
from energax.model.base import Model, Source
from energax.model.columns import draw_columns, round_rows
from energax.model.mass import draw_mass
from energax.model.players import apply_each, check_finite, find_generator, generate
from energax.network import NoisyGenerator
from energax.sampler import (
    AbstractSampler,
    Info,
    State,
    adapt,
    chains,
    heun_flow,
    hmc,
    mala,
    trace,
)

LEAPS = 10
"""Leapfrog steps of one Hamiltonian transition."""

STEPS = 300
"""Hamiltonian transitions from the base to a sample."""

KEPT = 100
"""Points of a chain at which its energy is kept."""

SETTLING = 20
"""Metropolis-adjusted steps at the lowest level of noise, after the way down the levels."""

BLOCK = 32
"""Rows that go down the levels at a time: their arrays stay in the cache."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Independent chains, each at its end.

    `x`: last states, model units. `energies`: E/T along the chains, nats. `acceptance`: mean over
    all transitions, None for a sampler that never rejects. `sampler`: what ran, in words.
    """

    x: Shaped[Array, " count *shape"]
    energies: Float[np.ndarray, " count kept"]
    acceptance: float | None
    sampler: str


@dataclasses.dataclass(frozen=True)
class Drawn:
    """`rows` in the user's units, and in words what made them."""

    rows: Shaped[np.ndarray, " count *shape"]
    words: str


def sample_rows(model: Model, count: int, *, by: Source = "energy", key: PRNGKeyArray) -> Drawn:
    """New rows in the user's units, by the energy or by the generator: see `Model.sample`."""
    if count < 1:
        raise InputError(f"The number of rows must be at least 1; got {count}.")
    if by == "energy":
        found = sample_chains(model, count, key=key)
        x, words = found.x, found.sampler
    elif by == "generator":
        x, words = generate(find_generator(model), count, key=key), "by the generator, no chain"
    else:
        found = refine(model, find_generator(model), count, key=key)
        x, steps = found.ends, found.energies.shape[1] - 1
        words = f"by the generator, then {steps} Langevin steps as in training"
    return Drawn(decode_rows(model, x), words)


def decode_rows(model: Model, x: Shaped[Array, " count *shape"]) -> Shaped[np.ndarray, "..."]:
    """Rows in the user's units, of rows in model units."""
    if model.schema.kinds is not None:
        return round_rows(model, x)
    return np.asarray(jax.vmap(model.transform.decode)(x))


def sample_chains(model: Model, count: int, *, key: PRNGKeyArray) -> Samples:
    """`count` independent chains, each followed to its end.

    A model trained at temperature 1 is sampled by Hamiltonian Monte Carlo from draws of the base,
    exact but for what is left of the start. One trained cold, or by short runs, is sampled as it
    was trained: by its own Langevin steps, as many as a chain of training lives, from where those
    started: at samples of its generator, or at draws of the base. Raises Diverged for samples that
    are not finite. Bits, categories and mixed columns have samplers of their own.
    """
    if model.schema.states is not None:
        return Samples(*draw_mass(model, count, key=key))
    if model.schema.kinds is not None:
        return Samples(*draw_columns(model, count, key=key))
    path = model.method.noise_path(model.base)
    if path is not None:
        return _from_noise(model, path, count, key=key)
    chain = model.training_chain
    if chain is not None and chain.at_generator:
        return _from_generator(model, count, key=key)
    born, tune, move = jax.random.split(key, 3)
    starts = draws(model.base, count, key=born)
    if chain is not None:
        sampler, energy, steps = chain.sampler, model.raw, chain.steps
        words = f"Langevin as in training, {steps} steps from the base"
    else:
        sampler, energy = make_hmc(model, starts[0], key=tune), model.energy
        steps = STEPS
        words = f"Hamiltonian Monte Carlo, {steps} transitions of {LEAPS} leapfrog steps"
    thin = max(1, steps // KEPT)
    steps -= steps % thin
    state, info = chains(sampler, energy, starts, steps, key=move, keep=_info, thin=thin)
    if not bool(jnp.all(jnp.isfinite(state.x))):
        raise Diverged(
            "The chains of this model run off to infinity: its energy is not bounded below. Train "
            "with a base (--base gaussian) or a smaller --learning-rate."
        )
    scale = 1.0 if chain is None else model.method.temperature
    rate = float(jnp.mean(info.acceptance)) if chain is None else None
    return Samples(state.x, np.asarray(info.energy) / scale, rate, words)


def _from_noise(model: Model, path: NoisePath, count: int, *, key: PRNGKeyArray) -> Samples:
    """Down the noise levels, then some adjusted steps with the energy of the lowest one."""
    born, blur, move, settle = jax.random.split(key, 4)
    blocks = -(-count // BLOCK)
    starts = draws(model.base, blocks * BLOCK, key=born)
    starts += path.levels[0] * jax.random.normal(blur, starts.shape, starts.dtype)
    ends = [
        heun_flow(model.trained, path.levels, block, path.churn, key=key)
        for block, key in zip(
            jnp.split(starts, blocks), jax.random.split(move, blocks), strict=True
        )
    ]
    energy = model.method.select_energy(model.trained)
    x = jnp.concatenate(ends)[:count]
    # The best step falls with the cube root of the axes (Roberts and Rosenthal 1998).
    walk = mala(path.levels[-1] ** 2 / x[0].size ** (1 / 3))
    state, info = chains(walk, energy, x, SETTLING, key=settle, keep=_info)
    if not bool(jnp.all(jnp.isfinite(state.x))):
        raise Diverged(
            "Draws of this model run off to infinity on their way down the noise levels: train "
            "with a smaller --learning-rate."
        )
    steps = len(path.levels) - 1
    words = f"{steps} Heun steps down the noise levels, then {SETTLING} adjusted Langevin steps"
    return Samples(state.x, np.asarray(info.energy), float(jnp.mean(info.acceptance)), words)


def _info(state: State, info: Info) -> Info:
    return info


def make_hmc(model: Model, start: Array, *, key: PRNGKeyArray) -> AbstractSampler:
    """HMC with the step size and diagonal mass that window adaptation finds."""
    return adapt(hmc(1.0, LEAPS, jnp.ones(start.shape)), model.energy, start, key=key)


@dataclasses.dataclass(frozen=True)
class Walk:
    """Samples of a generator and what the chains of training make of them, in model units.

    `energies`: E/T of each at its start and after each step, nats, T the temperature of the chain.
    """

    starts: Float[Array, " count *shape"]
    ends: Float[Array, " count *shape"]
    energies: Float[Array, " count points"]


def refine(model: Model, players: TeachingPlayers, count: int, *, key: PRNGKeyArray) -> Walk:
    """Chains of training that start at samples of the generator, followed to their ends.

    Raises InputError where the energy was trained without such chains, Diverged for chains that
    run off.
    """
    chain = model.method.generator_chain
    if chain is None:
        raise InputError(
            f"This model ({model.method.name}) was trained without chains that start at its "
            "generator: choose --by generator or energy."
        )
    born, walk = jax.random.split(key)
    starts = _starts(players.generator, count, chain.noisy, key=born)
    energy = stop_gradient(players.energy)
    state, info = chains(chain.sampler, energy, starts, chain.steps, key=walk, keep=trace)
    ends = check_finite(state.x)
    energies = jnp.concatenate([info.energy, apply_each(energy, ends)[:, None]], axis=1)
    return Walk(starts, ends, energies / model.method.temperature)


@eqx.filter_jit
def _starts(
    generator: NoisyGenerator, count: int, noisy: bool, *, key: PRNGKeyArray
) -> Float[Array, " count *shape"]:
    first, then = jax.random.split(key)
    x = jax.vmap(generator)(jax.random.normal(first, (count, generator.latent)))
    if not noisy:
        return x
    return x + generator.std.astype(x.dtype) * jax.random.normal(then, x.shape, x.dtype)


def _from_generator(model: Model, count: int, *, key: PRNGKeyArray) -> Samples:
    found = refine(model, find_generator(model), count, key=key)
    steps = found.energies.shape[1] - 1
    words = f"Langevin as in training, {steps} steps from samples of the generator"
    energies = np.asarray(found.energies[:, :: max(1, steps // KEPT)])
    return Samples(found.ends, energies, None, words)
