"""A method from outside the package: trained, reported, resumed and found again by its module."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import energax, moons, refused

from energax.cli.train import parse
from energax.errors import InputError
from energax.method import METHODS, find_method, list_methods, spell_method
from energax.model import load
from energax.run.folder import Folder

SOURCE = '''"""A method of a user."""

import dataclasses

from energax import objective
from energax.method.descent import AbstractDescentMethod
from energax.options import above, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(AbstractDescentMethod):
    """A toy: denoising score matching, its noise under another name."""

    blur: float = option("Standard deviation of what is added.", above(0), default=0.2)

    name = "toy"
    title = "a toy of a method"
    source = "Nobody (2024)"
    minimises = "as dsm"
    use = "never"
    trap = "none"

    def make_objective(self, ground):
        return objective.DenoisingScoreMatching(self.blur)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silent(AbstractDescentMethod):
    """A method that does not say what it is."""

    name = "silent"

    def make_objective(self, ground):
        return None
'''
NAME = "toy_module:Toy"
SMALL = ("--batch-size", 16, "--width", 8, "--depth", 1, "--chunk-steps", 10)
WORDS = ("--method", NAME, *SMALL, "--checkpoint-every", 20, "--steps", 40, "--blur", 0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the module and rows, where modules are looked for."""
    path = tmp_path_factory.mktemp("outside")
    (path / "toy_module.py").write_text(SOURCE)
    np.save(path / "moons.npy", moons())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path)
        yield path
    sys.modules.pop("toy_module", None)


@pytest.fixture(scope="module")
def run(folder):
    """A run of the toy, trained, evaluated and reported."""
    said = energax("train", folder / "moons.npy", *WORDS, "--out", folder / "run")
    assert said.status == 0, said
    return folder / "run"


def test_it_is_trained_evaluated_and_reported(run):
    assert json.loads((run / "evaluation.json").read_text())["test_log_likelihood"]["value"]
    page = (run / "report.html").read_text()
    assert "a toy of a method" in page
    assert "blur" in page


def test_its_record_finds_it_again(run):
    config = json.loads((run / "config.json").read_text())
    assert config["method"] == NAME
    assert config["options"]["blur"] == 0.3
    method = Folder(run).method()
    assert type(method) is find_method(NAME)
    assert method.blur == 0.3
    assert type(load(run).method) is type(method)
    assert f"--method {NAME} " in config["command"]
    assert config["command"].endswith("--blur 0.3")


def test_it_goes_on_bit_for_bit(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "checkpoints" / "40.safetensors").unlink()
    (copy / "weights.safetensors").unlink()
    said = energax("train", "--resume", copy, "--no-evaluate")
    assert said.status == 0, said
    weights = [(path / "weights.safetensors").read_bytes() for path in (run, copy)]
    assert weights[0] == weights[1]


def test_its_options_are_in_the_help_and_its_own(folder):
    said = energax("train", folder / "moons.npy", "--method", NAME, "--help")
    assert said.status == 0, said
    assert "  --blur X " in said.out
    assert "Standard deviation of what is added. (0.2)" in said.out
    assert f"--method {NAME} [options]" in said.out
    assert parse(["x", "--method", NAME, "--blur", "2"]).options == {"blur": 2.0}
    said = energax("train", "x", "--method", NAME, "--blurr", "2")
    assert "There is no option --blurr; did you mean --blur?" in refused(said)
    said = energax("train", "x", "--method", NAME, "--latent-dim", "2")
    assert "--latent-dim is not an option of --method toy; cooperative" in refused(said)


def test_the_program_finds_a_module_in_its_folder(folder):
    """As a user starts it, in a process of its own."""
    energax_ = shutil.which("energax", path=os.path.dirname(sys.executable))
    done = subprocess.run(
        [energax_, "--no-cache", "train", "moons.npy", "--method", NAME, "--help"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--blur X" in done.stdout


@pytest.fixture
def advertised(folder, monkeypatch):
    """The toy as an entry point of another package."""
    point = importlib.metadata.EntryPoint("my-toy", NAME, "energax.methods")

    def entry_points(*, group):
        return [point] if group == "energax.methods" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_an_entry_point_adds_a_method(advertised):
    assert find_method("my-toy") is find_method(NAME)
    assert spell_method(find_method(NAME)) == "my-toy"
    assert list(list_methods()) == [*METHODS, "my-toy"]
    assert "my-toy  " in energax("methods").out
    with pytest.raises(InputError, match="did you mean my-toy"):
        find_method("mytoy")
    assert parse(["x", "--method", "my-toy", "--blur", "2"]).options == {"blur": 2.0}


def test_a_method_of_ours_is_its_name():
    assert [spell_method(method) for method in METHODS.values()] == list(METHODS)


def test_what_is_no_method_is_refused(folder):
    for name, sentence in {
        "toy_module:Silent": "does not say its title",
        "toy_module:Toi": "has no attribute 'Toi'",
        "toy_module:option": "is not a method",
        "toy_module:AbstractDescentMethod": "is not a method: derive a final class",
        "no_such_module:Toy": "cannot be imported: No module named",
        ":Toy": "cannot be imported",
    }.items():
        assert sentence in refused(energax("train", "x", "--method", name)), name
