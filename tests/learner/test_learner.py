"""Descent makes the step that autodiff and Optax say, averages as it says, and moves no more."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import Bowl

from energax.energy import Gaussian, Neural, Normalised, Tilt
from energax.learner import Descent
from energax.network import MLP
from energax.objective import (
    DenoisingScoreMatching,
    PersistentContrastiveDivergence,
)
from energax.sampler import Langevin

OBJECTIVES = {
    "dsm": lambda: DenoisingScoreMatching(0.3),
    "pcd": lambda: PersistentContrastiveDivergence(Langevin(0.1), base(), steps=2, size=16),
}


def base():
    return Gaussian(jnp.zeros(2), 1.5)


def bowl():
    return Bowl(jnp.asarray([0.5, -0.5]), jnp.asarray([1.5, 0.7]))


def tilted(key):
    """A network on a base distribution: weights beside constants, arrays beside functions."""
    return Tilt(base(), Normalised(Neural(MLP((2,), 4, 1, key=key), (2,))))


def rows(key, count=8):
    return jax.random.normal(key, (count, 2))


def arrays(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))]


@pytest.mark.parametrize(
    ("name", "precision"), [("pcd", "float64"), ("dsm", "float32")], indirect=["precision"]
)
def test_a_step_is_the_gradient_of_the_loss(name, precision, key):
    """Plain descent: old weights minus rate times autodiff of the same loss with the same key."""
    objective, rate = OBJECTIVES[name](), 0.1
    learner = Descent(objective, optax.sgd(rate))
    state = learner.init(bowl(), rows(key), key=key)

    def loss(energy):
        return objective(energy, rows(key), state.memory, key=key)[0]

    grad = eqx.filter_jit(jax.grad(loss))(bowl())
    after, metrics = eqx.filter_jit(learner.step)(state, rows(key), key=key)
    right = [old - rate * slope for old, slope in zip(arrays(bowl()), arrays(grad), strict=True)]
    for new, wanted in zip(arrays(after.energy), right, strict=True):
        assert np.allclose(new, wanted, rtol=1e-5)
        assert new.dtype == precision
    norm = np.sqrt(sum(np.sum(slope**2) for slope in arrays(grad)))
    assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=1e-5)
    assert {str(value.dtype) for value in metrics.values()} == {precision}
    assert int(after.updates) == 1


def stepped(learner, energy, key, count):
    """States before and after each of `count` updates."""
    state = learner.init(energy, rows(key), key=key)
    step = eqx.filter_jit(learner.step)
    states = [state]
    for now in jax.random.split(key, count):
        state, _ = step(state, rows(now), key=now)
        states.append(state)
    return states


def test_the_optimiser_remembers_what_came_before(key):
    """Steps of heavy-ball momentum, from the gradients that plain steps of the same rows show."""
    rate, momentum = 0.05, 0.9
    heavy = Descent(DenoisingScoreMatching(0.3), optax.sgd(rate, momentum))
    plain = Descent(DenoisingScoreMatching(0.3), optax.sgd(rate))
    states = stepped(heavy, bowl(), key, 3)
    moved = np.zeros_like(np.asarray(bowl().mean))
    for now, before, after in zip(jax.random.split(key, 3), states, states[1:], strict=False):
        fresh = plain.init(before.energy, rows(key), key=key)
        alone = eqx.filter_jit(plain.step)(fresh, rows(now), key=now)[0].energy.mean
        moved = momentum * moved + np.asarray(alone - before.energy.mean)
        assert np.allclose(after.energy.mean - before.energy.mean, moved, rtol=1e-6)
    assert not np.allclose(alone, states[-1].energy.mean)


def test_the_average_follows_its_formula_and_is_what_is_evaluated(key):
    learner = Descent(DenoisingScoreMatching(0.3), optax.adam(0.1), ema_decay=0.6)
    states = stepped(learner, bowl(), key, 8)
    right = np.asarray(bowl().mean)
    for t, state in enumerate(states[1:]):
        decay = min(0.6, (1 + t) / (10 + t))
        right = decay * right + (1 - decay) * np.asarray(state.energy.mean)
        assert np.allclose(state.average.mean, right, rtol=1e-12)
        assert np.array_equal(learner.energy(state).mean, state.average.mean)
    assert not np.allclose(right, states[-1].energy.mean)


def test_without_an_average_the_last_weights_are_evaluated(key):
    learner = Descent(DenoisingScoreMatching(0.3), optax.adam(0.1))
    state = stepped(learner, bowl(), key, 2)[-1]
    assert state.average is None
    assert eqx.tree_equal(learner.energy(state), state.energy)


def test_clipping_bounds_the_step_and_leaves_the_reported_norm_alone(key):
    def change(optimiser):
        learner = Descent(DenoisingScoreMatching(0.3), optimiser)
        state = learner.init(bowl(), rows(key), key=key)
        after, metrics = eqx.filter_jit(learner.step)(state, rows(key), key=key)
        moves = [new - old for new, old in zip(arrays(after.energy), arrays(bowl()), strict=True)]
        return np.concatenate(moves), float(metrics["grad_norm"])

    free, norm = change(optax.sgd(1.0))
    clipped, same = change(optax.chain(optax.clip_by_global_norm(0.01), optax.sgd(1.0)))
    assert norm == pytest.approx(np.linalg.norm(free))
    assert same == pytest.approx(norm)
    assert np.linalg.norm(clipped) == pytest.approx(0.01)
    assert np.allclose(clipped / 0.01, free / norm)


def test_a_weight_in_fixed_never_moves_not_even_by_decay(key):
    """AdamW pulls every weight it knows of towards 0, gradient or none."""
    learner = Descent(
        DenoisingScoreMatching(0.3), optax.adamw(0.1, weight_decay=0.5), ema_decay=0.9
    )
    start = tilted(key)
    state = stepped(learner, start, key, 3)[-1]
    for energy in (state.energy, learner.energy(state)):
        assert eqx.tree_equal(energy.base, start.base)
        for new, old in zip(arrays(energy.network), arrays(start.network), strict=True):
            assert np.all((new != old) | (old == 0))
    moments = arrays(state.optimiser)
    assert len(moments) == 2 * len(arrays(start.network))  # none kept for what is fixed


def test_the_state_shares_no_memory_with_the_caller_or_within_itself(key):
    """The loop donates its state: a shared buffer would be freed under the caller's hands."""
    energy, learner = tilted(key), Descent(OBJECTIVES["pcd"](), optax.adam(0.1), ema_decay=0.9)
    state = learner.init(energy, rows(key), key=key)

    def places(tree):
        found = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
        return [leaf.unsafe_buffer_pointer() for leaf in found]

    assert len(set(places(state))) == len(places(state))
    assert not set(places(state)) & set(places(energy))


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan")])
def test_bad_settings_are_named(decay):
    with pytest.raises(ValueError, match=r"`ema_decay` must lie in \[0, 1\) or be None"):
        Descent(DenoisingScoreMatching(), optax.sgd(0.1), decay)
