"""The other players of a run after training: they come back, they draw, they read rows."""

import dataclasses
import re
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from commands import TINY, as_a_user, energax, moons, refused
from energax.recipe import interpolated, load, load_players, load_trio, methods, reconstructed
from energax.recipe.draw import drawn
from energax.recipe.folder import Folder
from energax.recipe.generate import between, codes, generated, own_steps, revised
from energax.recipe.players import partners, starters
from PIL import Image

from energax import train
from energax.energy import Gaussian, weights
from energax.errors import InputError
from energax.learner import Players, TeachingPlayers
from energax.network import Encoder, NoisyGenerator
from energax.train import Checkpoints
from energax.train.save import name_arrays

KEY = jax.random.key(3)


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Makes tiny runs on demand, each once: `runs(words)` is the folder."""
    folder, made = tmp_path_factory.mktemp("players"), {}
    np.save(folder / "moons.npy", moons())

    def run(words, source=None):
        if (words, source) not in made:
            made[words, source] = out = folder / str(len(made))
            told = ("--steps", 20, "--objective", *words.split(), "--rival-width", 8)
            said = energax("train", source or folder / "moons.npy", *TINY, *told, "--out", out)
            assert said.status == 0, said
        return made[words, source]

    return run


KINDS = {
    "teaching --network mlp": (None, {"generator", "encoder"}),
    "teaching --posterior kept": (None, {"generator"}),
    "teaching --network conv": ("digits", {"generator", "encoder"}),
    "cooperative": (None, {"generator"}),
    "stein-learned": (None, {"rival"}),
    "f-js --base mixture": (None, {"rival"}),
    "flow-contrastive --decay 0": (None, {"rival"}),
    "nce": (None, set()),
}


def checkpoint(run):
    """The state of training at the newest checkpoint."""
    folder = Folder(run)
    settings, distribution, transform = folder.settings(), folder.distribution(), folder.transform()
    rows = folder.dataset()
    moved = methods.players(settings, distribution, transform, rows, key=KEY)
    learner, told = (
        methods.learner(settings, distribution, rows),
        methods.training_rows(settings, rows),
    )
    size = settings.batch_size
    like = train.start(learner, moved, told, key=KEY, batch_size=size, transform=transform)
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
    averaged = {"average"} if Folder(run).settings().decay else set()
    assert written == {"energy", *averaged, *names}
    learner, state = checkpoint(run)
    assert same(weights(load(run).raw)[0], weights(learner.energy(state))[0])
    if not names:
        with pytest.raises(InputError, match="nce trains its energy alone"):
            load_players(run)
        return
    found = load_players(run)
    assert type(found) is (TeachingPlayers if "generator" in names else Players)
    assert {name for name, part in partners(found).items() if part is not None} == names
    for name in names:
        assert same(partners(found)[name], partners(state)[name]), name
        assert name_arrays(partners(found)[name]), "there are arrays to compare"
    spoilt = jax.tree.map(lambda a: a + 1e-3 if eqx.is_inexact_array(a) else a, partners(state))
    assert not same(partners(found), spoilt), "the comparison can fail"


def test_a_run_of_before_gives_its_energy_and_says_how_to_get_the_others(runs, tmp_path):
    run = tmp_path / "old"
    shutil.copytree(runs("teaching --network mlp"), run)
    file, model = run / "weights.safetensors", load(run)
    kept = file.read_bytes()
    parts = {"energy": weights(model.raw)[0], "average": weights(model.raw)[0]}
    train.write_weights(file, parts)
    assert same(load(run).raw, model.raw)
    said = refused(energax("sample", run, "--by", "generator", "--out", tmp_path / "x.csv"))
    assert "holds the energy alone" in said
    assert f"energax train --resume {run}" in said
    file.rename(run / "old.safetensors")
    assert energax("train", "--resume", run, "--no-evaluate").status == 0
    assert file.read_bytes() == kept


def test_draws_by_the_generator_are_its_own(runs, tmp_path):
    run, out = runs("teaching --network mlp"), tmp_path / "x.npz"
    said = energax("sample", run, "--by", "generator", "--num", 30, "--seed", 3, "--out", out)
    assert said.status == 0, said
    assert "by the generator, no chain" in said.out
    trio, model = load_trio(run), load(run)
    z = jax.random.normal(KEY, (30, trio.generator.latent))
    mine = jax.vmap(model.transform.decode)(jax.vmap(trio.generator)(z))
    np.testing.assert_allclose(np.load(out)["draws"], mine, rtol=1e-5)
    assert np.abs(np.load(out)["draws"][:, 0] - 100).max() < 100, "in the user's units"


@pytest.mark.parametrize("words", ["cooperative", "teaching --network mlp"])
def test_the_chain_begins_at_the_generator_as_in_training(words, runs, tmp_path):
    """Draws s e, walked by K steps h on N(0, 1): a variance v goes to (1 - h)² v + 2 h, K times.

    A sample variance of n = 8000 normals is off by more than 5 sqrt(2 / n) once in 2 million.
    """
    run, out = runs(words), tmp_path / "x.npz"
    said = energax("sample", run, "--by", "generator-chain", "--num", 40, "--out", out)
    assert said.status == 0, said
    assert "then 4 Langevin steps" in said.out
    assert np.load(out)["draws"].shape == (40, 2)
    h, s, n = 0.05, 0.5, 8000
    walk = {"step_size": h, "chain_noise": (2 * h) ** 0.5, "chain_clip": 0.0}
    settings = dataclasses.replace(load(run).settings, **walk)
    trio = TeachingPlayers(Gaussian(jnp.zeros(2)), NoisyGenerator(Flat(), 2, s))
    found = np.asarray(revised(trio, settings, n // 2, key=KEY), float).var()
    right, unblurred = s**2, 0.0
    for _ in range(settings.chain_steps):
        right, unblurred = ((1 - h) ** 2 * v + 2 * h for v in (right, unblurred))
    assert abs(found / right - 1) < 5 * (2 / n) ** 0.5
    for wrong in (unblurred, s**2):  # planted: no noise at the start; no chain
        assert abs(found / wrong - 1) > 5 * (2 / n) ** 0.5
    assert np.all(np.asarray(generated(trio, 10, key=KEY)) == 0), "g(z) alone has no noise"


@pytest.mark.parametrize("word", ["teaching --network mlp", "cooperative"])
def test_draws_of_a_cold_run_begin_at_its_generator(word, runs, tmp_path):
    """By the very chains of training; draws that begin at the base distribution are far from
    them."""
    run = runs(f"{word} --chain-noise 0.01 --step-size 0.01")
    found = []
    for by in ("energy", "generator-chain"):
        out = tmp_path / f"{by}.npz"
        said = energax("sample", run, "--by", by, "--num", 20, "--out", out)
        assert said.status == 0, said
        assert "4 Langevin steps" in said.out or "4 steps from draws of the generator" in said.out
        found.append(np.load(out)["draws"])
    assert np.array_equal(*found), "one way to do one thing"
    # A generator of zeros, with chains that hardly move: draws stay where they began.
    model, trio = load(run), starters(run, load(run))
    generator = NoisyGenerator(Flat(), 2, 0.5)
    still = dataclasses.replace(model.settings, step_size=1e-12, chain_noise=1e-9)
    still_model = dataclasses.replace(model, settings=still)
    mine = drawn(still_model, 4000, TeachingPlayers(trio.energy, generator), key=KEY)
    from_base = drawn(still_model, 4000, None, key=KEY)
    assert "from draws of the generator" in mine.sampler
    assert "from the base distribution" in from_base.sampler
    assert stays(mine.x, 0.0), "cold chains begin without noise"
    assert not stays(from_base.x, 0.0), "planted"
    assert mine.energies.shape == (*from_base.energies.shape[:1], still.chain_steps + 1)
    trained = np.asarray(jax.vmap(model.raw)(mine.x)) / still.temperature
    np.testing.assert_allclose(mine.energies[:, -1], trained, rtol=1e-4)


def stays(x, spread):
    """Have 2 n numbers this standard deviation? Off by 5 sqrt(1 / 4 n) once in 2 million."""
    return abs(np.asarray(x, float).std() - spread) <= 5 * spread / (2 * x.size) ** 0.5 + 1e-6


def test_only_cold_runs_begin_there(runs):
    run = runs("teaching --network mlp")
    assert starters(run, load(run)) is None
    assert starters(runs("nce"), load(runs("nce"))) is None


class Flat(eqx.Module):
    """g(z) = 0 in the plane."""

    def __call__(self, z):
        return 0 * z[:2]


def test_cold_chains_begin_without_noise(runs):
    run = runs("teaching --network mlp")
    trio, settings = load_trio(run), load(run).settings
    flat = TeachingPlayers(
        trio.energy, eqx.tree_at(lambda g: g.network, trio.generator, Flat()), None
    )
    cold = dataclasses.replace(settings, step_size=1e-12, chain_noise=0.0)
    assert np.abs(revised(flat, cold, 100, key=KEY)).max() < 1e-6


class Line(eqx.Module):
    """g(z) = 3 z on the first axis, z on the second."""

    def __call__(self, z):
        return jnp.array([3.0, 1.0]) * z


class Guess(eqx.Module):
    """An encoder's mean that is always 0, and log-variance -1."""

    def __call__(self, x):
        return jnp.concatenate([jnp.zeros(2), -jnp.ones(2)])


def test_codes_are_draws_of_the_posterior(runs):
    """z given x = (2, -1) for g(z) = (3 z0, z1) and s: mean w x / (s² + w²), Langevin's variance.

    4000 chains; a mean is off by 5 standard errors once in 2 million, a variance too.
    """
    run = runs("teaching --network mlp")
    noise, step, size = 1.0, 0.05, 4000
    settings = dataclasses.replace(load(run).settings, latent_step_size=step)
    trio = TeachingPlayers(load(run).raw, NoisyGenerator(Line(), 2, noise), Encoder(Guess(), 2))
    rows = jnp.tile(jnp.array([2.0, -1.0]), (size, 1))
    found = codes(trio, settings, rows, 400, key=KEY)
    assert np.all(found.starts == 0), "from the encoder's mean, and not from a draw"
    slope = np.array([3.0, 1.0])
    precision = 1 + slope**2 / noise**2
    mean = slope * [2.0, -1.0] / noise**2 / precision
    variance = 1 / precision / (1 - step * precision / 2)
    z = np.asarray(found.ends, float)
    assert np.all(np.abs(z.mean(0) - mean) < 5 * np.sqrt(variance / size))
    assert np.all(np.abs(z.var(0) / variance - 1) < 5 * np.sqrt(2 / size))
    short = np.asarray(codes(trio, settings, rows, 2, key=KEY).ends, float)
    assert np.any(np.abs(short.mean(0) - mean) > 5 * np.sqrt(variance / size)), "planted"
    assert same(codes(trio, settings, rows, 0, key=KEY).ends, found.starts)


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
    assert (made_.shape, z.shape) == ((20, 2), (20, load_trio(run).generator.latent))
    assert float(after) == pytest.approx(np.mean((made_ - rows) ** 2), rel=1e-3)
    assert int(steps) == load(run).settings.latent_steps
    # No chain: the generator of the encoder's mean, by hand.
    plain = energax(
        "reconstruct", run, tmp_path / "rows.npy", "--steps", 0, "--out", tmp_path / "x.csv"
    )
    assert ERRORS.search(plain.out).groups() == (before, None, None)
    model, trio = load(run), load_trio(run)
    y = jnp.stack([model.transform.encode(row, key=KEY)[0] for row in jnp.asarray(rows)])
    x = jax.vmap(lambda v: model.transform.decode(trio.generator(trio.encoder(v)[0])))(y)
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
    made_ = reconstructed(model, load_trio(run), test, key=jax.random.key(0)).rows
    with Image.open(out) as picture:
        across, down = 4, 3
        zoom = 512 // (10 * across)
        assert picture.size == (10 * across * zoom, 10 * down * zoom)
        shown = np.asarray(picture)[::zoom, ::zoom]
    grey = np.round(255 * np.stack([test[2], made_[2]]).astype(float) / 16).astype(np.uint8)
    assert np.array_equal(shown[11:19, 1:9], grey[0])
    assert np.array_equal(shown[11:19, 11:19], grey[1])


def test_without_an_encoder_chains_start_from_the_prior(runs, tmp_path):
    run = runs("teaching --posterior kept")
    np.save(tmp_path / "rows.npy", moons(20))
    said = energax("reconstruct", run, tmp_path / "rows.npy", "--out", tmp_path / "x.csv")
    assert said.status == 0, said
    assert "at a draw of N(0, I)" in said.out


def test_a_variational_encoder_has_no_chain_of_its_own(runs):
    assert own_steps(load(runs("teaching --posterior variational")).settings) == 0


def test_lines_are_straight_and_end_at_reconstructions(runs, tmp_path):
    ends = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, -6.0]])
    assert np.allclose(between(*ends, 4)[0], [[0, 0], [1, -2], [2, -4], [3, -6]])
    run = runs("teaching --network mlp")
    model, trio, rows = load(run), load_trio(run), moons(6).astype(np.float32)
    found = interpolated(model, trio, rows, 5, key=KEY)
    assert found.shape == (3, 5, 2)
    mine = reconstructed(model, trio, rows, key=KEY).rows
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
        "was trained without chains that begin at its generator",
    ),
    "no generator to read with": ("nce", "reconstruct rows.npy", "has no generator"),
    "width": ("cooperative", "reconstruct wide.npy", "wide.npy has 3 columns; the run was"),
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
    objective, words, sentence = REFUSALS[what]
    np.save(tmp_path / "rows.npy", moons(20))
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(20, 3)))
    command, *options = words.split()
    out = tmp_path / ("x.png" if "--png" in options else "x.csv")
    options = [tmp_path / w if w.endswith(".npy") else w for w in options if w != "--png"]
    said = energax(command, runs(objective), *options, "--out", out)
    assert sentence in refused(said)
    assert not out.exists()


def test_chains_that_run_off_are_told(runs, tmp_path):
    run = runs("teaching --latent-step-size 3 --latent-steps 1")
    np.save(tmp_path / "rows.npy", moons(20))
    words = ("reconstruct", run, tmp_path / "rows.npy", "--steps", 500)
    said = energax(*words, "--out", tmp_path / "x.csv")
    assert said.status == 3, said
    assert "The chains on z run off to infinity at steps of 3" in said.err


LEAPS = {"energy": "--learning-rate", "generator": "--rival-rate", "encoder": "--encoder-rate"}


@pytest.mark.parametrize("player", LEAPS)
def test_the_player_that_fails_first_is_named(player, tmp_path):
    np.save(tmp_path / "moons.npy", moons())
    # Chains that live on: with --fresh 1 the energy meets the generator's leap in the same update.
    words = ("--objective", "teaching", "--clip", 1e9, LEAPS[player], 1e12, "--steps", 40)
    words += ("--fresh", 0.01)
    said = energax("train", tmp_path / "moons.npy", *TINY, *words, "--out", tmp_path / "run")
    assert said.status == 3, said
    assert [name for name in LEAPS if f"The {name} failed first: " in said.err] == [player]
