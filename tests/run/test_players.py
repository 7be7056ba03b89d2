"""The other players of a run after training: they come back, they draw, they read rows."""

import re
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from commands import as_a_user, energax, moons, refused, thin_flows, tiny
from PIL import Image

from energax import train
from energax.energy import weights
from energax.learner import Players, TeachingPlayers
from energax.model import config, find_generator, fitting, interpolate, load, reconstruct
from energax.model.latent import mix
from energax.model.players import list_auxiliary
from energax.run import Folder
from energax.train import Checkpoints
from energax.train.arrays import name_arrays

KEY = jax.random.key(3)


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


@pytest.fixture(autouse=True)
def _thin_flows(monkeypatch):
    thin_flows(monkeypatch)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Makes tiny runs on demand, each once: `runs(words)` is the folder."""
    folder, made = tmp_path_factory.mktemp("players"), {}
    np.save(folder / "moons.npy", moons())

    def run(words, source=None):
        if (words, source) not in made:
            made[words, source] = out = folder / str(len(made))
            method, *options = words.split()
            given = (*tiny(method), "--steps", 20, *options)
            said = energax("train", source or folder / "moons.npy", *given, "--out", out)
            assert said.status == 0, said
        return made[words, source]

    return run


KINDS = {
    "teaching --network mlp": (None, {"generator", "encoder"}),
    "teaching --posterior persistent": (None, {"generator"}),
    "teaching --network conv": ("digits", {"generator", "encoder"}),
    "cooperative": (None, {"generator"}),
    "stein-learned": (None, {"rival"}),
    "f-js --base mixture": (None, {"rival"}),
    "flow-contrastive --ema-decay 0 --no-validation": (None, {"rival"}),
    "nce": (None, set()),
}


def checkpoint(run):
    """The state of training at the newest checkpoint."""
    folder = Folder(run)
    rows = folder.dataset()
    ground = folder.groundwork(folder.method().count_rows(rows))
    learner, like, _, _ = fitting.start_run(folder.method(), ground, rows)
    return learner, Checkpoints(run / "checkpoints").restore(like).state


def same(one, other):
    """Are all arrays of two trees the same, by their names, to the bit?"""
    first, second = name_arrays(one), name_arrays(other)
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name])
        for name in first
    )


@pytest.mark.parametrize("words", KINDS)
def test_all_players_come_back_as_at_the_checkpoint(words, runs):
    source, names = KINDS[words]
    run = runs(words, source)
    written = train.list_parts(run / "weights.safetensors")
    averaged = {"average"} if Folder(run).method().training.ema_decay else set()
    assert written == {"energy", *averaged, *names}
    learner, state = checkpoint(run)
    assert same(weights(load(run).raw)[0], weights(learner.energy(state))[0])
    found = load(run).players
    if not names:
        assert found is None
        return
    assert type(found) is (TeachingPlayers if "generator" in names else Players)
    assert {name for name, part in list_auxiliary(found).items() if part is not None} == names
    for name in names:
        assert same(list_auxiliary(found)[name], list_auxiliary(state)[name]), name
        assert name_arrays(list_auxiliary(found)[name]), "there are arrays to compare"
    spoilt = jax.tree.map(
        lambda a: a + 1e-3 if eqx.is_inexact_array(a) else a, list_auxiliary(state)
    )
    assert not same(list_auxiliary(found), spoilt), "the comparison can fail"


def test_weights_without_the_other_players_are_refused(runs, tmp_path):
    run = tmp_path / "old"
    shutil.copytree(runs("teaching --network mlp"), run)
    file, model = run / "weights.safetensors", load(run)
    parts = {"energy": weights(model.trained)[0], "average": weights(model.trained)[0]}
    train.write_weights(file, parts, config.list_facts(run))
    said = refused(energax("sample", run, "--by", "generator", "--out", tmp_path / "x.csv"))
    assert str(file) in said


def test_draws_by_the_generator_are_its_own(runs, tmp_path):
    run, out = runs("teaching --network mlp"), tmp_path / "x.npz"
    said = energax("sample", run, "--by", "generator", "--num", 30, "--seed", 3, "--out", out)
    assert said.status == 0, said
    assert "by the generator, no chain" in said.out
    model = load(run)
    players = find_generator(model)
    z = jax.random.normal(KEY, (30, players.generator.latent))
    mine = jax.vmap(model.transform.decode)(jax.vmap(players.generator)(z))
    np.testing.assert_allclose(np.load(out)["draws"], mine, rtol=1e-5)
    assert np.abs(np.load(out)["draws"][:, 0] - 100).max() < 100, "in the user's units"


ERRORS = re.compile(r"error (\S+) at .*?(?:, (\S+) after (\d+) Langevin steps on z)?\.$", re.M)


def test_reconstruct_writes_rows_in_the_users_units(runs, tmp_path):
    run, rows = runs("teaching --network mlp"), moons(320)[300:].astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    said = energax("reconstruct", run, tmp_path / "rows.npy", "--out", tmp_path / "x.npz")
    assert said.status == 0, said
    assert "at the encoder's mean" in said.out
    before, after, steps = ERRORS.search(said.out).groups()
    with np.load(tmp_path / "x.npz", allow_pickle=False) as saved:
        made_, z = saved["reconstructions"], saved["z"]
    assert (made_.shape, z.shape) == ((20, 2), (20, find_generator(load(run)).generator.latent))
    assert float(after) == pytest.approx(np.mean((made_ - rows) ** 2), rel=1e-3)
    assert int(steps) == load(run).latent_chain.latent_steps
    # No chain: the generator of the encoder's mean, by hand.
    plain = energax(
        "reconstruct", run, tmp_path / "rows.npy", "--steps", 0, "--out", tmp_path / "x.csv"
    )
    assert ERRORS.search(plain.out).groups() == (before, None, None)
    model = load(run)
    players = find_generator(model)
    y = jnp.stack([model.transform.encode(row, key=KEY)[0] for row in jnp.asarray(rows)])
    x = jax.vmap(lambda v: model.transform.decode(players.generator(players.encoder(v)[0])))(y)
    np.testing.assert_allclose(pl.read_csv(tmp_path / "x.csv").to_numpy(), x, rtol=1e-5)
    assert float(before) == pytest.approx(float(np.mean((np.asarray(x) - rows) ** 2)), rel=1e-3)


def test_images_stand_beside_their_reconstructions(runs, tmp_path):
    run = runs("teaching --network conv", "digits")
    test = Folder(run).dataset().test[:6]
    np.save(tmp_path / "rows.npy", test)
    out = tmp_path / "x.png"
    said = energax("reconstruct", run, tmp_path / "rows.npy", "--out", out)
    assert said.status == 0, said
    model = load(run)
    made_ = reconstruct(model, test, key=jax.random.key(0)).rows
    with Image.open(out) as picture:
        across, down = 4, 3
        zoom = 512 // (10 * across)
        assert picture.size == (10 * across * zoom, 10 * down * zoom)
        shown = np.asarray(picture)[::zoom, ::zoom]
    grey = np.round(255 * np.stack([test[2], made_[2]]).astype(float) / 16).astype(np.uint8)
    assert np.array_equal(shown[11:19, 1:9], grey[0])
    assert np.array_equal(shown[11:19, 11:19], grey[1])


def test_without_an_encoder_chains_start_from_the_prior(runs, tmp_path):
    run = runs("teaching --posterior persistent")
    np.save(tmp_path / "rows.npy", moons(20))
    said = energax("reconstruct", run, tmp_path / "rows.npy", "--out", tmp_path / "x.csv")
    assert said.status == 0, said
    assert "at a sample of N(0, I)" in said.out


def test_a_variational_encoder_has_no_chain_of_its_own(runs, tmp_path):
    np.save(tmp_path / "rows.npy", moons(20))
    run = runs("teaching --posterior variational")
    said = energax("reconstruct", run, tmp_path / "rows.npy", "--out", tmp_path / "x.csv")
    assert said.status == 0, said
    assert "Langevin steps on z" not in said.out


def test_lines_are_straight_and_end_at_reconstructions(runs, tmp_path):
    ends = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, -6.0]])
    assert np.allclose(mix(*ends, 4)[0], [[0, 0], [1, -2], [2, -4], [3, -6]])
    run = runs("teaching --network mlp")
    model, rows = load(run), moons(6).astype(np.float32)
    found = interpolate(model, rows[:3], rows[3:], 5, key=KEY)
    assert found.shape == (3, 5, 2)
    mine = reconstruct(model, rows, key=KEY).rows
    np.testing.assert_allclose(found[:, 0], mine[:3], rtol=1e-5)
    np.testing.assert_allclose(found[:, -1], mine[3:], rtol=1e-5)
    said = energax("interpolate", run, "--rows", 3, "--num", 5, "--out", tmp_path / "x.npz")
    assert said.status == 0, said
    assert np.load(tmp_path / "x.npz")["draws"].shape == (15, 2)


def test_lines_of_images_are_lines_of_the_sheet(runs, tmp_path):
    run, out = runs("teaching --network conv", "digits"), tmp_path / "x.png"
    said = energax("interpolate", run, "--rows", 2, "--num", 6, "--out", out)
    assert said.status == 0, said
    with Image.open(out) as picture:
        assert picture.width / picture.height == 3


REFUSALS = {
    "no generator": ("nce", "sample --by generator", "has no generator, for it was trained by nce"),
    "a critic is none": ("stein-learned", "sample --by generator", "has no generator"),
    "no chain from it": (
        "teaching --chain-steps 0",
        "sample --by generator-chain",
        "was trained without chains that start at its generator",
    ),
    "no generator to read with": ("nce", "reconstruct rows.npy", "has no generator"),
    "width": ("cooperative", "reconstruct wide.npy", "wide.npy has 3 columns; the model was"),
    "no encoder and no steps": (
        "cooperative",
        "reconstruct rows.npy --steps 0",
        "--steps must be at least 1; got 0",
    ),
    "steps": ("cooperative", "reconstruct rows.npy --steps -1", "--steps must be at least 0"),
    "no picture": ("cooperative", "reconstruct rows.npy --png", "is no image; use .csv"),
    "few rows": ("cooperative", "interpolate --rows 40", "need 80 test rows"),
    "one point": ("cooperative", "interpolate --num 1", "--num must be at least 2; got 1"),
    "no generator between": ("nce", "interpolate", "has no generator"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_in_one_sentence(what, runs, tmp_path):
    method, words, sentence = REFUSALS[what]
    np.save(tmp_path / "rows.npy", moons(20))
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(20, 3)))
    command, *options = words.split()
    out = tmp_path / ("x.png" if "--png" in options else "x.csv")
    options = [tmp_path / w if w.endswith(".npy") else w for w in options if w != "--png"]
    said = energax(command, runs(method), *options, "--out", out)
    assert sentence in refused(said)
    assert not out.exists()


def test_chains_that_run_off_are_reported(runs, tmp_path):
    run = runs("teaching --latent-step-size 3 --latent-steps 1")
    np.save(tmp_path / "rows.npy", moons(20))
    words = ("reconstruct", run, tmp_path / "rows.npy", "--steps", 500)
    said = energax(*words, "--out", tmp_path / "x.csv")
    assert said.status == 3, said
    assert "The chains on z run off to infinity at steps of 3" in said.err


LEAPS = {
    "energy": "--learning-rate",
    "generator": "--generator-learning-rate",
    "encoder": "--encoder-learning-rate",
}


@pytest.mark.parametrize(("player", "fresh"), [("energy", 1), ("generator", 1), ("encoder", 0.01)])
def test_the_player_that_fails_first_is_named(player, fresh, tmp_path):
    """With chains that start at the generator's draws the energy meets its leap at once."""
    np.save(tmp_path / "moons.npy", moons())
    words = (*tiny("teaching"), "--clip", 1e9, LEAPS[player], 1e12, "--steps", 40)
    words += ("--reinit-probability", fresh, "--out", tmp_path / "run")
    said = energax("train", tmp_path / "moons.npy", *words)
    assert said.status == 3, said
    assert [name for name in LEAPS if f"The {name} failed first: " in said.err] == [player]
