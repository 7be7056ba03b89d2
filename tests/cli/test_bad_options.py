"""Options that make no sense, alone, together or for the rows: one sentence and no run."""

import re
from pathlib import Path

import numpy as np
import pytest
from commands import energax, listing, moons, refused, tiny
from jax.errors import JaxRuntimeError

from energax.cli.train import parse
from energax.model import fitting

OPTIONS = {  # options of `train moons.npy` -> what the sentence says
    "--steps -5": "--steps must be at least 1; got -5",
    "--steps 0": "--steps must be at least 1; got 0",
    "--method pcd --step-size 0": "--step-size must be above 0; got 0.0",
    "--method pcd --step-size -1": "--step-size must be above 0; got -1.0",
    "--learning-rate nan": "--learning-rate must be above 0 and finite; got nan",
    "--method dsm --noise inf": "--noise must be above 0 and finite; got inf",
    "--chunk-steps 2147483648": r"--chunk-steps must be in \[1, 1000000\]; got 2147483648",
    "--steps 2147483648": r"--steps must be in \[1, 2147483647\]; got 2147483648",
    "--width 65537": r"--width must be in \[1, 65536\]; got 65537",
    "--width 65536 --depth 1000": "the networks of --method nce needs about .* GB of memory",
    "--method velocity --width 65536 --depth 9": "--method velocity needs about",
    "--seed -1": r"--seed must be in \[0, 4294967295\]; got -1",
    "--seed 4294967296": r"--seed must be in \[0, 4294967295\]",
    "--ema-decay 1": r"--ema-decay must be in \[0, 1\)",
    "--momentum 1": r"--momentum must be in \[0, 1\)",
    "--learning-rate-decay 2": r"--learning-rate-decay must be in \[0, 1\]",
    "--test-fraction 1": r"--test-fraction must be in \(0, 1\); got 1",
    "--method pcd --reinit-probability 1.5": r"--reinit-probability must be in \[0, 1\]",
    "--method pcd --buffer-size 8": "--buffer-size must be at least the batch size, 16; got 8",
    "--method pcd --chain-steps 0": "--chain-steps must be at least 1",
    "--method coupled --chain-steps 0": "--chain-steps must be at least 1",
    "--method f-js --rounds 0": "--rounds must be at least 1",
    "--method teaching --halvings 0": "--halvings must be at least 1",
    "--method teaching --posterior persistent --latent-steps 0": (
        "--latent-steps must be at least 1 for a posterior persistent"
    ),
    "--method teaching --posterior none --pathwise-weight 1": (
        "--pathwise-weight must be 0 without an encoder"
    ),
    "--method teaching --no-resample --reinit-probability 0.5": (
        "--reinit-probability must be 1 with --no-resample or --chain-steps 0; got 0.5"
    ),
    "--method cooperative --posterior encoder": (
        "--posterior is not an option of --method cooperative; teaching has it"
    ),
    "--method dsm-levels --network conv": "--network is not an option of --method dsm-levels; nce",
    "--noise-ratio 2147483647": r"--noise-ratio must be in \[1, 1000000\]; got 2147483647",
    "--method dsm-levels --sigma-min 9": "--sigma-min must be below --sigma-max, 1.0; got 9.0",
    "--method dual --network mlp": "--network is not an option of --method dual; nce",
    "--method dual --base box --transform box": "has particles that would leave a box: choose",
    "--method dual --base none": "--method dual needs a base",
    "--method dual --copies 3": "--copies must be even",
    "--method dual --restart 1.5": "--restart must be in",
    "--base none": "--method nce needs a base",
    "--transform marginal": "--transform marginal is for whole numbers",
    "--network conv": "--network conv is for images; moons.npy has none: choose mlp",
    "--base box": "--base box is uniform on .*choose --transform box",
    "--base mixture --components 49": "--components 49 exceeds the 48 training rows",
    "--method joint": "--method joint learns labels, and moons.npy has none",
    "--method joint --network shallow": "choose --network mlp or conv",
    "--method joint --labels 7": "There is no option --labels",
    "--resume no-run --seed 3": "--resume takes all options from no-run: leave out DATA",
    "--out taken": "taken exists already: choose another --out",
    "--out moons.npy": "moons.npy exists already",
    "--out moons.npy/below": "Not a directory; choose another place",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with a good file."""
    monkeypatch.chdir(tmp_path)
    np.save("moons.npy", moons(60))
    Path("taken").mkdir()
    return tmp_path


@pytest.mark.parametrize("options", OPTIONS)
def test_an_option_that_makes_no_sense_gets_one_sentence_and_no_run(options, place):
    before, words = listing(place), options.split()
    method = words[1] if words[0] == "--method" else "nce"
    # Of an option given twice, the last counts.
    said = refused(energax("train", "moons.npy", *tiny(method), *words))
    assert re.search(OPTIONS[options], said), said
    assert listing(place) == before


def test_the_same_without_them_is_taken(place):
    """The control of all of the above."""
    found = parse(["moons.npy", *tiny("pcd")])
    assert (found.data, found.method, found.evaluate) == ("moons.npy", "pcd", False)
    assert found.options["buffer_size"] == 64


def test_of_a_method_that_is_given_twice_the_last_counts():
    found = parse(["moons.npy", "--method", "nce", "--method", "pcd", "--chain-steps", "3"])
    assert (found.method, found.options) == ("pcd", {"chain_steps": 3})


@pytest.mark.parametrize("failure", [MemoryError(), JaxRuntimeError("RESOURCE_EXHAUSTED: 9 GB")])
def test_a_run_that_runs_out_of_memory_at_its_start_leaves_nothing(failure, place, monkeypatch):
    def fail(*_):
        raise failure

    monkeypatch.setattr(fitting, "start_run", fail)
    before = listing(place)
    assert "Out of memory" in refused(energax("train", "moons.npy", *tiny(), "--out", "run"))
    assert listing(place) == before
