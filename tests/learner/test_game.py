"""Each player's mean gradient in each game is the one that theory says; planted faults are seen."""

import dataclasses
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, flat, rows_of
from games import GAMES
from jax.flatten_util import ravel_pytree

from energax.energy import weights
from energax.learner import Players


def gradients(case, at, key, *, rules=None, rival=None, seeds=None, shift=0.0):
    """Gradients of the energy and of the rival in all their weights, of independent batches."""
    seeds = case.seeds if seeds is None else seeds
    rules = case.rules(at) if rules is None else rules
    rival = case.rival(at) if rival is None else rival
    energy = eqx.tree_at(lambda e: e.log_z, at.model, replace_fn=lambda c: c + shift)

    def one(batch, key):
        first, second, third = jax.random.split(key, 3)
        memory = rules.init(Players(energy, rival), batch, key=first)

        def energy_loss(energy):
            return rules.energy_loss(energy, rival, batch, memory, key=second)

        def rival_loss(moving):
            moved = eqx.combine(moving, still)
            return rules.rival_loss(moved, energy, batch, aux.memory, key=third)[0]

        slope, aux = jax.grad(energy_loss, has_aux=True)(energy)
        moving, still = weights(rival)
        return flat(slope), ravel_pytree(jax.grad(rival_loss)(moving))[0]

    rows = rows_of(at, (seeds, case.batch))
    return [np.asarray(g) for g in jax.jit(jax.vmap(one))(rows, jax.random.split(key, seeds))]


def expected(case, at):
    """The closed forms, flat."""
    energy, rival = case.slope(at)
    return [np.concatenate([np.ravel(part) for part in side]) for side in (energy, rival)]


@pytest.mark.parametrize("name", GAMES)
def test_mean_gradients_are_those_in_closed_form(name, key):
    """False alarm 1e-6 for each weight; a wrong sign, and a scale a tenth off, are seen."""
    case = GAMES[name]
    at = case.at(case.shape)
    for values, right in zip(gradients(case, at, key), expected(case, at), strict=True):
        assert agrees(values, right, case.margin)
        assert not agrees(-values, right, case.margin)
        assert not agrees(1.1 * values, right, case.margin)


SETTLING = [
    (name, shape)
    for name, case in GAMES.items()
    for shape in SHAPES
    if case.settled and (shape == "vector" or not name.startswith("f-") or name == "f-js")
]


@pytest.mark.parametrize(("name", "shape"), SETTLING)
def test_nothing_moves_where_the_energy_is_right_and_its_rival_at_its_best(name, shape, key):
    case = GAMES[name]
    at = case.at(SHAPES[shape])
    truth = dataclasses.replace(at, centre=at.mean, precision=1 / at.variance)
    case = case._replace(batch=64)
    found = gradients(case, truth, key, rival=case.settled(truth), seeds=200)
    for values in found:
        # A gradient that is 0 for each batch, to rounding, has no spread to be judged by.
        assert agrees(values, np.zeros(values.shape[1]), case.margin + 1e-9)


UNMOVED = [name for name, case in GAMES.items() if not case.sees_constant]


@pytest.mark.parametrize("name", UNMOVED)
def test_a_constant_in_the_energy_changes_nothing(name, key):
    """Z is never seen: the same batches give the same gradients, to rounding."""
    case = GAMES[name]
    at = case.at(case.shape)
    pairs = zip(
        gradients(case, at, key, seeds=20),
        gradients(case, at, key, seeds=20, shift=3.0),
        strict=True,
    )
    assert all(np.allclose(plain, shifted, atol=1e-9) for plain, shifted in pairs)


def test_flow_contrast_sees_the_constant(key):
    """Negative control: a classifier learns it."""
    case = GAMES["flow-contrastive"]
    at = case.at(case.shape)
    plain, shifted = (gradients(case, at, key, seeds=20, shift=s)[0] for s in (0.0, 3.0))
    assert not np.allclose(plain, shifted, atol=1e-3)


class Negated(eqx.Module):
    """A game about -E."""

    rules: eqx.Module

    def init(self, players, rows, *, key):
        return self.rules.init(players, rows, key=key)

    def energy_loss(self, energy, rival, batch, memory, *, key):
        return self.rules.energy_loss(lambda x: -energy(x), rival, batch, memory, key=key)

    def rival_loss(self, rival, energy, batch, memory, *, key):
        return self.rules.rival_loss(rival, lambda x: -energy(x), batch, memory, key=key)


HERE = "energax.learner.game"


def plain(patch):
    """Nothing is patched: the fault is in what the test hands over."""


def no_entropy(patch):
    patch.setattr(f"{HERE}.adversarial.log_density", lambda distribution, x: 0 * jnp.sum(x))


def loud_slope(patch):
    """The slope of the density is a tenth too large."""
    module = __import__(f"{HERE}.adversarial", fromlist=["estimate_score"])
    right = module.estimate_score

    def wrong(*given, key):
        slope, size = right(*given, key=key)
        return 1.1 * slope, size

    patch.setattr(module, "estimate_score", wrong)


def wrong_ratio(patch):
    mirrored = types.SimpleNamespace(log=lambda r: -float(np.log(r)))
    patch.setattr(f"{HERE}.flow_contrast.math", mirrored)


def wrong_trace(patch):
    module = __import__(f"{HERE}.stein", fromlist=["divergence"])
    right = module.divergence
    patch.setattr(module, "divergence", lambda *given, key: -right(*given, key=key))


def still_weights(patch):
    """The distribution that the model's mean is over is held constant."""
    module = __import__(f"{HERE}.f_divergence", fromlist=["normalise_weights"])
    right = module.normalise_weights
    patch.setattr(module, "normalise_weights", lambda *given: jax.lax.stop_gradient(right(*given)))


STEADY = [name for name in GAMES if not name.startswith("f-")]

FAULTS = {  # fault -> (game that must notice, patch, change of the rules, player that notices)
    **{f"{name}: the energy is negated": (name, plain, Negated, 0) for name in STEADY},
    **{f"{name}: the rival hears of -E": (name, plain, Negated, 1) for name in STEADY},
    "adversarial: no entropy": ("adversarial", no_entropy, lambda r: r, 1),
    "adversarial-generator: slope": ("adversarial-generator", loud_slope, lambda r: r, 1),
    "flow-contrastive: log r": ("flow-contrastive", wrong_ratio, lambda r: r, 1),
    "learned-stein: trace": ("learned-stein", wrong_trace, lambda r: r, 1),
    "f-kl: the weights are not differentiated": ("f-kl", still_weights, lambda r: r, 0),
    "f-js-whole: the weights are not differentiated": ("f-js-whole", still_weights, lambda r: r, 0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, key, monkeypatch):
    """Negative control of the distribution above."""
    name, plant, changed, player = FAULTS[fault]
    case = GAMES[name]
    at = case.at(case.shape)
    plant(monkeypatch)
    values = gradients(case, at, key, rules=changed(case.rules(at)))[player]
    right = expected(case, at)[player]
    assert not agrees(values, right, case.margin)
