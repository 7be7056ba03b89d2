"""One run: players trained on images, and what their draws, codes and energies come to."""

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from energax import sampler, train
from energax.data import Labelled
from energax.energy import LatentPosterior
from energax.errors import Stopped
from energax.evaluate import Estimate, frechet_distance, kernel_distance
from energax.learner import TeachingPlayers
from energax.reproduce.teach import outliers, players
from energax.reproduce.teach.images import images, judge
from energax.reproduce.teach.plan import Setting
from energax.sampler import Info, State
from energax.train import Interrupt

CHUNK = 50
"""Updates between two looks at the clock and at Ctrl-C."""
DRAWS, REBUILT, SHOWN = 5000, 2000, 16
"""Draws that are measured, test rows that are reconstructed, and images that are kept."""


def run(setting: Setting, seed: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The record of a whole run, and images of it where it is pictured.

    Raises Stopped after Ctrl-C, Diverged where a number is not finite.
    """
    if setting.learner == "plane":
        return {"seed": seed} | outliers.detections(setting, outliers.baseline(setting)), {}
    rows = images(setting.data, setting.pool)
    known = jnp.asarray(rows.train[: setting.rows])
    shape = known.shape[1:]
    born, go, walk = jax.random.split(jax.random.key(seed), 3)
    learner = players.learns(setting, shape)
    if setting.learner == "pcd":
        beginners = players.scalar(setting, shape, key=born)
    else:
        beginners = players.make_players(setting, shape, key=born)
    state, seconds = train_players(setting, learner, beginners, known, key=go)
    record: dict[str, Any] = {"seed": seed, "seconds": seconds}
    if setting.scored:
        return record | outliers.detections(setting, outliers.scores(state)), {}
    found, kept = measure(setting, state.players, key=walk)
    return record | found, kept if setting.pictured else {}


def train_players(
    setting: Setting, learner: Any, beginners: Any, rows: Array, *, key: PRNGKeyArray
) -> tuple[Any, float]:
    """The state after all updates, and the median seconds of one, compiling left out."""
    every: Any = rows
    if setting.posterior == "persistent":
        every = Labelled(rows, jnp.arange(len(rows)))
    size = min(players.BATCH, len(rows))
    run = train.start(learner, beginners, every, key=key, batch_size=size)
    chunk = min(CHUNK, setting.steps)
    fitting = train.fit(learner, run, every, batch_size=size, chunk_steps=chunk)
    laps: list[float] = []
    with Interrupt() as interrupt:
        while int(run.step) < setting.steps:
            began = time.perf_counter()
            run = next(fitting)[0]
            jax.block_until_ready(run.state)
            laps.append((time.perf_counter() - began) / chunk)
            if interrupt.requested:
                words = "Stopped; finished runs are kept, and the same command goes on."
                raise Stopped(words, interrupt.number)
    return run.state, float(np.median(laps[1:] or laps))


def measure(
    setting: Setting, networks: TeachingPlayers, *, key: PRNGKeyArray
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Distances of draws before and after the chain, energies and errors along both chains.

    A distance is that of features of `DRAWS` draws from those of all test rows.
    """
    born, revise, infer = jax.random.split(key, 3)
    rows = images(setting.data, setting.pool)
    z = jax.random.normal(born, (DRAWS, setting.latent))
    starts = _each(networks.generator, z)
    stages, energies = [starts], []
    if setting.chain > 0:
        chain = players.walk(setting, starts.shape[1:])
        ends, energies = refine(chain, networks, starts, setting.chain, key=revise)
        stages.append(ends)
    features_of = judge(setting.data, setting.pool).features
    target = features_of(rows.test)
    found = [features_of(np.asarray(jnp.clip(stage, -1, 1))) for stage in stages]
    codes, errors = infer_codes(setting, networks, jnp.asarray(rows.test[:REBUILT]), key=infer)
    record = {
        "frechet": [_value(frechet_distance(part, target)) for part in found],
        "kernel": [_value(kernel_distance(part, target)) for part in found],
        "energies": [float(value) for value in energies],
        "errors": [float(value) for value in errors],
    }
    kept = {"before": stages[0], "after": stages[-1]} | _codes_shown(networks, codes)
    kept["rows"] = jnp.asarray(rows.test)
    return record, {name: np.asarray(part[:SHOWN], np.float32) for name, part in kept.items()}


@eqx.filter_jit
def _each(player: Any, batch: Array) -> Any:
    return jax.vmap(player)(batch)


@eqx.filter_jit
def refine(
    chain: sampler.Langevin,
    networks: TeachingPlayers,
    starts: Array,
    steps: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Array, Array]:
    """Where chains of the energy end, and the mean energy before each step and after the last."""

    def before(state: State, info: Info) -> Array:
        return info.energy

    state, energies = sampler.chains(chain, networks.energy, starts, steps, key=key, keep=before)
    last = jnp.mean(jax.vmap(networks.energy)(state.x))
    return state.x, jnp.append(jnp.mean(energies, axis=0), last)


@eqx.filter_jit
def infer_codes(
    setting: Setting, networks: TeachingPlayers, rows: Array, *, key: PRNGKeyArray
) -> tuple[Array, Array]:
    """z of rows at the start and at the end of chains, (2, rows, latent), and the mean squared
    error of a pixel at the start and after each step.

    From the encoder's mean, or from N(0, I) without one: as many steps as in training, at least 10.
    """
    steps = max(10, setting.latent_chain)
    first, *keys = jax.random.split(key, len(rows) + 1)
    starts = jax.random.normal(first, (len(rows), setting.latent))
    if networks.encoder is not None:
        starts = jax.vmap(networks.encoder)(rows)[0]

    def square_error(x: Array, z: Array) -> Array:
        return jnp.mean((networks.generator(z) - x) ** 2)

    def one(x: Array, z: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
        chain, target = (
            sampler.Langevin(players.LATENT_STEP),
            LatentPosterior(networks.generator, x),
        )
        state, errors = sampler.run(
            chain, target, z, steps, key=k, keep=lambda state, info: square_error(x, state.x)
        )
        return state.x, errors

    ends, errors = jax.vmap(one)(rows, starts, jnp.stack(keys))
    first = jnp.mean(jax.vmap(square_error)(rows, starts))
    return jnp.stack([starts, ends]), jnp.append(first, jnp.mean(errors, axis=0))


def _codes_shown(networks: TeachingPlayers, codes: Array) -> dict[str, Array]:
    """Reconstructions before and after the chain, and a line from the first code to the second."""
    share = jnp.linspace(0.0, 1.0, SHOWN)[:, None]
    line = codes[1, :1] * (1 - share) + codes[1, 1:2] * share
    parts = {"started": codes[0, :SHOWN], "ended": codes[1, :SHOWN], "between": line}
    return {name: _each(networks.generator, z) for name, z in parts.items()}


def _value(found: Estimate) -> float:
    return float(found.value)
