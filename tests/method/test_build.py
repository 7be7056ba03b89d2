"""From a method to what is trained: every one makes a learner of its own that takes a step."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import as_a_user

from energax import data
from energax.data import Dataset, Labelled
from energax.energy import Gaussian, weights
from energax.learner import (
    Descent,
    DualTraining,
    FromEncoder,
    FromPrior,
    Game,
    PersistentPosterior,
    Teaching,
    Variational,
)
from energax.method import METHODS, Groundwork, build
from energax.method.teaching import ENCODED, make_optimisers
from energax.model import fitting
from energax.options import replace
from energax.train import fit

KEY = jax.random.key(0)
SIZE = 60
SMALL = {"batch_size": 16, "width": 8}


def rows_of(shape, levels=None):
    kind = np.float32 if levels is None else np.uint8
    rows = np.random.default_rng(0).integers(0, levels or 9, (SIZE + 20, *shape)).astype(kind)
    labels = np.arange(SIZE + 20) % 3
    return Dataset(
        "x",
        rows[:SIZE],
        rows[SIZE:],
        levels,
        train_labels=labels[:SIZE],
        test_labels=labels[SIZE:],
    )


PLANE, IMAGES = rows_of((2,)), rows_of((28, 28), 256)


def ground_of(rows):
    """N(0, I) and no transform."""
    return Groundwork(
        Gaussian(jnp.zeros(rows.shape)), data.Pipeline(()), len(rows.train), rows.labels
    )


def built(name, rows=PLANE, **options):
    """The method, small, what it moves, and its learner."""
    method = replace(METHODS[name].preset_for(rows), **(SMALL | options))
    return method, *method.build(ground_of(rows), key=KEY)


def metrics_of(players, learner, batch):
    """The names and shapes of the metrics of a first step; nothing is computed."""

    def step(batch, key):
        return learner.step(learner.init(players, batch, key=key), batch, key=key)[1]

    return eqx.filter_eval_shape(step, batch, KEY)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "dual"])
def test_every_method_makes_a_learner_that_takes_a_step(name):
    method, players, learner = built(name)
    rows = jnp.zeros((16, 2))
    labelled = type(method.training_rows(PLANE)) is Labelled
    assert labelled == method.classifies
    metrics = metrics_of(players, learner, Labelled(rows, jnp.zeros(16, int)) if labelled else rows)
    assert {"loss", "grad_norm"} <= set(metrics)
    assert all(value.shape == () for value in metrics.values())


def test_dual_makes_a_learner_that_takes_a_step():
    """Its start looks at the numbers of the rows, so it is carried out, not only traced."""
    _, players, learner = built("dual")
    rows = jnp.zeros((16, 2))
    state = learner.init(players, rows, key=KEY)
    metrics = eqx.filter_eval_shape(learner.step, state, rows, key=KEY)[1]
    assert {"loss", "distance", "variation"} <= set(metrics)
    assert all(value.shape == () for value in metrics.values())


def nature(learner):
    """What makes a learner another than the next: the class of its parts, and which member."""
    match learner:
        case DualTraining():
            return type(learner)
        case Teaching():
            return type(learner), type(learner.rules.posterior)
        case Game():
            return type(learner.rules), getattr(learner.rules, "kind", None)
        case Descent():
            return type(learner.objective)
    raise AssertionError(learner)


def test_every_method_has_a_learner_of_its_own():
    assert len({nature(built(name)[2]) for name in METHODS}) == len(METHODS)


POSTERIORS = {
    "encoder": FromEncoder,
    "prior": FromPrior,
    "persistent": PersistentPosterior,
    "variational": Variational,
    "none": type(None),
}


@pytest.mark.parametrize("rows", [PLANE, IMAGES], ids=["plane", "image"])
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_every_posterior_of_teaching_takes_a_step(posterior, rows):
    """Perceptrons for the plane, convolutions and a bounded generator for images."""
    options = {"posterior": posterior} | ({"chain_steps": 0} if posterior == "variational" else {})
    method, players, learner = built("teaching", rows, generator_width=8, **options)
    few = jnp.zeros((16, *rows.shape))
    kept = posterior == "persistent"
    assert type(method.training_rows(rows)) is (Labelled if kept else np.ndarray)
    metrics = metrics_of(players, learner, Labelled(few, np.arange(16)) if kept else few)
    assert {"loss", "generator_loss"} <= set(metrics)
    assert ("encoder_loss" in metrics) == (posterior in ENCODED)
    assert type(learner.rules.posterior) is POSTERIORS[posterior]
    assert learner.rules.steps == method.chain.walk.chain_steps
    assert learner.rules.add_noise == (rows is PLANE or posterior == "variational")
    assert method.temperature == pytest.approx(1.0) or learner.rules.steps > 0
    draw = eqx.filter_eval_shape(lambda key: players.generator.sample_pair(key=key)[1], KEY)
    assert draw.shape == rows.shape


@pytest.mark.parametrize("kind", ["plane", "table", "small image"])
def test_chains_follow_the_energy_itself_unless_their_noise_is_given(kind):
    exact = replace(METHODS["pcd"].preset(kind), step_size=0.02)
    assert exact.chain.noise == pytest.approx(math.sqrt(2 * 0.02))
    assert exact.temperature == pytest.approx(1.0)
    assert exact.training_chain is None
    cold = replace(exact, chain_noise=0.1)
    assert cold.temperature == pytest.approx(0.1**2 / 0.04)
    assert cold.training_chain.steps == round(
        cold.chain.walk.chain_steps / cold.buffer.reinit_probability
    )


def test_a_bound_of_zero_is_no_bound():
    cold = replace(METHODS["pcd"].preset("image"), chain_clip=0.0)
    assert METHODS["pcd"].preset("image").training_chain.sampler.clip == 0.01
    assert cold.training_chain.sampler.clip is None


def test_a_batch_is_never_larger_than_few_rows_unless_it_is_given():
    few = Dataset("x", PLANE.train[:30], PLANE.test)
    assert METHODS["nce"].preset_for(few).training.batch_size == 30 - 7, "a quarter is held out"
    assert METHODS["nce"].preset("plane").training.batch_size == 512
    given = replace(METHODS["nce"].preset_for(few), batch_size=64)
    assert given.training.batch_size == 64


PAPER = {
    "latent_dim": 128,
    "chain_steps": 30,
    "step_size": 0.125,
    "chain_noise": 0.001,
    "chain_clip": 0.0,
    "latent_steps": 10,
    "latent_step_size": 0.005,
    "noise": 0.2121,
    "generator_weight": 50.0,
    "encoder_weight": 0.1,
    "learning_rate": 1e-4,
    "generator_learning_rate": 3e-4,
    "encoder_learning_rate": 1e-4,
    "momentum": 0.0,
    "square_momentum": 0.9,
    "generator_weight_decay": 5e-4,
    "learning_rate_decay": 0.998,
    "clip": 1e9,
    "ema_decay": 0.0,
    "energy_penalty": 0.0,
    "spectral": True,
    "depth": 4,
    "halvings": 3,
}
"""CIFAR-10 of Cui and Han (2023), but for widths and the batch."""

THIN = {"width": 4, "generator_width": 6, "encoder_width": 2, "batch_size": 4}
PLAYERS = ("energy", "generator", "encoder")


@pytest.mark.slow
def test_an_update_at_published_options_moves_all_three_players():
    """Random images of 3x32x32 in float32, thin networks."""
    images = np.random.default_rng(0).random((40, 3, 32, 32)).astype(np.float32)
    rows = Dataset("x", images[:32], images[32:])
    method = replace(METHODS["teaching"].preset_for(rows), **PAPER, **THIN)
    assert method.temperature == pytest.approx(4e-6)
    assert method.restart == 1, "all chains start at the generator"
    with as_a_user():
        method, ground = fitting.prepare(method, rows)
        learner, run, inputs, size = fitting.start_run(method, ground, rows)
        before = players_of(run)
        chunks = fit(
            learner, run, inputs, chunk_steps=1, batch_size=size, transform=ground.transform
        )
        run, metrics = next(chunks)
    assert size == 4
    assert all(np.all(np.isfinite(values)) for values in metrics.values())
    for player, old, new in zip(PLAYERS, before, players_of(run), strict=True):
        assert {leaf.dtype for leaf in new} == {np.dtype("float32")}
        assert any(np.any(a != b) for a, b in zip(old, new, strict=True)), player
    generator, encoder = (getattr(run.state, name).network for name in PLAYERS[1:])
    assert generator.coarse == (4, 4)
    assert generator.blocks[0].first.weight.shape[-1] == 6
    assert encoder.stem.weight.shape[-1] == 2


def players_of(run):
    """The weights of each player, as NumPy arrays of their own."""
    found = (jax.tree.leaves(weights(getattr(run.state, name))[0]) for name in PLAYERS)
    return [[np.array(leaf) for leaf in leaves] for leaves in found]


def steps_of(moves, count):
    """The size of each step for a gradient of 1."""
    weight, found = jnp.ones(()), []
    memory = moves.init(weight)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(count):
            step, memory = moves.update(jnp.ones(()), memory, 0 * weight)
            found.append(-float(step))
        pulled, _ = moves.update(jnp.ones(()), moves.init(weight), weight)
    return np.array(found), -float(pulled)


def test_learning_rates_fall_by_their_factor_after_each_pass():
    """A gradient of 1 under Adam without memory: each step is the rate itself."""
    plain = {"momentum": 0.0, "square_momentum": 0.0, "clip": 1e9, "learning_rate_decay": 0.5}
    method = replace(
        METHODS["teaching"].preset_for(PLANE),
        batch_size=SIZE // 2,
        generator_weight_decay=0.1,
        **plain,
    )
    moves = make_optimisers(method, SIZE, 0.02)
    rates = (method.optimiser.learning_rate, method.generator.generator_learning_rate, 0.02)
    for optimiser, rate, pull in zip(
        (moves.energy, moves.generator, moves.encoder), rates, (0, 0.1, 0.1), strict=True
    ):
        steps, pulled = steps_of(optimiser, 6)
        assert np.allclose(steps, rate * np.array([1, 1, 0.5, 0.5, 0.25, 0.25]), rtol=1e-5)
        assert pulled == pytest.approx((1 + pull) * rate), "decoupled weight decay"


def test_a_rival_that_moves_more_often_has_as_many_passes():
    """Two updates of the rival for each of the energy: its rate falls after twice as many."""
    plain = {"momentum": 0.0, "square_momentum": 0.0, "clip": 1e9, "learning_rate_decay": 0.5}
    method = replace(METHODS["f-js"].preset_for(PLANE), batch_size=SIZE // 2, rounds=2, **plain)
    found = build.make_optimiser(
        method.optimiser, method.training, SIZE, learning_rate=0.01, rounds=method.rival.rounds
    )
    assert np.allclose(steps_of(found, 6)[0], 0.01 * np.array([1, 1, 1, 1, 0.5, 0.5]), rtol=1e-5)


def test_one_choice_makes_one_optimiser():
    """Runs that differ by their seed share a compiled program."""
    one, other = (replace(METHODS["nce"].preset_for(PLANE), seed=seed) for seed in (0, 1))
    made = [build.make_optimiser(m.optimiser, m.training, SIZE) for m in (one, other)]
    assert made[0] is made[1]
    third = dataclasses.replace(one.optimiser, clip=2.0)
    assert build.make_optimiser(third, one.training, SIZE) is not made[0]
