"""Chains that lag behind the energy: how far, what follows, and which states no swap takes down."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ladders import BITS, ladder, magnet, two_modes

from energax.energy import IndependentSites
from energax.learner import Ladder, Pause
from energax.learner.ladder.lag import LIMIT, LONGEST, MEMORY, REST, ROUNDS, measure_lag, remember
from energax.learner.ladder.rungs import Walkers
from energax.learner.ladder.watch import share_immobile
from energax.sampler import DiscreteLangevin
from energax.space import Bits

STEP = 0.01


def whole(value):
    return jnp.asarray(value, jnp.int32)


def test_the_lag_is_that_of_a_chain_that_stood_still():
    """All states of 8 fair bits, each a chain; ten updates tilt the energy by STEP a bit."""
    bits = jnp.sum(2 * Bits((BITS,)).enumerate().astype(float) - 1, axis=1)
    walkers = Walkers(bits[None], jnp.zeros((1, len(bits)), jnp.int32), 0 * bits[None])
    for _ in range(10):
        walkers = remember(walkers, -STEP * bits, jnp.asarray(True))
    still = remember(walkers, -STEP * bits, jnp.asarray(False))
    assert np.array_equal(still.lag, walkers.lag)
    kept = (1 - (1 - 1 / MEMORY) ** 10) * MEMORY / 10
    tilted = jax.nn.softmax(10 * STEP * kept * bits) @ bits / jnp.std(bits)
    lag = measure_lag(bits, walkers.lag[0])[0]
    assert float(lag) == pytest.approx(float(tilted), rel=0.03)
    elsewhere = jax.random.permutation(jax.random.key(0), bits)
    moved = measure_lag(elsewhere, walkers.lag[0])[0]  # chains that have moved since
    assert float(moved) < 0.3 * float(lag)


def test_tails_lag_as_well():
    """The mean of 1,000 chains keeps up, the share of those far out does not."""
    work = jnp.asarray(np.random.default_rng(0).normal(size=1000))
    far = (abs(work - jnp.mean(work)) > 2 * jnp.std(work)).astype(float)
    memory = far - jnp.mean(far)
    assert float(measure_lag(work, memory)[0]) == pytest.approx(float(jnp.std(far)), rel=1e-6)
    assert float(measure_lag(jnp.ones(8), jnp.ones(8))[0]) == 0


def test_a_pause_begins_ends_and_rests():
    high, low, sure = (jnp.asarray(value) for value in (2 * LIMIT, LIMIT / 3, 0.01))
    assert int(Pause.create().advance(low, sure).rounds) == 0
    assert int(Pause.create().advance(high, high).rounds) == 0  # may be chance
    pause = Pause.create().advance(high, sure)
    assert int(pause.rounds) == int(pause.extra) == ROUNDS
    assert int(pause.advance(0.7 * high / 2, sure).rounds) == 2 * ROUNDS
    ended = pause.advance(low, sure)
    assert (int(ended.rounds), int(ended.rest), int(ended.extra)) == (0, REST, 0)
    assert int(ended.advance(high, sure).rounds) == 0
    assert int(ended.advance(high, sure).rest) == REST - 1
    assert int(Pause(whole(LONGEST), whole(0)).advance(high, sure).rounds) == 0


def test_updates_pause_while_chains_lag(key):
    """A planted lag: weights stand still until chains from the base have taken their places."""
    learner = ladder(max_rungs=3, sweeps=1)
    rows = two_modes(key, 50)
    state = learner.init(magnet(), rows, key=key)
    # Far from the base, so that few chains of the top are exchanged at once.
    state = eqx.tree_at(
        lambda s: (s.energy.coupling, s.rungs.weights.coupling),
        state,
        (jnp.asarray(4.0), state.rungs.weights.coupling.at[0].set(4.0)),
    )
    spin = jnp.mean(2 * state.rungs.walkers.x[0].astype(float) - 1, axis=1)
    lag = -30 * (spin**2 - jnp.mean(spin**2)) / jnp.std(spin**2)
    lags = state.rungs.walkers.lag.at[0].set(lag)
    planted = eqx.tree_at(
        lambda s: (s.rungs.walkers.lag, s.pause), state, (lags, Pause(whole(ROUNDS), whole(0)))
    )
    step = eqx.filter_jit(learner.step)
    free, metrics = step(state, rows, key=key)
    assert not eqx.tree_equal(free.energy, state.energy)
    assert float(metrics["paused"]) == 0
    held, metrics = step(planted, rows, key=key)
    assert float(metrics["lag"]) > LIMIT / 2
    assert float(metrics["paused"]) == 1
    assert int(held.round) == int(free.round) + ROUNDS - int(state.growth.extra)
    for attempt in range(LONGEST // ROUNDS + 1):
        assert eqx.tree_equal(held.energy, state.energy)
        assert eqx.tree_equal(held.optimiser, state.optimiser)
        held, metrics = step(held, rows, key=jax.random.fold_in(key, attempt))
        if not float(metrics["paused"]):
            break
    assert float(metrics["lag"]) < LIMIT / 2
    assert int(held.pause.rest) == REST
    assert not eqx.tree_equal(held.energy, state.energy)


def test_states_that_no_swap_takes_down_are_counted():
    lower, upper = jnp.zeros(10), jnp.where(jnp.arange(8) < 2, 20.0, 0.0)
    assert float(share_immobile(lower, upper)) == 0.25
    # One in ten of the others would do.
    assert float(share_immobile(lower.at[0].set(20.0), upper)) == 0


def test_an_unadjusted_kernel_is_refused():
    base = IndependentSites(jnp.zeros((3, 2)), Bits((3,)))
    assert Ladder(base, DiscreteLangevin(0.2), optax.sgd(0.1)).chains == 128
    with pytest.raises(TypeError, match="Metropolis step"):
        Ladder(base, DiscreteLangevin(0.2, adjusted=False), optax.sgd(0.1))
