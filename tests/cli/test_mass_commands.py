"""The commands on rows of bits and on sequences, from a file to a page, and what they refuse."""

import json

import numpy as np
import polars as pl
import pytest
from commands import energax, refused

from energax.model import load
from energax.run.folder import Folder

SHORT = ["--steps", "20", "--chunk-steps", "10", "--checkpoint-every", "10", "--batch-size", "32"]


def pairs(size=200):
    """Five bits, of which the first two and the last two are mostly alike."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, size=(size, 5))
    rows[:, 1] = np.where(rng.random(size) < 0.9, rows[:, 0], 1 - rows[:, 0])
    rows[:, 4] = np.where(rng.random(size) < 0.9, rows[:, 3], 1 - rows[:, 3])
    return rows


@pytest.fixture(scope="module")
def bits(tmp_path_factory):
    """A finished run of pairs of bits, with its page."""
    folder = tmp_path_factory.mktemp("bits")
    np.savetxt(folder / "five.data", pairs(), fmt="%d", delimiter=",")
    words = ["--method", "pseudo-likelihood", "--network", "pairs", "--learning-rate", "0.1"]
    words += ["--steps", "200", "--chunk-steps", "100", "--batch-size", "64"]
    said = energax("train", folder / "five.data", *words, "--out", folder / "run")
    assert said.status == 0, said
    assert said.err == ""
    return folder / "run"


def test_a_run_of_bits_is_measured_exactly(bits):
    found = json.loads((bits / "evaluation.json").read_text())
    assert found["test_log_likelihood"]["certified"]
    assert "32 states" in found["test_log_likelihood"]["why"]
    assert set(found["baselines"]) >= {"independent sites", "Chow-Liu tree"}
    page = (bits / "report.html").read_text()
    for words in ("Covariances of pairs", "Couplings", "Loss on validation rows"):
        assert words in page


def test_contacts_are_the_pairs_that_are_alike(bits, tmp_path):
    said = energax("contacts", bits, "--out", tmp_path / "pairs.csv", "--num", "2")
    assert said.status == 0, said
    found = pl.read_csv(tmp_path / "pairs.csv")
    assert {tuple(row[:2]) for row in found.rows()} == {(1, 2), (4, 5)}
    assert (found["score"] > 1).all()


def test_samples_scores_and_filled_rows(bits, tmp_path):
    assert energax("sample", bits, "--num", "40", "--out", tmp_path / "new.csv").status == 0
    rows = pl.read_csv(tmp_path / "new.csv").to_numpy()
    assert rows.shape == (40, 5)
    assert set(np.unique(rows)) <= {0, 1}
    said = energax("score", bits, tmp_path / "new.csv", "--out", tmp_path / "scores.csv")
    assert said.status == 0, said
    scores = pl.read_csv(tmp_path / "scores.csv")
    assert np.allclose(scores["log_density"], load(bits).log_density(rows), atol=1e-5)
    (tmp_path / "holes.csv").write_text("x0,x1,x2,x3,x4\n1,,0,1,\n0,,1,0,\n")
    said = energax("inpaint", bits, tmp_path / "holes.csv", "--out", tmp_path / "full.csv")
    assert said.status == 0, said
    full = pl.read_csv(tmp_path / "full.csv").to_numpy()
    assert np.array_equal(full[:, [0, 2, 3]], [[1, 0, 1], [0, 1, 0]])


def test_a_row_of_other_numbers_is_refused(bits, tmp_path):
    (tmp_path / "other.csv").write_text("x0,x1,x2,x3,x4\n1,0,0,1,1\n0,2,1,0,0\n")
    said = energax("score", bits, tmp_path / "other.csv", "--out", tmp_path / "scores.csv")
    words = refused(said)
    assert "data row 2" in words
    assert "holds 2" in words
    assert "whole numbers from 0 to 1" in words


REFUSED = {
    "--method dsm": "--method dsm does not learn from bits",
    "--method pcd --base flow": "--base must be one of sites, mixture, tree, uniform",
    "--method pcd --step-sise 1": "did you mean --step-size",
    "--method exact --batch-size 1000": "120 training rows, fewer than a batch of 1000",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_a_method_for_bits_does_not_have(words, bits):
    said = energax("train", bits.parent / "five.data", *words.split())
    assert REFUSED[words] in refused(said)


def test_a_method_for_bits_does_not_learn_numbers():
    said = energax("train", "two-moons", "--method", "exact")
    assert "--method exact does not learn from real numbers" in refused(said)


def test_help_shows_the_options_for_these_rows(bits):
    said = energax("train", bits.parent / "five.data", "--method", "pcd", "--help")
    assert said.status == 0
    assert "--kernel" in said.out
    assert "--chain-noise" not in said.out
    other = energax("train", "two-moons", "--method", "pcd", "--help")
    assert "--chain-noise" in other.out
    assert "--kernel" not in other.out


@pytest.mark.parametrize("method", ["ladder", "pcd"])
def test_a_run_of_sequences_is_resumed_to_the_same_bits(method, tmp_path):
    letters, rng = np.array(list("-ACGU")), np.random.default_rng(0)
    rows = letters[rng.integers(0, 5, size=(80, 6))]
    text = "".join(f">s{i}\n{''.join(row)}\n" for i, row in enumerate(rows))
    (tmp_path / "family.fasta").write_text(text)
    words = ["train", tmp_path / "family.fasta", "--method", method, "--network", "rbm"]
    words += ["--width", "4", *SHORT, "--no-evaluate"]
    words += ["--ladder-chains", "16"] if method == "ladder" else ["--buffer-size", "32"]
    assert energax(*words, "--out", tmp_path / "whole").status == 0
    half = [*words, "--out", tmp_path / "half"]
    half[half.index("--steps") + 1] = "20"
    assert energax(*half).status == 0
    folder = Folder(tmp_path / "half")
    folder["weights.safetensors"].unlink()
    for newer in sorted((tmp_path / "half" / "checkpoints").iterdir())[-1:]:
        newer.unlink()
    assert energax("train", "--resume", tmp_path / "half", "--no-evaluate").status == 0
    one, other = (load(tmp_path / name) for name in ("whole", "half"))
    train = folder.dataset().train
    assert np.array_equal(one.energy_of(train), other.energy_of(train))
    said = energax("sample", tmp_path / "whole", "--num", "3", "--out", tmp_path / "new.fasta")
    assert said.status == 0, said
    assert set((tmp_path / "new.fasta").read_text()) <= set("-ACGU\n>_sample0123456789 ")
