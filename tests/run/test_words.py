"""Words of the command line that want more than an objective: labels, levels, rivals, flows."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import TINY, as_a_user, energax, refused
from energax.recipe import build, load
from energax.recipe.folder import Folder
from energax.recipe.quality import told_labels
from energax.recipe.score import DEQUANTISATIONS

from energax import data
from energax.energy import Flow, find_classifier
from energax.train import Checkpoints


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


def trained(out, source, *words, steps=20):
    """A tiny run in `out`."""
    said = energax("train", source, *TINY, "--steps", steps, *words, "--out", out)
    assert said.status == 0, said
    return load(out)


def test_joint_run_tells_labels_as_its_classifier_does(tmp_path):
    rows = data.digits()
    model = trained(tmp_path / "run", "digits", "--objective", "joint")
    assert find_classifier(model.raw).labels == 10
    found = told_labels(model, rows)
    odds = np.zeros((len(rows.test), 10))
    for copy in range(DEQUANTISATIONS):
        key = jax.random.fold_in(jax.random.key(0), copy)
        y, _ = build.encoded(model.transform, rows.test, key=key)
        odds += np.exp(np.asarray(jax.vmap(find_classifier(model.raw).log_odds)(y), float))
    right = np.mean(odds.argmax(axis=1) == rows.test_labels)
    assert found["label_accuracy"]["value"] == pytest.approx(right, abs=0.01)
    assert 0.05 < right < 1.0, "twenty updates of a tiny network teach something, not all"


@pytest.mark.parametrize("word", ["dsm-levels", "recovery-levels"])
def test_of_many_levels_the_finest_is_kept(word, tmp_path):
    model = trained(tmp_path / "run", "two-moons", "--objective", word, "--finest", 0.2)
    blank = build.energy(model.settings, model.distribution, model.transform, key=jax.random.key(0))
    x = jnp.array([0.3, -0.4])
    assert model.raw(x).shape == ()
    assert float(model.raw.noise) == pytest.approx(0.2)
    assert not np.allclose(blank.at(0.2)(x), model.raw(x)), "it was trained"


def test_a_flow_as_base_law_comes_back_from_its_folder(tmp_path):
    model = trained(tmp_path / "run", "two-moons", "--base", "flow")
    again = Folder(tmp_path / "run").distribution()
    assert type(model.distribution) is Flow
    x, _ = build.encoded(model.transform, data.two_moons().test[:200], key=jax.random.key(0))
    energies = jax.vmap(again)(x)
    assert np.allclose(energies, jax.vmap(model.distribution)(x), rtol=1e-5)
    untrained = build.blank_base(model.settings, (2,))
    assert float(jnp.mean(jax.vmap(untrained)(x) - energies)) > 0.1, "it was fitted"


MANY = ["f-js", "cooperative", "stein-learned", "teaching", "teaching --posterior kept"]


@pytest.mark.parametrize("word", MANY)
def test_players_go_on_bit_for_bit(word, tmp_path):
    """From the checkpoint half-way: all players, optimisers and chains come back."""
    run = tmp_path / "run"
    words = ("--objective", *word.split(), "--rival-width", 8)
    whole = trained(run, "two-moons", *words, steps=40)
    newest = max((run / "checkpoints").iterdir(), key=lambda path: path.name)
    shutil.rmtree(newest)
    assert Checkpoints(run / "checkpoints").newest() == 20
    (run / "weights.safetensors").unlink()
    said = energax("train", "--resume", run, "--no-evaluate")
    assert said.status == 0, said
    x = jnp.asarray(data.two_moons().test[:20])
    assert np.array_equal(jax.vmap(whole.raw)(x), jax.vmap(load(run).raw)(x))


@pytest.mark.parametrize("source", ["two-moons", "digits"])
def test_dual_moves_neurons_on_the_sphere(source, tmp_path):
    words = ("--objective", "dual", "--restart", 0.2, "--radius", 0.9, "--decay", 0)
    model = trained(tmp_path / "run", source, *words, "--transform", "whiten")
    net = model.raw.network
    assert np.allclose(np.linalg.norm(net.directions, axis=1), 1, atol=1e-5)
    assert float(jnp.mean(net.weights)) <= 0.9 + 1e-5
    assert float(jnp.min(net.weights)) > 0
    blank = build.energy(model.settings, model.distribution, model.transform, key=jax.random.key(0))
    moved = jnp.linalg.norm(net.directions - blank.network.directions, axis=1)
    assert float(jnp.max(moved)) > 1e-4, "it was trained"


def test_a_shallow_network_serves_other_words_too(tmp_path):
    words = ("--objective", "nce", "--network", "shallow")
    model = trained(tmp_path / "run", "two-moons", *words)
    assert model.raw(jnp.zeros(2)).shape == ()


REFUSALS = {
    "joint wants labels": (("two-moons", "--objective", "joint"), "two-moons has none"),
    "another number of labels": (
        ("digits", "--objective", "joint", "--labels", 7),
        "--labels 7 is not what digits has, 10",
    ),
    "levels have a network of their own": (
        ("digits", "--objective", "dsm-levels", "--network", "conv"),
        "choose --network mlp",
    ),
    "levels the wrong way round": (
        ("two-moons", "--objective", "dsm-levels", "--finest", 9),
        "--finest must be below --broadest",
    ),
    "dual moves shallow networks": (
        ("two-moons", "--objective", "dual", "--network", "mlp"),
        "choose --network shallow",
    ),
    "dual without edges": (
        ("two-moons", "--objective", "dual", "--base", "box", "--transform", "box"),
        "walk over the edges of a box",
    ),
    "dual needs a base distribution": (
        ("two-moons", "--objective", "dual", "--base", "none"),
        "needs a base distribution",
    ),
    "pairs of particles": (
        ("two-moons", "--objective", "dual", "--copies", 3),
        "--copies must be even",
    ),
    "a chance": (("two-moons", "--objective", "dual", "--restart", 1.5), "--restart must be in"),
    "one number for a row": (
        ("digits", "--objective", "joint", "--network", "shallow"),
        "choose --network mlp",
    ),
    "momentum": (("two-moons", "--momentum", 1), "--momentum must be in [0, 1)"),
    "kept chains of no steps": (
        ("two-moons", "--objective", "teaching", "--posterior", "kept", "--latent-steps", 0),
        "--latent-steps must be at least 1 for a posterior kept",
    ),
    "through without an encoder": (
        ("two-moons", "--objective", "teaching", "--posterior", "none", "--through", 1),
        "--through must be 0 without an encoder",
    ),
    "cooperative is one member": (
        ("two-moons", "--objective", "cooperative", "--posterior", "encoder"),
        "--objective cooperative is teaching with --posterior none --no-again",
    ),
    "chains that live on are walked again": (
        ("two-moons", "--objective", "teaching", "--no-again", "--fresh", 0.5),
        "--fresh must be 1 with --no-again or --chain-steps 0",
    ),
    "rates that grow": (("two-moons", "--rate-decay", 2), "--rate-decay must be in [0, 1]"),
    "halvings": (("two-moons", "--halvings", 0), "--halvings must be at least 1"),
    "chains of no steps elsewhere": (
        ("two-moons", "--objective", "pcd", "--chain-steps", 0),
        "--chain-steps must be at least 1",
    ),
    "rounds": (("two-moons", "--rounds", 0), "--rounds must be at least 1"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_in_one_sentence(what, tmp_path):
    words, sentence = REFUSALS[what]
    assert sentence in refused(energax("train", *words, "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
