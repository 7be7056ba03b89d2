"""Settings: what is chosen, what is refused, what is recorded, and what the help says of it."""

import dataclasses
import math
import re
import shlex
import typing

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro
from commands import as_a_user
from energax.recipe import Train, build, methods, optimise
from energax.recipe.begin import free_path, repeated
from energax.recipe.defaults import kind_of, resolved
from energax.recipe.folder import new_folder, read_json, write_json
from energax.recipe.settings import GAMES, TAUGHT, Objective, Settings
from energax.recipe.titles import TITLES

from energax import data
from energax.data import Dataset, Labelled
from energax.energy import Gaussian, make_flow, weights
from energax.errors import InputError
from energax.learner import FromEncoder, FromPrior, PersistentPosterior, Variational
from energax.train import fit, start

SIZE = 2100
"""Training rows: more than the largest batch that is a default."""


def rows_of(shape, levels=None):
    rows = np.random.default_rng(0).integers(0, levels or 9, (SIZE + 100, *shape))
    kind = np.float32 if levels is None else np.uint8
    return Dataset("x", rows[:SIZE].astype(kind), rows[SIZE:].astype(kind), levels)


ROWS = {  # kind -> rows of that kind
    "plane": rows_of((2,)),
    "table": rows_of((7,)),
    "small image": rows_of((8, 8), 17),
    "image": rows_of((28, 28), 256),
}
LABELLED = dataclasses.replace(
    ROWS["plane"], train_labels=np.arange(SIZE) % 3, test_labels=np.arange(100) % 3
)
SETTINGS = [field.name for field in dataclasses.fields(Settings)]
OBJECTIVES = typing.get_args(Objective)
KEY = jax.random.key(0)


@pytest.mark.parametrize("kind", ROWS)
def test_rows_are_told_apart(kind):
    assert kind_of(ROWS[kind]) == kind


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", ROWS)
def test_what_is_given_wins_and_the_rest_is_chosen(kind, objective):
    found = resolved({"objective": objective, "width": 77, "steps": None}, ROWS[kind])
    assert (found.objective, found.width) == (objective, 77)
    assert all(getattr(found, name) is not None for name in SETTINGS)


def test_dual_makes_a_learner_that_takes_a_step():
    """Its start looks at the numbers of the rows, so it is carried out, not only traced."""
    settings = resolved({"objective": "dual", "batch_size": 16, "width": 8}, LABELLED)
    distribution, none, rows = Gaussian(jnp.zeros(2)), data.Pipeline(()), jnp.zeros((16, 2))
    made = methods.learner(settings, distribution, LABELLED)
    state = made.init(
        methods.players(settings, distribution, none, LABELLED, key=KEY), rows, key=KEY
    )
    metrics = eqx.filter_eval_shape(made.step, state, rows, key=KEY)[1]
    assert {"loss", "distance", "variation"} <= set(metrics)
    assert all(value.shape == () for value in metrics.values())


@pytest.mark.parametrize("word", [word for word in OBJECTIVES if word != "dual"])
def test_every_word_makes_a_learner_that_takes_a_step(word, monkeypatch):
    monkeypatch.setattr(methods, "fit_flow", lambda rows, seed: make_flow(rows.shape[1:], key=KEY))
    settings = resolved({"objective": word, "batch_size": 16}, LABELLED)
    distribution, none = Gaussian(jnp.zeros(2)), data.Pipeline(())
    made = methods.learner(settings, distribution, LABELLED)
    players = methods.players(settings, distribution, none, LABELLED, key=KEY)

    def call(rows, key):
        return made.step(made.init(players, rows, key=key), rows, key=key)[1]

    batch = jnp.zeros((16, 2))
    if word == "joint":
        batch = Labelled(batch, jnp.zeros(16, int))
    metrics = eqx.filter_eval_shape(call, batch, KEY)
    assert {"loss", "grad_norm"} <= set(metrics)
    assert all(value.shape == () for value in metrics.values())


POSTERIORS = {
    "encoder": FromEncoder,
    "prior": FromPrior,
    "kept": PersistentPosterior,
    "variational": Variational,
    "none": type(None),
}


@pytest.mark.parametrize("kind", ["plane", "image"])
@pytest.mark.parametrize("word", POSTERIORS)
def test_every_member_of_the_teaching_family_takes_a_step(word, kind):
    """Perceptrons for the plane, convolutions and a bounded generator for images."""
    rows = ROWS[kind]
    given = {"objective": "teaching", "posterior": word, "batch_size": 16}
    settings = resolved(given | ({"chain_steps": 0} if word == "variational" else {}), rows)
    distribution, none = Gaussian(jnp.zeros(rows.shape)), data.Pipeline(())
    made = methods.learner(settings, distribution, rows)
    players = methods.players(settings, distribution, none, rows, key=KEY)
    few = jnp.zeros((16, *rows.shape))
    batch = Labelled(few, np.arange(16)) if word == "kept" else few
    assert type(methods.training_rows(settings, rows)) is (
        Labelled if word == "kept" else np.ndarray
    )

    def call(rows, key):
        return made.step(made.init(players, rows, key=key), rows, key=key)[1]

    metrics = eqx.filter_eval_shape(call, batch, KEY)
    assert {"loss", "generator_loss"} <= set(metrics)
    assert ("encoder_loss" in metrics) == (word in ("encoder", "variational"))
    assert type(made.rules.posterior) is POSTERIORS[word]
    assert made.rules.steps == settings.chain_steps
    assert made.rules.add_noise == (kind == "plane" or word == "variational")
    assert settings.temperature == pytest.approx(1.0) or made.rules.steps > 0
    draw = eqx.filter_eval_shape(lambda key: players.generator.sample_pair(key=key)[1], KEY)
    assert draw.shape == rows.shape


def kind_of_method(word):
    """The class of an objective; of a game, that of its rules; of families which member, too."""
    settings = resolved({"objective": word}, ROWS["plane"])
    made = methods.learner(settings, Gaussian(jnp.zeros(2)), ROWS["plane"])
    if word == "dual":
        return type(made), None
    if word in TAUGHT:
        return type(made), type(made.rules.posterior)
    inner = made.rules if word in GAMES else made.objective
    return type(inner), getattr(inner, "kind", None)


def test_every_word_has_a_class_and_a_title_of_its_own():
    assert len({kind_of_method(word) for word in OBJECTIVES}) == len(OBJECTIVES)
    assert len(set(TITLES.values())) == len(OBJECTIVES)
    assert set(TITLES) == set(OBJECTIVES)


@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind != "image"])
def test_chains_follow_the_energy_itself_unless_told_otherwise(kind):
    found = resolved({"objective": "pcd", "step_size": 0.02}, ROWS[kind])
    assert found.chain_noise == pytest.approx(math.sqrt(2 * 0.02))
    assert found.temperature == pytest.approx(1.0)
    cold = resolved({"objective": "pcd", "step_size": 0.02, "chain_noise": 0.1}, ROWS[kind])
    assert cold.temperature == pytest.approx(0.1**2 / 0.04)


def test_a_batch_is_never_larger_than_few_rows_unless_told():
    few = Dataset("x", ROWS["plane"].train[:30], ROWS["plane"].test)
    assert resolved({}, few).batch_size == 30
    assert resolved({"batch_size": 64}, few).batch_size == 64


def hint(name):
    """What --help says is chosen for an option, "" where it has a plain default."""
    annotation = typing.get_type_hints(Train, include_extras=True)[name]
    if typing.get_origin(annotation) is not typing.Annotated:
        return ""
    return annotation.__metadata__[0].help_behavior_hint


@pytest.mark.parametrize("name", SETTINGS)
def test_help_tells_every_default_that_is_chosen(name):
    words = re.findall(r"\d[\d.]*(?:e-?\d+)?|\w+", hint(name))
    numbers = {float(word) for word in words if word[0].isdigit()}
    for kind, rows in ROWS.items():
        for objective in [None, *OBJECTIVES]:
            value = getattr(resolved({"objective": objective}, rows), name)
            if name == "objective" and objective is not None:
                continue
            if not words:
                assert value == getattr(Train(), name), (kind, objective)
            elif name == "chain_noise" and value not in numbers:
                assert "sqrt" in words
            elif type(value) is bool:
                assert ("yes" if value else "no") in words, (kind, objective, value)
            else:
                assert value in words or value in numbers, (kind, objective, value)


def other(name, value):
    """Another value than the default, of the same type, that the settings accept."""
    words = {
        "objective": "cd",
        "transform": "none",
        "network": "conv",
        "base": "none",
        "decay": 0.3,
        "fresh": 0.3,
        "momentum": 0.3,
        "square_momentum": 0.3,
        "direction": "sphere",
        "divergence": "kl",
        "kernel": "gaussian",
        "posterior": "prior",
    }
    if name in words:
        return words[name]
    return not value if type(value) is bool else value * 3 + type(value)(1)


def test_recorded_command_gives_every_setting_back():
    default = resolved({}, ROWS["plane"])
    given = {name: other(name, getattr(default, name)) for name in SETTINGS}
    settings = Settings(**given)
    assert all(getattr(settings, name) != getattr(default, name) for name in SETTINGS)
    words = shlex.split(repeated("a file's.csv", settings, 0.3))
    assert words[:2] == ["energax", "train"]
    parsed = tyro.cli(Train, args=words[2:], config=(tyro.conf.DisallowNone,))
    assert (parsed.data, parsed.test_fraction) == ("a file's.csv", 0.3)
    assert Settings(**{name: getattr(parsed, name) for name in SETTINGS}) == settings


@pytest.mark.parametrize("kind", ROWS)
def test_zero_turns_the_bound_of_the_drift_off(kind):
    assert resolved({"chain_clip": 0.0}, ROWS[kind]).chain_clip == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_numbers_that_mean_nothing_are_refused(value):
    names = [field.name for field in dataclasses.fields(Settings) if field.type is float]
    for name in names:
        with pytest.raises(InputError, match="--" + name.replace("_", "-")):
            resolved({name: value}, ROWS["plane"])


def test_a_run_without_a_name_takes_the_first_free_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(free_path("moons-pcd")) == "runs/moons-pcd-1"
    (tmp_path / "runs" / "moons-pcd-1").mkdir(parents=True)
    assert str(free_path("moons-pcd")) == "runs/moons-pcd-2"


class Broken(Exception):
    pass


def fails(path):
    with new_folder(path) as draft:
        (draft / "config.json").write_text("{")
        raise Broken


def test_a_folder_that_fails_half_way_is_not_there(tmp_path):
    with pytest.raises(Broken):
        fails(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_fails_half_way_keeps_what_was_there(tmp_path):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": math.nan})
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert read_json(tmp_path / "x.json") == {"a": 1}


PAPER = {
    "objective": "teaching",
    "latent": 128,
    "chain_steps": 30,
    "step_size": 0.125,
    "chain_noise": 0.001,
    "chain_clip": 0.0,
    "latent_steps": 10,
    "latent_step_size": 0.005,
    "noise": 0.2121,
    "synthetic": 50.0,
    "imitation": 0.1,
    "learning_rate": 1e-4,
    "rival_rate": 3e-4,
    "encoder_rate": 1e-4,
    "momentum": 0.0,
    "square_momentum": 0.9,
    "rival_decay": 5e-4,
    "rate_decay": 0.998,
    "clip": 1e9,
    "decay": 0.0,
    "energy_penalty": 0.0,
    "spectral": True,
    "depth": 4,
    "halvings": 3,
}
"""CIFAR-10 of Cui and Han (2023), but for widths and the batch."""


def test_an_update_at_published_settings_moves_all_three_players():
    """Random images of 3x32x32 in float32, thin networks."""
    images = np.random.default_rng(0).random((40, 3, 32, 32)).astype(np.float32)
    rows = Dataset("x", images[:32], images[32:])
    thin = {"width": 4, "rival_width": 6, "encoder_width": 2, "batch_size": 4}
    settings = resolved(PAPER | thin, rows)
    assert settings.temperature == pytest.approx(4e-6)
    assert settings.fresh == 1, "all chains begin at the generator"
    with as_a_user():
        transform = build.transform(settings, rows)
        distribution = build.base_distribution(settings, rows, transform)
        players = methods.players(settings, distribution, transform, rows, key=KEY)
        made = methods.learner(settings, distribution, rows)
        told = {"batch_size": 4, "transform": transform}
        run = start(made, players, rows.train, key=KEY, **told)
        before = players_of(run)
        run, metrics = next(fit(made, run, rows.train, chunk_steps=1, **told))
    assert all(np.all(np.isfinite(values)) for values in metrics.values())
    for player, old, new in zip(PLAYERS, before, players_of(run), strict=True):
        assert {leaf.dtype for leaf in new} == {np.dtype("float32")}
        assert any(np.any(a != b) for a, b in zip(old, new, strict=True)), player
    generator, encoder = run.state.generator.network, run.state.encoder.network
    assert generator.coarse == (4, 4)
    assert generator.blocks[0].first.weight.shape[-1] == 6
    assert encoder.stem.weight.shape[-1] == 2


PLAYERS = ("energy", "generator", "encoder")


def players_of(run):
    """The weights of each player, as NumPy arrays of their own."""
    found = (jax.tree.leaves(weights(getattr(run.state, name))[0]) for name in PLAYERS)
    return [[np.array(leaf) for leaf in leaves] for leaves in found]


def test_rates_fall_by_their_factor_after_each_pass():
    """A gradient of 1 under Adam without memory: each step is the rate itself."""
    rows = ROWS["plane"]
    given = {"objective": "teaching", "batch_size": len(rows.train) // 2, "rate_decay": 0.5}
    given |= {"momentum": 0.0, "square_momentum": 0.0, "clip": 1e9, "rival_decay": 0.1}
    moves = optimise.of_trio(resolved(given, rows), len(rows.train)).generator
    weight = jnp.ones(())
    memory, steps = moves.init(weight), []
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(6):
            step, memory = moves.update(jnp.ones(()), memory, 0 * weight)
            steps.append(-float(step))
        pulled, _ = moves.update(jnp.ones(()), moves.init(weight), weight)
    rate = steps[0]
    assert np.allclose(steps, rate * np.array([1, 1, 0.5, 0.5, 0.25, 0.25]), rtol=1e-5)
    assert -float(pulled) == pytest.approx(1.1 * rate), "decay adds 0.1 times the rate"
