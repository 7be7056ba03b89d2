"""Teaching of images again: one command, resumed; its orders, its outsiders, its measures."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import energax, refused
from real_files import needs_files

from energax.reproduce import teach
from energax.reproduce.experiment import short
from energax.reproduce.teach import images, outliers, players, running, table
from energax.reproduce.teach.plan import PLANS
from energax.reproduce.teach.published import RESULTS

TINY = ("--steps", "2", "--rows", "70", "--seeds", "1")
FAMILY = ("base", "kept", "variational", "cooperative", "triangle", "no-energy", "noise10")


@pytest.fixture(scope="module")
def small():
    """A judge of few updates, few draws, few rows from outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "UPDATES", 20)
        patch.setattr(images, "OUTSIDE", 150)
        patch.setattr(outliers, "OUTSIDE", 150)
        patch.setattr(outliers, "FITTED", 200)
        patch.setattr(outliers, "REPLICATES", 100)
        patch.setattr(running, "DRAWS", 150)
        patch.setattr(running, "REBUILT", 20)
        images.judge.cache_clear()
        yield
    images.judge.cache_clear()


@pytest.fixture(scope="module")
def done(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("teaching") / "mnist"
    only = ("--only", *(f"fashion-mnist-{word}" for word in FAMILY), "mnist-large")
    said = energax("reproduce", "teaching-mnist", *TINY, *only, "--out", out)
    assert said.status == 0, said
    assert said.err == "", "a command in a pipe is quiet"
    return out


def record(out, word):
    return json.loads((out / "runs" / f"{word}-0.json").read_text())


@needs_files
def test_every_member_of_the_family_runs_and_is_measured(done):
    for word in FAMILY:
        run = record(done, f"fashion-mnist-{word}")
        stages = 1 if word in ("triangle", "no-energy") else 2
        assert len(run["frechet"]) == len(run["kernel"]) == stages
        assert len(run["energies"]) == (31 if stages == 2 else 0)
        assert len(run["errors"]) == 11, "ten steps at least"
        assert run["seconds"] > 0
    text = (done / "table.md").read_text()
    for heading in ("Fashion-MNIST, 14 x 14: the family", "MNIST, 28 x 28", "Published orders"):
        assert f"## {heading}" in text
    base = record(done, "fashion-mnist-base")
    line = next(line for line in text.splitlines() if line.startswith("| encoder, z 10, x 30"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[1] == short(base["frechet"][0])
    assert not {"9.26", "0.00720", "1,594"} & set(cells), "Inception's scale in a line of ours"
    theirs = text[text.index("## Published numbers") :]
    assert "no number here can be compared with one above" in theirs
    assert f"| {RESULTS['base'].frechet:#.3g} | 0.00720 | 1,594 |" in theirs
    assert "published |" not in text.replace(theirs, "")
    for name in ("figure.png", "images-mnist-large.png"):
        assert (done / name).read_bytes().startswith(b"\x89PNG")


@needs_files
def test_same_command_runs_only_what_is_missing_and_gives_the_same_numbers(done):
    before = record(done, "fashion-mnist-kept")
    (done / "runs" / "fashion-mnist-kept-0.json").unlink()
    only = ("--only", "fashion-mnist-base", "fashion-mnist-kept")
    said = energax("reproduce", "teaching-mnist", *TINY, *only, "--out", done)
    assert said.status == 0, said
    assert said.out.count("ms per update") == 1, "only what was missing"
    after = record(done, "fashion-mnist-kept")
    assert {**before, "seconds": 0} == {**after, "seconds": 0}


@needs_files
def test_outsiders_are_scored_by_every_kind_of_player(small, tmp_path):
    out = tmp_path / "outliers"
    said = energax("reproduce", "teaching-outliers", *TINY, "--out", out)
    assert said.status == 0, said
    taught = record(out, "teaching-autoencoder")["detection"]
    assert set(taught) == {"energy", "reconstruction"}
    plane = record(out, "plane")["detection"]["principal components"]
    assert plane["noise"]["auroc"][0] > 0.99, "no plane of clothes holds noise"
    for kind in ("MNIST", "noise", "grey", "pairs"):
        value, lower, upper = taught["energy"][kind]["auroc"]
        assert 0 <= lower <= value <= upper <= 1
    text = (out / "table.md").read_text()
    assert f"| {100 * plane['noise']['auroc'][0]:.1f} [" in text
    assert text.count("| no training |") == 3, "one line for each figure"


@needs_files
def test_rows_from_outside_are_what_their_names_say(small):
    rows, found = images.images("fashion-mnist", 2), images.outsiders("fashion-mnist", 2)
    assert {part.shape for part in found.values()} == {(150, 14, 14)}
    assert np.ptp(found["grey"], axis=(1, 2)).max() == 0
    assert np.ptp(found["grey"][:, 0, 0]) > 1.5
    assert np.array_equal(found["MNIST"], images.images("mnist", 2).test[:150])
    assert abs(found["noise"].std() - 1 / np.sqrt(3)) < 0.01
    means = rows.test.reshape(len(rows.test), -1)
    pair = found["pairs"][0].reshape(-1)
    both = np.random.default_rng(0).integers(len(means), size=(2, 150))[:, 0]
    assert np.allclose(pair, means[both].mean(axis=0))


def test_pooling_takes_means_of_squares():
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, :2, 2] = 255
    small = images.pool_pixels(pixels, 2)
    assert small.shape == (1, 14, 14)
    assert small[0, 0, 1] == 0, "two of four pixels are white"
    assert small.sum() == 1 - 14 * 14
    assert np.array_equal(images.pool_pixels(pixels, 1), pixels / np.float32(127.5) - 1)


def run_of(**changes):
    """A record in which every published order holds."""
    return {
        "seed": 0,
        "seconds": 1.0,
        "frechet": [10.0, 9.0],
        "kernel": [1.0, 1.0],
        "energies": [1.0, 0.5, 0.2],
        "errors": [0.3, 0.1],
    } | changes


RIGHT = {
    "large": run_of(),
    "base": run_of(frechet=[10.0, 5.0], seconds=3.0),
    "x10": run_of(frechet=[20.0, 15.0], seconds=1.0),
    "x20": run_of(frechet=[15.0, 8.0], seconds=2.0),
    "x50": run_of(frechet=[9.0, 4.5], seconds=5.0),
    "noise10": run_of(errors=[1.0, 0.6]),
    "noise30": run_of(errors=[1.0, 0.4]),
    "cooperative": run_of(frechet=[40.0, 30.0]),
    "triangle": run_of(frechet=[25.0]),
}

WRONG = {
    "improves the generator's draws (28": {"large": {"frechet": [10.0, 11.0]}},
    "improves the generator's draws (14": {"base": {"frechet": [4.0, 5.0]}},
    "20 steps on x beat 10": {"x10": {"frechet": [20.0, 7.0]}},
    "30 steps on x beat 20": {"x20": {"frechet": [15.0, 4.9]}},
    "50 steps on x beat 30": {"x50": {"frechet": [9.0, 5.5]}},
    "gains less": {"x50": {"frechet": [-9.0, -9.0]}},
    "take longer": {"x50": {"seconds": 2.5}},
    "from noise, Fréchet": {"noise30": {"frechet": [5.0, 4.9]}},
    "from noise, squared": {"noise30": {"errors": [0.3, 0.05]}},
    "30 steps from noise beat": {"noise10": {"errors": [1.0, 0.3]}},
    "error falls": {"base": {"errors": [0.1, 0.2]}},
    "energy falls": {"base": {"energies": [1.0, 0.1, 0.2]}},
    "beats cooperative": {"cooperative": {"frechet": [5.0, 4.0]}},
    "beats the divergence": {"triangle": {"frechet": [4.0]}},
}


def read_orders(records):
    settings = {setting.word: setting for setting in PLANS["teaching-mnist"]}
    runs = {settings[f"mnist-{word}"]: [record] for word, record in records.items()}
    lines = table.orders(runs).splitlines()[2:]
    return {line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines}


def test_every_published_order_is_counted_where_it_holds():
    found = read_orders(RIGHT)
    assert len(found) == len(table.ORDERS) == len(WRONG)
    assert set(found.values()) == {"1 of 1"}


@pytest.mark.parametrize("words", WRONG)
def test_an_order_that_fails_is_seen(words):
    changed = {word: record | WRONG[words].get(word, {}) for word, record in RIGHT.items()}
    found = read_orders(changed)
    (name,) = [name for name in found if words in name]
    assert found[name] == "0 of 1"


def test_energies_and_errors_along_chains_are_those_of_their_states(key):
    setting = dataclasses.replace(PLANS["teaching-mnist"][0], width=8, latent=2, chain=3)
    shape = (14, 14)
    networks = players.make_players(setting, shape, key=key)
    rows = jax.random.uniform(jax.random.fold_in(key, 1), (5, *shape), minval=-1.0)
    chain = players.walk(setting, shape)
    ends, energies = running.refine(chain, networks, rows, 3, key=key)
    assert energies.shape == (4,)
    assert energies[0] == pytest.approx(float(jnp.mean(jax.vmap(networks.energy)(rows))))
    assert energies[-1] == pytest.approx(float(jnp.mean(jax.vmap(networks.energy)(ends))))
    codes, errors = running.infer_codes(setting, networks, rows, key=key)
    for place, z in ((0, codes[0]), (-1, codes[1])):
        apart = jax.vmap(networks.generator)(z) - rows
        assert errors[place] == pytest.approx(float(jnp.mean(apart**2)))
    assert jnp.array_equal(codes[0], jax.vmap(networks.encoder)(rows)[0])
    prior = dataclasses.replace(setting, posterior="prior", latent_chain=12)
    networks = players.make_players(prior, shape, key=key)
    codes, errors = running.infer_codes(prior, networks, rows, key=key)
    assert errors.shape == (13,)
    assert abs(float(jnp.mean(codes[0] ** 2)) - 1) < 1.8, "4 sd of ten squares of N(0, 1)"


def test_every_experiment_names_each_setting_once_and_the_paper_stands_beside():
    for every in PLANS.values():
        words = [setting.word for setting in every]
        assert len(set(words)) == len(words)
    shown = {word for words in table.VIEWS.values() for word in words}
    endings = {setting.word.removeprefix("mnist-") for setting in PLANS["teaching-mnist"]}
    assert shown <= endings
    assert set(RESULTS) <= shown
    assert teach.EXPERIMENT.plans is PLANS


def test_refusals_name_the_experiments(tmp_path):
    said = energax("reproduce", "teaching-cifar", "--out", tmp_path / "a")
    assert "teaching-mnist" in refused(said)
    said = energax("reproduce", "teaching-mnist", "--only", "x10", "--out", tmp_path / "a")
    assert "fashion-mnist-x10" in refused(said)
    assert not (tmp_path / "a").exists()
