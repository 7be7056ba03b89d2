"""The command that repeats a run: what differs from the preset, and no word more."""

import os
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from options_of_methods import CHOICES, QUICK, change

from energax.cli.train import parse
from energax.data import Dataset
from energax.method import METHODS, find_method
from energax.options import replace
from energax.run import creating, new_run, reproducing_command
from energax.run.creating import free_path, spell_option


def rows_of(shape, levels=None, size=40):
    """Rows of a shape: fewer than a batch of any preset."""
    rows = np.zeros((size, *shape), np.float32 if levels is None else np.uint8)
    return Dataset("x", rows[:32], rows[32:], levels)


ROWS = {"plane": rows_of((2,)), "small image": rows_of((8, 8), 17), "image": rows_of((28, 28), 256)}
EVERY = pytest.mark.parametrize("name", METHODS)


def read_back(command, rows):
    """The method that a command line asks for, and the command."""
    words = shlex.split(command)
    assert words[:2] == ["energax", "train"]
    found = parse(words[2:])
    return replace(find_method(found.method).preset_for(rows), **found.options), found


@EVERY
@pytest.mark.parametrize("kind", ROWS)
def test_a_preset_is_its_name_alone(name, kind):
    method = METHODS[name].preset_for(ROWS[kind])
    command = reproducing_command("a file's.csv", method, ROWS[kind], 0.2)
    assert shlex.split(command) == ["energax", "train", "a file's.csv", "--method", name]
    assert read_back(command, ROWS[kind])[0] == method


@EVERY
@given(data=st.data())
@QUICK
def test_what_differs_is_read_back(name, data):
    rows = data.draw(st.sampled_from(list(ROWS.values())))
    preset, method, chosen = change(METHODS[name].preset_for(rows), data.draw(CHOICES[name]))
    command = reproducing_command("x.npy", method, rows, 0.3)
    again, found = read_back(command, rows)
    assert again == method
    assert (found.data, found.test_fraction) == ("x.npy", 0.3)
    assert found.options == {
        key: value for key, value in chosen.items() if replace(preset, **{key: value}) != preset
    }


def test_words_of_a_command_are_few():
    rows = ROWS["plane"]
    method = replace(METHODS["pcd"].preset_for(rows), chain_noise=0.1, steps=40, spectral=True)
    command = reproducing_command("two-moons", method, rows, 0.2)
    assert command == (
        "energax train two-moons --method pcd --steps 40 --spectral --chain-noise 0.1"
    )


def test_what_is_turned_off_is_spelt_so():
    assert spell_option("--spectral", False) == ["--no-spectral"]
    assert spell_option("--spectral", True) == ["--spectral"]


def test_no_value_can_be_said():
    """On images the preset of the noise is a number: a run without one says `none`."""
    rows = ROWS["image"]
    method = replace(METHODS["pcd"].preset_for(rows), chain_noise=None)
    command = reproducing_command("x.npy", method, rows, 0.2)
    assert command.endswith("--chain-noise none")
    assert read_back(command, rows)[0] == method


def test_a_run_without_a_name_takes_the_first_free_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(free_path("moons-pcd")) == "runs/moons-pcd-1"
    (tmp_path / "runs" / "moons-pcd-1").mkdir(parents=True)
    assert str(free_path("moons-pcd")) == "runs/moons-pcd-2"


def test_of_two_runs_that_start_at_once_the_second_takes_the_next_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other, write = tmp_path / "runs" / "x-nce-1", creating.write_json

    def write_later(path, content):
        """As `write_json`, after another process has made its folder."""
        other.mkdir(parents=True, exist_ok=True)
        (other / "config.json").touch()
        write(path, content)

    monkeypatch.setattr(creating, "write_json", write_later)
    rows = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    rows = Dataset("x", rows[:32], rows[32:])
    method = METHODS["nce"].preset_for(rows)
    assert new_run("x.npy", rows, method, 0.2, None).path == Path("runs/x-nce-2")
    assert (other / "config.json").read_text() == ""
    assert sorted(os.listdir("runs")) == ["x-nce-1", "x-nce-2"]
