"""A game makes the steps that autodiff and Optax say, shares nothing, and finds a Gaussian."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import rows_of
from games import GAMES

from energax import train
from energax.energy import Gaussian, Tilt
from energax.errors import Diverged
from energax.learner import AdversarialLikelihood, FDivergence, FromDistribution, Game, Players
from energax.network import MLP


def players(name):
    case = GAMES[name]
    at = case.at(case.shape)
    return at, case.rules(at), Players(at.model, case.rival(at))


def arrays(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if eqx.is_inexact_array(leaf)]


def test_a_step_is_one_of_the_energy_then_rounds_of_the_rival(key):
    """Plain descent by hand: the rival answers the energy that has moved already."""
    at, rules, start = players("adversarial")
    rate, batch = 0.1, rows_of(at, (16,))
    learner = Game(rules, optax.sgd(rate), optax.sgd(rate), rounds=2)
    state = learner.init(start, batch, key=key)
    after, metrics = eqx.filter_jit(learner.step)(state, batch, key=key)

    first, then = jax.random.split(key)

    @eqx.filter_jit
    def by_hand(energy, rival):
        slope = eqx.filter_grad(lambda e: rules.energy_loss(e, rival, batch, None, key=first)[0])
        energy = eqx.apply_updates(energy, jax.tree.map(lambda g: -rate * g, slope(energy)))
        seen = []
        for now in jax.random.split(then, 2):
            answer = eqx.filter_value_and_grad(
                lambda r, now=now: rules.rival_loss(r, energy, batch, None, key=now)[0]
            )
            value, grad = answer(rival)
            rival = eqx.apply_updates(rival, jax.tree.map(lambda g: -rate * g, grad))
            seen.append(value)
        return energy, rival, seen

    energy, rival, seen = by_hand(start.energy, start.rival)
    for found, right in ((after.energy, energy), (after.rival, rival)):
        for new, wanted in zip(arrays(found), arrays(right), strict=True):
            assert np.allclose(new, wanted, rtol=1e-9)
    assert float(metrics["rival_loss"]) == pytest.approx(float(seen[1]))
    assert float(metrics["rival_loss"]) != pytest.approx(float(seen[0]))
    assert int(after.updates) == 1


def test_the_average_is_of_the_energy_alone_and_is_what_is_evaluated(key):
    at, rules, start = players("adversarial")
    learner = Game(rules, optax.adam(0.1), optax.adam(0.1), ema_decay=0.6)
    state, right = learner.init(start, rows_of(at, (16,)), key=key), start.energy.energy.mean
    step = eqx.filter_jit(learner.step)
    for t, now in enumerate(jax.random.split(key, 6)):
        state, _ = step(state, rows_of(at, (16,)), key=now)
        decay = min(0.6, (1 + t) / (10 + t))
        right = decay * right + (1 - decay) * state.energy.energy.mean
        assert np.allclose(learner.energy(state).energy.mean, right, rtol=1e-9)
    assert not np.allclose(right, state.energy.energy.mean)
    last = Game(rules, optax.adam(0.1), optax.adam(0.1))
    assert last.init(start, rows_of(at, (16,)), key=key).average is None


@pytest.mark.parametrize("name", GAMES)
def test_every_game_runs_in_single_precision_and_names_its_players(name, key):
    """As users run it: float32 in and out; the energy's loss is listed before the rival's."""
    with jax.enable_x64(False):
        at, rules, start = players(name)
        case = GAMES[name]
        batch = jnp.asarray(rows_of(at, (case.batch,)), jnp.float32)
        learner = Game(rules, optax.adam(0.1), optax.adam(0.1), rounds=2, ema_decay=0.9)
        state = learner.init(start, batch, key=jax.random.key(1))
        after, metrics = eqx.filter_jit(learner.step)(state, batch, key=jax.random.key(2))
    assert {str(value.dtype) for value in metrics.values()} == {"float32"}
    assert {str(leaf.dtype) for leaf in arrays(after)} == {"float32"}
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert all(np.isfinite(value) for value in metrics.values())
    names = list(metrics)
    assert names.index("grad_norm") < names.index("loss") < names.index("rival_grad_norm")
    assert "rival_loss" in names
    for side in ("energy", "rival"):
        before, now = arrays(getattr(state, side)), arrays(getattr(after, side))
        assert any(np.any(a != b) for a, b in zip(before, now, strict=True))


def test_what_is_fixed_in_either_player_never_moves_not_even_by_decay(key):
    """The base distribution, which both players tilt."""
    distribution = Gaussian(jnp.zeros(2), 1.5)
    start = Players(*(Tilt(distribution, MLP((2,), 4, 1, key=k)) for k in jax.random.split(key)))
    pull = optax.adamw(0.1, weight_decay=0.5)
    learner = Game(FDivergence(FromDistribution(distribution)), pull, pull, ema_decay=0.9)
    rows = jax.random.normal(key, (8, 2))
    state = learner.init(start, rows, key=key)
    after, _ = eqx.filter_jit(learner.step)(state, rows, key=key)
    for now, before in ((after.energy, start.energy), (after.rival, start.rival)):
        assert eqx.tree_equal(now.base, before.base)
        assert not eqx.tree_equal(now.network, before.network)


def test_the_state_shares_no_memory_with_the_caller_or_within_itself(key):
    distribution = Gaussian(jnp.zeros(2), 1.5)
    start = Players(
        Tilt(distribution, MLP((2,), 4, 1, key=key)), Tilt(distribution, MLP((2,), 4, 1, key=key))
    )
    learner = Game(AdversarialLikelihood(), optax.adam(0.1), optax.adam(0.1), ema_decay=0.9)
    state = learner.init(start, jnp.zeros((4, 2)), key=key)

    def places(tree):
        found = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
        return [leaf.unsafe_buffer_pointer() for leaf in found]

    assert len(set(places(state))) == len(places(state))
    assert not set(places(state)) & set(places(start))


TRAINED = {  # game -> rate of the energy, of its rival, and rounds
    "adversarial": (0.02, 0.05, 2),
    "adversarial-generator": (0.02, 0.05, 2),
    "learned-stein": (0.02, 0.05, 2),
    "flow-contrastive": (0.05, 0.02, 1),
    "f-kl": (0.02, 0.05, 2),
    "f-js": (0.05, 0.05, 2),
}


@pytest.mark.parametrize("name", TRAINED)
def test_training_finds_the_mean_and_the_precision_of_a_gaussian(name, key):
    """400 updates through the loop itself. Untrained, the first axis is 0.6 and a third off."""
    rate, answer, rounds = TRAINED[name]
    at, rules, start = players(name)
    rows = np.asarray(rows_of(at, (4000,)))
    fall = optax.cosine_decay_schedule
    learner = Game(
        rules,
        optax.adam(fall(rate, 400)),
        optax.adam(fall(answer, 400 * rounds), b1=0.5),
        rounds=rounds,
        ema_decay=0.97,
    )
    run = train.start(learner, start, rows, key=key, batch_size=256)
    run, _ = next(train.fit(learner, run, rows, batch_size=256, chunk_steps=400))
    found = learner.energy(run.state).energy

    def off(bowl):
        centre = np.abs(np.asarray(bowl.mean) - rows.mean(axis=0))
        width = np.abs(np.asarray(bowl.log_precision) + np.log(rows.var(axis=0)))
        return max(centre.max(), width.max())

    assert off(found) < 0.1
    assert off(start.energy.energy) > 0.2


def test_the_first_player_to_fail_is_named(key):
    """A rival that leaps diverges under its own name."""
    at, rules, start = players("adversarial")
    learner = Game(rules, optax.sgd(1e-3), optax.sgd(1e3))
    rows = np.asarray(rows_of(at, (100,)))
    run = train.start(learner, start, rows, key=key, batch_size=16)
    with pytest.raises(Diverged, match="rival"):
        for _ in train.fit(learner, run, rows, batch_size=16, chunk_steps=20):
            pass


def test_bad_settings_are_named():
    rules = AdversarialLikelihood()
    with pytest.raises(ValueError, match="`rounds` must be at least 1"):
        Game(rules, optax.sgd(0.1), optax.sgd(0.1), rounds=0)
    with pytest.raises(ValueError, match=r"`ema_decay` must lie in \[0, 1\) or be None"):
        Game(rules, optax.sgd(0.1), optax.sgd(0.1), ema_decay=1.0)
