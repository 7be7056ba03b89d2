"""Teaching by two chains, against closed forms where all is linear and Gaussian; bias and all."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, Place, rows_of
from jax.flatten_util import ravel_pytree
from mean_gradients import contrast
from teaching import (
    LATENT_STEP,
    SMEAR,
    STEP,
    Pair,
    Scene,
    decoding,
    encoding,
    scene,
    slope_of,
)

from energax.energy import weights
from energax.learner import (
    FromEncoder,
    TeachingRules,
    Variational,
)
from energax.network import NoisyGenerator
from energax.sampler import Langevin, mala

BATCH, SEEDS = 16, 1500
PLAYERS = ("energy", "generator", "encoder")


def each_gradient(rules, players, rows, keys, taught=PLAYERS):
    """Of each batch of rows: loss and gradient of each taught player, chains and all inside.

    What the chains begin from and walk by is made of the very weights that are differentiated. One
    gradient of the sum is that of each loss in its own player: where nothing leaks from the chains,
    no loss knows the weights of another player.
    """
    moving, still = weights(players)

    def one(batch, key):
        second, third = jax.random.split(key)

        def loss(moving):
            mine = eqx.combine(moving, still)
            prepared, _, _ = rules.prepare(mine, batch, None, key=second)
            losses = {
                "energy": lambda: rules.energy_loss(mine.energy, prepared.rows, prepared.x),
                "generator": lambda: rules.generator_loss(mine.generator, players, prepared),
                "encoder": lambda: rules.encoder_loss(mine.encoder, players, prepared, key=third),
            }
            values = {player: losses[player]()[0] for player in taught}
            return sum(values.values()), values

        grads, values = jax.grad(loss, has_aux=True)(moving)
        return {p: (values[p], ravel_pytree(getattr(grads, p))[0]) for p in taught}

    return jax.vmap(one)(rows, keys)


def fresh():
    """A program of its own, for what is patched: the shared one was traced without."""
    return eqx.filter_jit(lambda *given: each_gradient(*given))


SHARED = eqx.filter_jit(each_gradient)
"""Compiled once for all scenes of a shape and a kind of rules."""


def gradients(here, rules, key, *, taught=PLAYERS, seeds=SEEDS, shift=0.0, program=SHARED):
    """Of independent batches: values and gradients of each player's loss."""
    players = eqx.tree_at(lambda t: t.energy.log_z, here.players, replace_fn=lambda c: c + shift)
    rows, keys = rows_of(here.at, (seeds, BATCH)), jax.random.split(key, seeds)
    return jax.tree.map(np.asarray, program(rules, players, rows, keys, taught))


def of_generator(here, rules):
    def mean_loss(w, b):
        data = decoding(w, b, here.inferred())
        return data + rules.generator_weight * decoding(w, b, here.revised(rules.steps))

    return slope_of(mean_loss, here.w, here.b)


def of_encoder(here, rules):
    def mean_loss(a, c, log_v):
        data = encoding(a, c, log_v, here.inferred())
        return data + rules.encoder_weight * encoding(a, c, log_v, here.revised(rules.steps))

    return slope_of(mean_loss, here.a, here.c, np.log(here.v))


def of_energy(here, rules):
    parts = contrast(here.at, *here.marginal(rules.steps))
    return None, np.concatenate([np.ravel(part) for part in parts])


EXPECTED = {"energy": of_energy, "generator": of_generator, "encoder": of_encoder}


@pytest.mark.parametrize(("shape", "steps"), [("vector", 2), ("image", 0)])
def test_mean_gradients_are_those_in_closed_form(shape, steps, key):
    """False alarm 1e-6 for each weight; a wrong sign, and a scale a tenth off, are seen."""
    here = scene(SHAPES[shape])
    rules = here.rules(steps=steps)
    for player, (values, grads) in gradients(here, rules, key).items():
        value, right = EXPECTED[player](here, rules)
        assert agrees(grads, right), player
        assert not agrees(-grads, right), player
        assert not agrees(1.1 * grads, right), player
        assert value is None or agrees(values, value), player


def unfrozen(patch):
    """The chains, and where they begin, are differentiated through."""
    patch.setattr(jax.lax, "stop_gradient", lambda x: x)
    patch.setattr("energax.objective.likelihood.stop_gradient", lambda energy: energy)
    patch.setattr("energax.learner.teaching.posterior.stop_gradient", lambda energy: energy)


class WithoutHalf(eqx.Module):
    """The posterior that the released chains follow: of a squared error without its half."""

    generator: NoisyGenerator
    example: jax.Array

    def __call__(self, z):
        return jnp.sum(z**2) / 2 - 2 * self.generator.log_likelihood(self.example, z)


class WithoutPrior(eqx.Module):
    generator: NoisyGenerator
    example: jax.Array

    def __call__(self, z):
        return -self.generator.log_likelihood(self.example, z)


def posterior(kind, patch):
    patch.setattr("energax.learner.teaching.posterior.LatentPosterior", kind)


def rolled(name, patch):
    """The z of another row, or of another draw."""
    module = __import__("energax.learner.teaching.rules", fromlist=["TeachingBatch"])
    right = module.TeachingBatch

    def wrong(rows, z, seeds, x):
        z = jnp.roll(z, 1, axis=0) if name == "rows" else z
        mixed = dataclasses.replace(seeds, z=jnp.roll(seeds.z, 1, axis=0))
        return right(rows, z, mixed if name == "draws" else seeds, x)

    patch.setattr(module, "TeachingBatch", wrong)


FAULTS = {  # fault -> (players that must notice, patch)
    "chains leak": (PLAYERS, unfrozen),
    "no half in the posterior": (("generator",), functools.partial(posterior, WithoutHalf)),
    "no prior in the posterior": (("encoder",), functools.partial(posterior, WithoutPrior)),
    "z of other rows": (("generator", "encoder"), functools.partial(rolled, "rows")),
    "z of other draws": (("generator", "encoder"), functools.partial(rolled, "draws")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, key, monkeypatch):
    """Negative control of the distribution above."""
    taught, plant = FAULTS[fault]
    here = scene(SHAPES["vector"])
    rules = here.rules()
    right = {player: EXPECTED[player](here, rules)[1] for player in taught}
    plant(monkeypatch)
    found = gradients(here, rules, key, taught=taught, program=fresh())
    for player in taught:
        assert not agrees(found[player][1], right[player]), player


def test_a_constant_in_the_energy_changes_nothing(key):
    """Z is never seen: eq. 8."""
    here = scene(SHAPES["vector"])
    plain, shifted = (gradients(here, here.rules(), key, shift=s) for s in (0.0, 3.0))
    pairs = zip(jax.tree.leaves(plain), jax.tree.leaves(shifted), strict=True)
    assert all(np.allclose(a, b, atol=1e-9) for a, b in pairs)


def ideal(shape, std=1.1):
    """Data, energy and generator have one distribution, and the encoder is its posterior: all
    diagonal."""
    size = int(np.prod(shape))
    w = np.linspace(0.8, 1.2, size)
    variance = (w**2 + SMEAR**2).reshape(shape)
    mean = np.linspace(-0.5, 0.5, size).reshape(shape)
    at = Place(mean, variance, mean, 1 / variance)
    v = SMEAR**2 / (w**2 + SMEAR**2)
    a = np.diag(w / (w**2 + SMEAR**2))
    return Scene(at, np.diag(w), mean.ravel(), a, -a @ mean.ravel(), v)


def exact(steps=2, latent_steps=2, **changed):
    """Chains that leave their distribution as it is."""
    posterior = FromEncoder(mala(0.2), latent_steps)
    return TeachingRules(mala(0.2), posterior, steps, **changed)


@pytest.mark.parametrize("shape", SHAPES)
def test_where_all_are_right_the_terms_of_the_data_rest_and_the_others_do_not(shape, key):
    here = ideal(SHAPES[shape])

    def at_rest(grads):
        return agrees(grads, np.zeros(grads.shape[1]), 1e-9)

    resting = exact(generator_weight=0.0, encoder_weight=0.0)
    still = exact(steps=0, generator_weight=1.0, encoder_weight=1.0)
    for rules in (resting, still):
        for player, (_, grads) in gradients(here, rules, key, seeds=300).items():
            assert at_rest(grads), player
    restless = exact(generator_weight=1.0, encoder_weight=1.0)
    taught = ("generator", "encoder")
    for player, (_, grads) in gradients(here, restless, key, seeds=300, taught=taught).items():
        assert not at_rest(grads), player


@pytest.mark.parametrize("steps", [1, 4, 40])
def test_chains_that_forget_pull_the_generator_to_its_mean(steps, key):
    """One axis: Langevin chains of the very distribution of the draws pull by (1 - rho^k) w /
    s^2."""
    w = 1.3
    variance = w**2 + SMEAR**2
    # The precision whose Langevin chains, at this step, have that variance.
    k = (1 - np.sqrt(1 - 2 * STEP / variance)) / STEP
    one = np.ones(1)
    at = Place(0 * one, variance * one, 0 * one, k * one)
    here = Scene(at, np.diag(w * one), 0 * one, np.diag(one), 0 * one, one)
    rules = TeachingRules(Langevin(STEP), None, steps, generator_weight=1.0)
    grads = gradients(here, rules, key, taught=("generator",))["generator"][1]
    right = np.array([(1 - (1 - STEP * k) ** steps) * w / SMEAR**2, 0.0])
    assert agrees(grads, right)
    assert not agrees(grads, 0 * right)


def test_chains_of_no_steps_teach_nothing(key):
    """x+ is the draw itself, without blur to the bit; z+ says of q only what q said."""
    here = scene(SHAPES["image"])
    rules = TeachingRules(Langevin(STEP), None, 0, add_noise=False)
    alone = gradients(here, rules, key, seeds=9, taught=("generator",))["generator"][1]
    assert np.max(np.abs(alone)) < 1e-12
    from_encoder = FromEncoder(Langevin(LATENT_STEP), 0)
    for player, posterior in (("generator", None), ("encoder", from_encoder)):
        rules = here.rules(steps=0, encoder_weight=0.0, generator_weight=1.0, posterior=posterior)
        grads = gradients(here, rules, key, taught=(player,))[player][1]
        assert agrees(grads, np.zeros(grads.shape[1]))


@pytest.mark.parametrize("shape", SHAPES)
def test_without_chains_it_is_the_divergence_triangle(shape, key):
    """Generator: KL(Q || P) + KL(P || energy, q); encoder: KL(Q || P) and -log q on draws."""
    here = scene(SHAPES[shape])
    given = {"steps": 0, "generator_weight": 0.0, "encoder_weight": 1.0, "pathwise_weight": 1.0}
    rules = here.rules(posterior=Variational(), **given)
    size, latent = here.b.size, len(here.c)
    k, m = here.at.precision.ravel(), here.at.centre.ravel()
    row = np.hstack([np.diag(np.sqrt(here.at.variance.ravel())), np.zeros((size, latent))])
    constant = float(here.players.energy.log_z) - size * np.log(SMEAR * np.sqrt(2 * np.pi * np.e))

    def drawn(w, b):
        x1 = jnp.hstack([w, SMEAR * jnp.eye(size)])
        return Pair(b, x1, np.zeros(latent), np.eye(latent, latent + size))

    def generator(w, b):
        pair = drawn(w, b)
        cost = jnp.sum(k * ((b - m) ** 2 + jnp.sum(pair.x1**2, axis=1))) / 2
        guess = encoding(here.a, here.c, np.log(here.v), pair)
        return decoding(w, b, here.inferred(steps=0)) + cost + guess + constant

    def encoder(a, c, log_v):
        z1 = jnp.concatenate([(a @ row)[:, :size], jnp.diag(jnp.exp(log_v / 2))], axis=1)
        pair = Pair(here.at.mean.ravel(), row, a @ here.at.mean.ravel() + c, z1)
        prior = jnp.sum(pair.z0**2) + jnp.sum(pair.z1**2) - latent - jnp.sum(log_v)
        bound = prior / 2 + decoding(here.w, here.b, pair)
        return bound + encoding(a, c, log_v, drawn(here.w, here.b))

    right = {
        "generator": slope_of(generator, here.w, here.b),
        "encoder": slope_of(encoder, here.a, here.c, np.log(here.v)),
        "energy": of_energy(here, rules),
    }
    found = gradients(here, rules, key)
    for player, (value, slope) in right.items():
        values, grads = found[player]
        assert agrees(grads, slope), player
        assert not agrees(1.1 * grads, slope), player
        assert value is None or agrees(values, value), player
