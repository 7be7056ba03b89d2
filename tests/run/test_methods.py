"""Methods that want more than an energy: labels, noise levels, rivals, flows; what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import as_a_user, energax, refused, thin_flows, tiny

from energax import data
from energax.energy import Flow, find_classifier
from energax.method import build
from energax.model import load, saving
from energax.model.quality import measure_agreement, measure_labels
from energax.model.sampling import sample_chains
from energax.model.scoring import DEQUANTISATIONS
from energax.run import Folder
from energax.train import Checkpoints


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


def trained(out, source, method, *words, steps=20):
    """A tiny run in `out`."""
    said = energax("train", source, *tiny(method), "--steps", steps, *words, "--out", out)
    assert said.status == 0, said
    return load(out)


def test_joint_run_classifies_as_its_classifier_does(tmp_path):
    rows = data.digits()
    model = trained(tmp_path / "run", "digits", "joint")
    assert find_classifier(model.raw).labels == 10
    found = measure_labels(model, rows.test, rows.test_labels)
    odds = np.zeros((len(rows.test), 10))
    log_odds = jax.jit(jax.vmap(find_classifier(model.raw).log_odds))
    for copy in range(DEQUANTISATIONS):
        key = jax.random.fold_in(jax.random.key(0), copy)
        y, _ = build.encode(model.transform, rows.test, key=key)
        odds += np.exp(np.asarray(log_odds(y), float))
    right = np.mean(odds.argmax(axis=1) == rows.test_labels)
    assert found["label_accuracy"]["value"] == pytest.approx(right, abs=0.01)
    assert 0.05 < right < 1.0, "twenty updates of a tiny network teach something, not all"


@pytest.mark.parametrize("word", ["dsm-levels", "recovery-levels", "denoising-levels"])
def test_of_many_levels_the_lowest_is_kept(word, tmp_path):
    model = trained(tmp_path / "run", "two-moons", word, "--sigma-min", 0.2, "--no-validation")
    ground = saving.read_groundwork(tmp_path / "run")
    blank, _ = model.method.build(ground, key=jax.random.key(0))
    x = jnp.array([0.3, -0.4])
    assert model.raw(x).shape == ()
    assert float(model.raw.noise) == pytest.approx(0.2)
    assert not np.allclose(blank.at(0.2)(x), model.raw(x)), "it was trained"


def test_a_flow_as_base_comes_back_from_its_folder(tmp_path, monkeypatch):
    thin_flows(monkeypatch)
    model = trained(tmp_path / "run", "two-moons", "nce", "--base", "flow")
    again = Folder(tmp_path / "run").groundwork(1).base
    assert type(model.base) is Flow
    x, _ = build.encode(model.transform, data.two_moons().test[:200], key=jax.random.key(0))
    energies = jax.vmap(again)(x)
    assert np.allclose(energies, jax.vmap(model.base)(x), rtol=1e-5)
    untrained = build.blank_base(model.method.base, (2,))
    assert float(jnp.mean(jax.vmap(untrained)(x) - energies)) > 0.1, "it was fitted"


MANY = ["f-js", "teaching", "teaching --posterior persistent"]


@pytest.mark.parametrize("word", MANY)
def test_players_go_on_bit_for_bit(word, tmp_path):
    """From the checkpoint half-way: all players, optimisers and chains come back."""
    run = tmp_path / "run"
    whole = trained(run, "two-moons", *word.split(), steps=40)
    (run / "checkpoints" / "40.safetensors").unlink()
    assert Checkpoints(run / "checkpoints").newest() == 20
    (run / "weights.safetensors").unlink()
    said = energax("train", "--resume", run, "--no-evaluate")
    assert said.status == 0, said
    x = jnp.asarray(data.two_moons().test[:20])
    each = eqx.filter_jit(lambda energy: jax.vmap(energy)(x))
    assert np.array_equal(each(whole.raw), each(load(run).raw))


def test_images_go_from_noise_to_draws_and_on_bit_for_bit(tmp_path):
    """From the checkpoint at which the network becomes an energy; draws are of its own levels."""
    run, rows = tmp_path / "run", data.digits()
    words = ("--score-share", 0.5, "--sampling-steps", 3)
    whole = trained(run, "digits", "denoising-levels", *words, steps=40)
    (run / "checkpoints" / "40.safetensors").unlink()
    (run / "weights.safetensors").unlink()
    said = energax("train", "--resume", run, "--no-evaluate")
    assert said.status == 0, said
    again = load(run)
    x = jnp.asarray(rows.test[:20], jnp.float32)
    each = eqx.filter_jit(lambda energy: jax.vmap(energy)(x))
    assert np.array_equal(each(whole.raw), each(again.raw))
    found = sample_chains(again, 40, key=jax.random.key(0))
    assert found.x.shape == (40, 8, 8)
    assert "3 Heun steps down the noise levels" in found.sampler
    assert float(jnp.std(found.x)) < 16, "noise of 160 standard deviations is gone"
    shares = measure_agreement(again, rows, found)
    assert 0 <= shares["label_agreement"]["value"] <= 1
    assert 0.6 < shares["label_agreement_of_test_rows"]["value"] < 1


def test_dual_moves_neurons_on_the_sphere(tmp_path):
    words = ("dual", "--restart", 0.2, "--radius", 0.9, "--ema-decay", 0)
    words += ("--no-validation",)
    model = trained(tmp_path / "run", "digits", *words, "--transform", "whiten")
    net = model.raw.network
    assert np.allclose(np.linalg.norm(net.directions, axis=1), 1, atol=1e-5)
    assert float(jnp.mean(net.weights)) <= 0.9 + 1e-5
    assert float(jnp.min(net.weights)) > 0
    ground = saving.read_groundwork(tmp_path / "run")
    blank, _ = model.method.build(ground, key=jax.random.key(0))
    moved = jnp.linalg.norm(net.directions - blank.network.directions, axis=1)
    assert float(jnp.max(moved)) > 1e-4, "it was trained"


def test_a_shallow_network_serves_other_words_too(tmp_path):
    words = ("nce", "--network", "shallow")
    model = trained(tmp_path / "run", "two-moons", *words)
    assert model.raw(jnp.zeros(2)).shape == ()


REFUSALS = {
    "joint wants labels": ("two-moons --method joint", "two-moons has none"),
    "levels have a network of their own": (
        "digits --method dsm-levels --network conv",
        "--network is not an option of --method dsm-levels",
    ),
    "levels the wrong way round": (
        "two-moons --method dsm-levels --sigma-min 9",
        "--sigma-min must be below --sigma-max",
    ),
    "dual moves shallow networks": (
        "two-moons --method dual --network mlp",
        "--network is not an option of --method dual",
    ),
    "dual without edges": (
        "two-moons --method dual --base box --transform box",
        "has particles that would leave a box",
    ),
    "dual needs a base": ("two-moons --method dual --base none", "needs a base"),
    "pairs of particles": ("two-moons --method dual --copies 3", "--copies must be even"),
    "a chance": ("two-moons --method dual --restart 1.5", "--restart must be in [0, 1]"),
    "one number for a row": (
        "digits --method joint --network shallow",
        "choose --network mlp or conv",
    ),
    "momentum": ("two-moons --momentum 1", "--momentum must be in [0, 1)"),
    "persistent chains of no steps": (
        "two-moons --method teaching --posterior persistent --latent-steps 0",
        "--latent-steps must be at least 1 for a posterior persistent",
    ),
    "a path without an encoder": (
        "two-moons --method teaching --posterior none --pathwise-weight 1",
        "--pathwise-weight must be 0 without an encoder",
    ),
    "cooperative has no posterior": (
        "two-moons --method cooperative --posterior encoder",
        "--posterior is not an option of --method cooperative; teaching has it",
    ),
    "persistent chains are resampled": (
        "two-moons --method teaching --no-resample --reinit-probability 0.5",
        "--reinit-probability must be 1 with --no-resample or --chain-steps 0",
    ),
    "rates that grow": (
        "two-moons --learning-rate-decay 2",
        "--learning-rate-decay must be in [0, 1]",
    ),
    "halvings": ("two-moons --method teaching --halvings 0", "--halvings must be at least 1"),
    "chains of no steps": (
        "two-moons --method pcd --chain-steps 0",
        "--chain-steps must be at least 1",
    ),
    "rounds": ("two-moons --method f-js --rounds 0", "--rounds must be at least 1"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_in_one_sentence(what, tmp_path):
    words, sentence = REFUSALS[what]
    assert sentence in refused(energax("train", *words.split(), "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
