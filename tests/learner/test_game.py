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


class Signed(eqx.Module):
    """E, or -E: the fault that shapes never show."""

    energy: eqx.Module
    sign: jax.Array

    def __call__(self, x):
        return self.sign * self.energy(x)


def each_gradient(rules, energy, rival, signs, rows, keys):
    """Gradients of the energy and of the rival in all their weights, for each batch of rows.

    `signs`: of E as the energy's loss knows it, and as the rival's loss does.
    """

    def one(batch, key):
        first, second, third = jax.random.split(key, 3)
        memory = rules.init(Players(energy, rival), batch, key=first)

        def energy_loss(energy):
            seen = Signed(energy, signs[0])
            return rules.energy_loss(seen, rival, batch, memory, key=second)

        def rival_loss(moving):
            moved, seen = eqx.combine(moving, still), Signed(energy, signs[1])
            return rules.rival_loss(moved, seen, batch, aux.memory, key=third)[0]

        slope, aux = jax.grad(energy_loss, has_aux=True)(energy)
        moving, still = weights(rival)
        return flat(slope), ravel_pytree(jax.grad(rival_loss)(moving))[0]

    return jax.vmap(one)(rows, keys)


def fresh():
    """A program of its own, for what is patched: the shared one was traced without."""
    return eqx.filter_jit(lambda *given: each_gradient(*given))


SHARED = eqx.filter_jit(each_gradient)
"""Compiled once for each game: players and signs are arguments."""


def gradients(case, at, key, *, rival=None, shift=0.0, signs=(1.0, 1.0), program=SHARED):
    """Gradients of the energy and of the rival, of independent batches."""
    rival = case.rival(at) if rival is None else rival
    energy = eqx.tree_at(lambda e: e.log_z, at.model, replace_fn=lambda c: c + shift)
    rows, keys = rows_of(at, (case.seeds, case.batch)), jax.random.split(key, case.seeds)
    found = program(case.rules(at), energy, rival, jnp.asarray(signs), rows, keys)
    return [np.asarray(g) for g in found]


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


SETTLING = [name for name, case in GAMES.items() if case.settled]


@pytest.mark.parametrize("name", SETTLING)
def test_nothing_moves_where_the_energy_is_right_and_its_rival_at_its_best(name, key):
    case = GAMES[name]
    rests(case, case.at(case.shape), key)


def test_nothing_moves_on_images(key):
    """One game for all: the rules look at rows one at a time, whatever their shape."""
    case = GAMES["adversarial-generator"]
    rests(case._replace(batch=64, seeds=200), case.at(SHAPES["image"]), key)


def rests(case, at, key):
    """Is each player's mean gradient 0 where the model and its rival are those of the data?"""
    truth = dataclasses.replace(at, centre=at.mean, precision=1 / at.variance)
    for values in gradients(case, truth, key, rival=case.settled(truth)):
        # A gradient that is 0 for each batch, to rounding, has no spread to be judged by.
        assert agrees(values, np.zeros(values.shape[1]), case.margin + 1e-9)


UNMOVED = [name for name, case in GAMES.items() if not case.sees_constant]


@pytest.mark.parametrize("name", UNMOVED)
def test_a_constant_in_the_energy_changes_nothing(name, key):
    """Z is never seen: the same batches give the same gradients, to rounding."""
    case = GAMES[name]
    at = case.at(case.shape)
    pairs = zip(
        gradients(case, at, key),
        gradients(case, at, key, shift=3.0),
        strict=True,
    )
    assert all(np.allclose(plain, shifted, atol=1e-9) for plain, shifted in pairs)


def test_flow_contrast_sees_the_constant(key):
    """Negative control: a classifier learns it."""
    case = GAMES["flow-contrastive"]
    at = case.at(case.shape)
    plain, shifted = (gradients(case, at, key, shift=s)[0] for s in (0.0, 3.0))
    assert not np.allclose(plain, shifted, atol=1e-3)


HERE = "energax.learner.game"


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


FAULTS = {  # fault -> (game that must notice, patch, player that notices)
    "adversarial: no entropy": ("adversarial", no_entropy, 1),
    "adversarial-generator: slope": ("adversarial-generator", loud_slope, 1),
    "flow-contrastive: log r": ("flow-contrastive", wrong_ratio, 1),
    "learned-stein: trace": ("learned-stein", wrong_trace, 1),
    "f-kl: the weights are not differentiated": ("f-kl", still_weights, 0),
    "f-js-whole: the weights are not differentiated": ("f-js-whole", still_weights, 0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, key, monkeypatch):
    """Negative control of the gradients above."""
    name, plant, player = FAULTS[fault]
    case = GAMES[name]
    at = case.at(case.shape)
    plant(monkeypatch)
    values = gradients(case, at, key, program=fresh())[player]
    assert not agrees(values, expected(case, at)[player], case.margin)


STEADY = [name for name in GAMES if not name.startswith("f-")]


@pytest.mark.parametrize("player", [0, 1], ids=["energy", "rival"])
@pytest.mark.parametrize("name", STEADY)
def test_a_negated_energy_is_seen(name, player, key):
    """Negative control of the gradients above: the energy's loss, or the rival's, is about -E."""
    case = GAMES[name]
    at = case.at(case.shape)
    signs = (-1.0, 1.0) if player == 0 else (1.0, -1.0)
    values = gradients(case, at, key, signs=signs)[player]
    assert not agrees(values, expected(case, at)[player], case.margin)
