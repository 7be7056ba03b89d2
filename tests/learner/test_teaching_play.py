"""Teaching makes the steps that autodiff and Optax say, in their order, and finds a Gaussian."""

import dataclasses
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees
from cases import SHAPES, rows_of
from mean_gradients import moved
from teaching import LATENT_STEP, SMEAR, STEP, STEPS, arrays, scene

from energax import train
from energax.data import Labelled
from energax.errors import Diverged
from energax.learner import (
    FromEncoder,
    Optimisers,
    PersistentPosterior,
    Teaching,
    TeachingPlayers,
    TeachingRules,
)
from energax.sampler import Langevin
from energax.train import Checkpoints

RATES = (0.1, 0.02, 0.05)
PLAYERS = ("energy", "generator", "encoder")


def slow(*rates):
    return Optimisers(*(optax.sgd(rate) for rate in rates))


@eqx.filter_jit
def by_hand(rules, players, batch, key):
    """One update by plain descent: generator, encoder, then the energy against draws made again.

    Beside the right one stand those of an energy against the draws of before, which is right where
    nothing is resampled, against other latent vectors, and against the generator of before.
    """
    prepare, teach, redo = jax.random.split(key, 3)
    prepared, _, _ = rules.prepare(players, batch, None, key=prepare)

    def step(player, rate, loss):
        grad = eqx.filter_grad(lambda player: loss(player)[0])(player)
        return eqx.apply_updates(player, jax.tree.map(lambda g: -rate * g, grad))

    energy_rate, generator_rate, encoder_rate = RATES
    before = players
    generator = step(
        players.generator, generator_rate, lambda g: rules.generator_loss(g, before, prepared)
    )
    players = TeachingPlayers(players.energy, generator, players.encoder)
    encoder = step(
        players.encoder, encoder_rate, lambda e: rules.encoder_loss(e, players, prepared, key=teach)
    )
    seeds, others = prepared.latent_noise, rules.draw_noise(generator, batch, key=redo)
    draws = {
        "resampled": rules.refine(players, seeds, key=redo)[0],
        "kept": prepared.x,
        "other latents": rules.refine(players, others, key=redo)[0],
        "old generator": rules.refine(before, seeds, key=redo)[0],
    }
    energies = {
        name: step(players.energy, energy_rate, lambda e, x=x: rules.energy_loss(e, batch, x))
        for name, x in draws.items()
    }
    return {name: TeachingPlayers(energy, generator, encoder) for name, energy in energies.items()}


@pytest.mark.parametrize("resample", [True, False])
def test_a_step_moves_generator_encoder_and_energy_in_this_order(resample, key):
    """Draws of the same z are made again by the generator that has moved; else a fault is seen."""
    here = scene(SHAPES["vector"])
    rules, batch = here.rules(), rows_of(here.at, (16,))
    learner = Teaching(rules, slow(*RATES), resample=resample)
    state = learner.init(here.players, batch, key=key)
    after, _ = eqx.filter_jit(learner.step)(state, batch, key=key)

    def same(players):
        pairs = zip(arrays(after.players), arrays(players), strict=True)
        return all(np.allclose(new, wanted, rtol=1e-9) for new, wanted in pairs)

    made = by_hand(rules, here.players, batch, key)
    right = "resampled" if resample else "kept"
    assert [name for name, players in made.items() if same(players)] == [right]
    assert int(after.updates) == 1


def test_without_a_posterior_it_is_cooperative_learning(key):
    """Xie et al. (2018), algorithm 1: one chain teaches both, by |g(z) - x+|^2 / 2 and by E."""
    here = scene(SHAPES["vector"])
    batch, players = rows_of(here.at, (16,)), dataclasses.replace(here.players, encoder=None)
    rules = TeachingRules(Langevin(STEP), None, 3, generator_weight=SMEAR**2, penalty=0.2)
    learner = Teaching(rules, slow(*RATES), resample=False)
    state = learner.init(players, batch, key=key)
    after, _ = eqx.filter_jit(learner.step)(state, batch, key=key)
    prepare = eqx.filter_jit(rules.prepare)
    prepared, _, _ = prepare(players, batch, None, key=jax.random.split(key, 3)[0])

    def missed(generator, z):
        return jnp.sum((jax.vmap(generator)(z) - prepared.x) ** 2) / (2 * len(prepared.x))

    def gap(energy):
        data, made = jax.vmap(energy)(batch), jax.vmap(energy)(prepared.x)
        middle = jax.lax.stop_gradient((jnp.mean(data) + jnp.mean(made)) / 2)
        spread = jnp.mean((data - middle) ** 2) + jnp.mean((made - middle) ** 2)
        return jnp.mean(data) - jnp.mean(made) + 0.2 * spread

    def went(player, rate, loss, moved):
        grad = eqx.filter_jit(eqx.filter_grad(loss))(player)
        right = eqx.apply_updates(player, jax.tree.map(lambda g: -rate * g, grad))
        pairs = zip(arrays(moved), arrays(right), strict=True)
        return all(np.allclose(new, wanted, rtol=1e-9) for new, wanted in pairs)

    energy_rate, rate, _ = RATES
    assert went(players.energy, energy_rate, gap, after.energy)
    assert went(
        players.generator, rate, lambda g: missed(g, prepared.latent_noise.z), after.generator
    )
    others = jnp.roll(prepared.latent_noise.z, 1, axis=0)
    assert not went(players.generator, rate, lambda g: missed(g, others), after.generator), (
        "planted"
    )
    assert not went(players.energy, -energy_rate, gap, after.energy), "planted"


FRESH, VISITS, CHAINS = 0.4, 3, 64


def lived(here, fresh, visits):
    """Mean and mean square of chains that began at rows and may restart before each visit."""
    found, left = 0.0, 1.0
    for age in range(visits):
        share = fresh * (1 - fresh) ** age
        mean, variance = here.marginal(STEPS * (age + 1))
        found, left = found + share * np.stack([mean, variance + mean**2]), left - share
    mean, variance = moved(here.at, STEPS * visits, here.at.mean, here.at.variance, STEP)
    return found + left * np.stack([mean, variance + mean**2])


def test_chains_that_persist_have_the_distribution_of_their_ages(key):
    """False alarm 1e-6 for each moment; other shares, starts and ages are seen. No player moves."""
    here = scene(SHAPES["vector"])
    learner = Teaching(here.rules(), slow(0.0, 0.0, 0.0), reinit_probability=FRESH)
    rows = rows_of(here.at, (800, CHAINS))

    def one(rows, key):
        first = learner.init(here.players, rows, key=key)
        moving, still = eqx.partition(first, eqx.is_array)

        def visit(moving, key):
            state, _ = learner.step(eqx.combine(moving, still), rows, key=key)
            return eqx.filter(state, eqx.is_array), None

        moving, _ = jax.lax.scan(visit, moving, jax.random.split(key, VISITS))
        chains = moving.chains
        return jnp.stack([jnp.mean(chains, axis=0), jnp.mean(chains**2, axis=0)])

    found = np.asarray(jax.jit(jax.vmap(one))(rows, jax.random.split(key, len(rows))))
    assert agrees(found, lived(here, FRESH, VISITS))
    for fresh, visits in ((0.5, VISITS), (0.0, VISITS), (1.0, VISITS), (FRESH, VISITS - 1)):
        assert not agrees(found, lived(here, fresh, visits))


def test_the_average_is_of_the_energy_alone_and_is_what_is_evaluated(key):
    here = scene(SHAPES["vector"])
    learner = Teaching(here.rules(), slow(*RATES), ema_decay=0.6)
    batch = rows_of(here.at, (16,))
    state, right = learner.init(here.players, batch, key=key), here.players.energy.energy.mean
    step = eqx.filter_jit(learner.step)
    for t, now in enumerate(jax.random.split(key, 5)):
        state, _ = step(state, batch, key=now)
        decay = min(0.6, (1 + t) / (10 + t))
        right = decay * right + (1 - decay) * state.energy.energy.mean
        assert np.allclose(learner.energy(state).energy.mean, right, rtol=1e-9)
    assert not np.allclose(right, state.energy.energy.mean)


def test_the_state_shares_no_memory_with_the_caller_or_within_itself(key):
    here = scene(SHAPES["vector"])
    adam = optax.adam(0.1)
    players = here.players
    state = Teaching(here.rules(), Optimisers(adam, adam, adam), ema_decay=0.9).init(
        players, rows_of(here.at, (4,)), key=key
    )

    def places(tree):
        found = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
        return [leaf.unsafe_buffer_pointer() for leaf in found]

    assert len(set(places(state))) == len(places(state))
    assert not set(places(state)) & set(places(players))


@pytest.mark.parametrize(("player", "wait"), [("energy", 0), ("generator", 3), ("encoder", 3)])
def test_the_first_player_to_fail_is_named(player, wait, key):
    """A player that leaps diverges under its own name: that of the energy has no prefix."""
    here = scene(SHAPES["vector"])

    def rate(step):
        return jnp.where(step < wait, 1e-4, 1e8)

    rates = [rate if name == player else 1e-4 for name in PLAYERS]
    learner = Teaching(here.rules(), slow(*rates))
    rows = np.asarray(rows_of(here.at, (100,)))
    run = train.start(learner, here.players, rows, key=key, batch_size=16)
    with pytest.raises(Diverged) as failure:
        for _ in train.fit(learner, run, rows, batch_size=16, chunk_steps=20):
            pass
    said = str(failure.value)
    names = [name for name in PLAYERS[1:] if said.startswith(name)]
    assert names == ([] if player == "energy" else [player]), said


def test_kept_chains_resume_bit_for_bit(key, tmp_path):
    """Players, optimisers and the chains of the rows come back from a checkpoint."""
    here = scene(SHAPES["vector"])
    rows = np.asarray(rows_of(here.at, (64,)))
    numbered = Labelled(rows, np.arange(64))
    adam = optax.adam(0.01)
    learner = Teaching(
        here.rules(posterior=PersistentPosterior(Langevin(LATENT_STEP), 64, 2)),
        Optimisers(adam, adam, adam),
    )

    def start_run():
        return train.start(learner, here.players, numbered, key=key, batch_size=8)

    def trained(run, chunks):
        fitting = train.fit(learner, run, numbered, batch_size=8, chunk_steps=5)
        for _ in range(chunks):
            run, _ = next(fitting)
        return run

    whole = trained(start_run(), 4)
    half, saved = trained(start_run(), 2), Checkpoints(tmp_path / "checkpoints")
    saved.save(half)
    again = trained(saved.restore(start_run()), 2)
    shutil.rmtree(tmp_path / "checkpoints")
    for found, right in zip(arrays(again.state), arrays(whole.state), strict=True):
        assert np.array_equal(found, right)


def test_training_finds_the_distribution_of_a_gaussian(key):
    """600 updates: the energy, by exp(-E), and the generator, but for what the trap takes."""
    here = scene(SHAPES["vector"], latent=3)
    rows = np.asarray(rows_of(here.at, (4000,)))
    fall = optax.cosine_decay_schedule
    optimisers = Optimisers(*(optax.adam(fall(rate, 600)) for rate in (0.03, 0.02, 0.02)))
    rules = TeachingRules(
        Langevin(0.05), FromEncoder(Langevin(0.02), 20), 10, generator_weight=0.02
    )
    learner = Teaching(rules, optimisers, ema_decay=0.97)
    run = train.start(learner, here.players, rows, key=key, batch_size=256)
    run, _ = next(train.fit(learner, run, rows, batch_size=256, chunk_steps=600))
    bowl, made = learner.energy(run.state).energy, run.state.generator
    slope = np.asarray(made.network.slope)
    covariance = slope @ slope.T + float(made.std) ** 2 * np.eye(3)
    assert np.allclose(made.network.shift, rows.mean(axis=0), atol=0.1)
    assert np.allclose(covariance, np.cov(rows.T), atol=0.15)
    assert np.allclose(bowl.mean, rows.mean(axis=0), atol=0.1)
    assert np.allclose(np.exp(-np.asarray(bowl.log_precision)), rows.var(axis=0), atol=0.2)
    start = here.players.energy.energy
    assert np.max(np.abs(np.asarray(start.mean) - rows.mean(axis=0))) > 0.3
