"""Chains of a trained model: where they start, how they end, the codes that they find."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import as_a_user

import energax as ex
from energax.energy import Gaussian
from energax.learner import TeachingPlayers
from energax.model.latent import infer_codes
from energax.model.players import generate
from energax.model.sampling import refine
from energax.network import Encoder, NoisyGenerator
from energax.options import replace

KEY = jax.random.key(3)
SMALL = {"steps": 10, "batch_size": 16, "width": 8, "depth": 1, "chunk_steps": 10}
SMALL |= {"generator_width": 8, "chain_steps": 4}


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


@functools.cache
def trained(method, **options):
    """A tiny model in the plane."""
    return ex.fit(ex.data.two_moons(train=300, test=60), method=method, **SMALL, **options)


def changed(model, players=None, **options):
    """The same model with other players, other options."""
    players = model.players if players is None else players
    return dataclasses.replace(model, method=replace(model.method, **options), players=players)


class Flat(eqx.Module):
    """g(z) = 0 in the plane."""

    def __call__(self, z):
        return 0 * z[:2]


@pytest.mark.parametrize("method", ["cooperative", "teaching"])
def test_the_chain_starts_at_the_generator_as_in_training(method):
    """Samples s e, walked by K steps h on N(0, 1): a variance v goes to (1 - h)² v + 2 h, K times.

    A sample variance of n = 8000 normals is off by more than 5 sqrt(2 / n) once in 2 million.
    """
    h, s, n = 0.05, 0.5, 8000
    players = TeachingPlayers(Gaussian(jnp.zeros(2)), NoisyGenerator(Flat(), 2, s))
    walk = {"step_size": h, "chain_noise": (2 * h) ** 0.5, "chain_clip": 0.0}
    model = changed(trained(method), players, **walk)
    found = np.asarray(refine(model, players, n // 2, key=KEY).ends, float).var()
    right, without_noise = s**2, 0.0
    for _ in range(SMALL["chain_steps"]):
        right, without_noise = ((1 - h) ** 2 * v + 2 * h for v in (right, without_noise))
    assert abs(found / right - 1) < 5 * (2 / n) ** 0.5
    for wrong in (without_noise, s**2):  # planted: no noise at the start; no chain
        assert abs(found / wrong - 1) > 5 * (2 / n) ** 0.5
    assert np.all(np.asarray(generate(players, 10, key=KEY)) == 0), "g(z) alone has no noise"


def stays(x, spread):
    """Have 2 n numbers this standard deviation? Off by 5 sqrt(1 / 4 n) once in 2 million."""
    return abs(np.asarray(x, float).std() - spread) <= 5 * spread / (2 * x.size) ** 0.5 + 1e-6


@pytest.mark.parametrize("method", ["teaching", "cooperative"])
def test_samples_of_a_cold_model_start_at_its_generator(method):
    """By the very chains of training; samples that start at the base are far from them."""
    model = trained(method, chain_noise=0.01, step_size=0.01)
    key = jax.random.key(0)
    both = [model.sample(20, by=by, key=key) for by in ("energy", "generator-chain")]
    assert np.array_equal(*both), "one way to do one thing"
    # A generator of zeros, with chains that hardly move: samples stay where they started.
    flat = TeachingPlayers(model.players.energy, NoisyGenerator(Flat(), 2, 0.5))
    still = changed(model, flat, step_size=1e-12, chain_noise=1e-9)
    mine = ex.model.sample_chains(still, 4000, key=KEY)
    assert "from samples of the generator" in mine.sampler
    assert stays(mine.x, 0.0), "cold chains start without noise"
    from_base = jax.vmap(lambda k: model.base.sample(key=k))(jax.random.split(KEY, 4000))
    assert not stays(from_base, 0.0), "planted"
    assert mine.energies.shape == (4000, SMALL["chain_steps"] + 1)
    own = np.asarray(jax.vmap(model.raw)(mine.x)) / still.method.temperature
    np.testing.assert_allclose(mine.energies[:, -1], own, rtol=1e-4)


def test_only_cold_models_start_there():
    for method in ("teaching", "cooperative"):
        assert trained(method).training_chain is None
        assert trained(method).method.generator_chain is not None


class Line(eqx.Module):
    """g(z) = 3 z on the first axis, z on the second."""

    def __call__(self, z):
        return jnp.array([3.0, 1.0]) * z


class Guess(eqx.Module):
    """An encoder's mean that is always 0, and log-variance -1."""

    def __call__(self, x):
        return jnp.concatenate([jnp.zeros(2), -jnp.ones(2)])


def test_codes_are_samples_of_the_posterior():
    """z given x = (2, -1) for g(z) = (3 z0, z1) and s: mean w x / (s² + w²), Langevin's variance.

    4000 chains; a mean is off by 5 standard errors once in 2 million, a variance too.
    """
    noise, step, size = 1.0, 0.05, 4000
    plain = trained("teaching")
    players = TeachingPlayers(plain.raw, NoisyGenerator(Line(), 2, noise), Encoder(Guess(), 2))
    model = changed(plain, players, latent_step_size=step)
    rows = jnp.tile(jnp.array([2.0, -1.0]), (size, 1))
    found = infer_codes(model, players, rows, 400, key=KEY)
    assert np.all(found.starts == 0), "from the encoder's mean, and not from a sample"
    weight = np.array([3.0, 1.0])
    precision = 1 + weight**2 / noise**2
    mean = weight * [2.0, -1.0] / noise**2 / precision
    variance = 1 / precision / (1 - step * precision / 2)
    z = np.asarray(found.ends, float)
    assert np.all(np.abs(z.mean(0) - mean) < 5 * np.sqrt(variance / size))
    assert np.all(np.abs(z.var(0) / variance - 1) < 5 * np.sqrt(2 / size))
    short = np.asarray(infer_codes(model, players, rows, 2, key=KEY).ends, float)
    assert np.any(np.abs(short.mean(0) - mean) > 5 * np.sqrt(variance / size)), "planted"
    assert np.array_equal(infer_codes(model, players, rows, 0, key=KEY).ends, found.starts)
