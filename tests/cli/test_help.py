"""The help: short, grouped, and with the values that this data set would get."""

import re

import numpy as np
import pytest
from commands import energax

from energax import data
from energax.cli.entry import COMMANDS
from energax.cli.train import render_help
from energax.method import MASS_METHODS, METHODS, MIXED_METHODS
from energax.options import leaves

LONGEST, WIDEST = 60, 110
OTHERS = [name for name in COMMANDS if name not in ("train", "methods")]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDEST))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A data set of each kind."""
    folder, draw = tmp_path_factory.mktemp("help"), np.random.default_rng(0)
    np.save(folder / "table.npy", draw.normal(size=(3000, 7)))
    np.save(folder / "images.npy", draw.integers(0, 256, (3000, 28, 28)).astype(np.uint8))
    return {
        "plane": "two-moons",
        "table": str(folder / "table.npy"),
        "small image": "digits",
        "image": str(folder / "images.npy"),
    }


def entries(text):
    """The explanation of each option in a help, its lines joined."""
    found, flag = {}, None
    for line in text.splitlines():
        start = re.match(r"  (--\S+|[A-Z]+)(?: [A-Z ]+)?\s{2,}(\S.*)", line)
        if start:
            flag = start[1].replace("--[no-]", "--")
            found[flag] = start[2]
        elif flag and line.startswith("     "):
            found[flag] += " " + line.strip()
        else:
            flag = None
    return found


def shown(leaf, value):
    """How the help shows the value of an option."""
    if value is None:
        return f"({leaf.unset})"
    if isinstance(value, bool):
        return "(yes)" if value else "(no)"
    return f"({value:g})" if isinstance(value, float) else f"({value})"


@pytest.mark.parametrize("kind", ["plane", "table", "small image", "image"])
@pytest.mark.parametrize("name", METHODS)
def test_help_of_a_method_is_short_and_shows_the_values_of_the_data_set(name, kind, sources):
    text = render_help(sources[kind], name, 0.2)
    lines = text.splitlines()
    assert len(lines) <= LONGEST
    assert max(map(len, lines)) <= WIDEST
    preset = METHODS[name].preset_for(data.load(sources[kind]))
    found, every = entries(text), leaves(preset)
    assert set(found) == {leaf.flag for leaf in every}
    for leaf in every:
        assert found[leaf.flag] == f"{leaf.text} {shown(leaf, leaf.of(preset))}", leaf.flag


def test_another_value_is_seen(sources):
    """Negative control."""
    found = entries(render_help(sources["plane"], "nce", 0.2))
    assert found["--steps"] == "Updates. (2000)"
    assert entries(render_help("digits", "nce", 0.2))["--steps"] == "Updates. (1500)"


def test_help_of_a_method_is_grouped_and_says_what_it_is(sources):
    said = energax("train", "digits", "--method", "pcd", "--help")
    assert said.status == 0
    assert said.err == ""
    assert "Persistent contrastive divergence: " in said.out
    assert "Tieleman (2008)" in said.out
    assert "for digits" in said.out
    headings = [line for line in said.out.splitlines() if re.fullmatch(r"[a-z ]+:", line)]
    assert headings[:4] == ["training:", "inputs and base:", "network:", "optimiser:"]
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize(
    "words",
    [
        "train --help digits --method nce",
        "train --method nce --help digits",
        "train --method=nce digits -h",
        "train digits --method nce --width 8 --help",
    ],
)
def test_help_may_stand_anywhere(words):
    said = energax("train", "digits", "--method", "nce", "--help")
    assert energax(*words.split()).out == said.out


def test_help_of_training_names_every_method_and_how_to_read_on():
    text = energax("train", "--help").out
    assert len(text.splitlines()) <= LONGEST
    assert max(map(len, text.splitlines())) <= WIDEST
    for name in METHODS:
        assert re.search(rf"[ :\n]{name}[,\n]", text), name
    assert "energax train DATA --method NAME --help" in text


@pytest.mark.parametrize("command", OTHERS)
def test_help_of_a_command_explains_each_option_with_its_default(command):
    said = energax(command, "--help")
    assert said.status == 0
    assert said.err == ""
    assert "None" not in said.out
    assert len(said.out.splitlines()) <= LONGEST
    found = entries(said.out)
    assert len(found) >= 1
    for flag, text in found.items():
        assert re.search(r"\(.+\)$", text), (flag, text)


def test_energax_alone_shows_every_command():
    said = energax()
    assert said.status == 0
    assert said.out == energax("--help").out
    for command, text in COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(text)}$", said.out, re.M)


def test_methods_are_listed_a_line_each():
    real, _, rest = energax("methods").out.partition("For bits and categories:")
    mass, _, mixed = rest.partition("For tables with text or missing cells:")
    for text, methods in ((real, METHODS), (mass, MASS_METHODS), (mixed, MIXED_METHODS)):
        for name, method in methods.items():
            (line,) = [line for line in text.splitlines() if line.startswith(f"  {name} ")]
            assert line.endswith(f"{method.title}: {method.use}")
