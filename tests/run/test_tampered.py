"""Every entry of every file of a run, edited: one sentence, or the right result.

A file is read as the commands read it. What may differ without harm is text about the run, which
nothing is computed from.
"""

import copy
import json
import math
import re
import shutil
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import as_a_user, energax, moons, refused, tiny

from energax.errors import InputError
from energax.files import write_json
from energax.model import load
from energax.model.config import list_facts
from energax.run import Folder
from energax.run.evaluating import read_samples
from energax.train import Log, write_weights
from energax.train.arrays import read_arrays

GONE = object()
"""What an entry is edited to where it is removed."""

EDITS = {
    "text": "x",
    "null": None,
    "list": [],
    "nested": {"a": {"b": [1]}},
    "negative": -1,
    "NaN": math.nan,
    "infinite": -math.inf,
    "huge": 10**400,
    "large": 1e300,
    "true": True,
    "missing": GONE,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished and evaluated run of nothing but small files."""
    folder = tmp_path_factory.mktemp("tampered")
    np.save(folder / "moons.npy", moons(60))
    words = ("train", folder / "moons.npy", *tiny(), "--steps", 20, "--evaluate")
    assert energax(*words, "--out", folder / "run").status == 0
    return folder / "run"


def read_all(run):
    """All that commands read of a run."""
    folder = Folder(run)
    samples = read_samples(folder)
    return (
        load(run),
        folder.evaluation(),
        folder.diverged,
        samples,
        Log(run / "metrics.jsonl").read(),
    )


def list_places(content, place=()):
    """The path of every entry at any depth; of long lists the first alone."""
    pairs = content.items() if isinstance(content, dict) else list(enumerate(content))[:1]
    for name, inner in pairs:
        yield (*place, name)
        if isinstance(inner, dict | list):
            yield from list_places(inner, (*place, name))


def edit(content, place, value):
    """A copy of the content with another value at a place."""
    changed = copy.deepcopy(content)
    *path, last = place
    inner = changed
    for name in path:
        inner = inner[name]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return changed


def same(one, other):
    """Do two readings give the same results?"""
    (first, *rest), (second, *others) = one, other
    fields = ("trained", "base", "transform", "method", "schema", "own_energy")
    return (
        all(eqx.tree_equal(getattr(first, name), getattr(second, name)) for name in fields)
        and str(first.measured_log_z) == str(second.measured_log_z)
        and rest[:2] == others[:2]
        and all(np.array_equal(a, b) for a, b in zip(rest[2], others[2], strict=True))
        and rest[3] == others[3]
    )


def outcome(run, file, whole):
    """None where the edit is refused by one sentence or harmless; else what is wrong."""
    try:
        found = read_all(run)
    except InputError as refusal:
        words = str(refusal)
        plain = "\n" not in words and words.endswith((".", "?", "`")) and len(words) < 900
        return None if plain and file in words else f"not a sentence about {file}: {words}"
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
    return None if same(found, whole) else "another result"


@pytest.mark.parametrize("file", ["config.json", "transform.json", "evaluation.json", "log_z.json"])
def test_every_entry_of_a_file_is_checked(file, run, tmp_path):
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    path = copied / file
    content = json.loads(path.read_text())
    places = list(list_places(content))
    wrong = {}
    with as_a_user():
        whole = read_all(copied)
        for place in places:
            for name, value in EDITS.items():
                path.write_text(json.dumps(edit(content, place, value), indent=2) + "\n")
                if (found := outcome(copied, file, whole)) is not None:
                    wrong[f"{'.'.join(map(str, place))} {name}"] = found
        write_json(path, content)
        assert same(read_all(copied), whole), "control: unharmed"
    assert wrong == {}
    assert len(places) >= 4


def test_a_plausible_edit_is_not_obeyed_either(run, tmp_path):
    """A number that could be right: the name of the file, and of the entry where it is known."""
    says = {
        "config.json": (("options", "optimiser", "learning_rate"), "learning_rate was"),
        "transform.json": (("mean", 0), "transform.json has changed since"),
        "evaluation.json": (("mmd", "value"), "evaluation.json has changed since it was written"),
        "log_z.json": (("lower",), "log_z.json has changed since it was written"),
    }
    with as_a_user():
        for file, (place, words) in says.items():
            copied = Path(shutil.copytree(run, tmp_path / file))
            content = json.loads((copied / file).read_text())
            write_json(copied / file, edit(content, place, 0.5))
            with pytest.raises(InputError, match=re.escape(words)):
                read_all(copied)


def test_every_entry_of_the_log_is_checked(run, tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = (run / "metrics.jsonl").read_text().splitlines()
    entries = json.loads(lines[1])
    for name in entries:
        for value in ("text", "null", "list", "nested", "NaN", "infinite", "huge", "true"):
            changed = json.dumps(edit(entries, (name,), EDITS[value]))
            path.write_text(f"{lines[0]}\n{changed}\n")
            with pytest.raises(InputError, match=r"metrics.jsonl is damaged in line 2: .*\.$"):
                Log(path).read()
    for name in ("step", "seconds"):
        path.write_text(f"{lines[0]}\n{json.dumps(edit(entries, (name,), GONE))}\n")
        with pytest.raises(InputError, match=f"line 2: it lacks '{name}'"):
            Log(path).read()
    for step in (-1, 0, 1.5, json.loads(lines[0])["step"]):
        path.write_text(f"{lines[0]}\n{json.dumps(entries | {'step': step})}\n")
        with pytest.raises(InputError, match=r"line 2: step .*"):
            Log(path).read()
    path.write_text("\n".join(lines) + "\n")
    assert len(Log(path).read()) == len(lines)


DATA = {  # what is said of the rows in config.json, against the rows
    ("data", "train"): 7,
    ("data", "test"): 7,
    ("data", "test_fraction"): 0.5,
    ("schema", "name"): "other",
    ("schema", "columns"): ["a", "b"],
    ("schema", "shape"): [3],
    ("schema", "levels"): 16,
    ("schema", "labels"): 3,
    ("schema", "digest"): "0" * 64,
}


@pytest.mark.parametrize("place", DATA, ids=".".join)
def test_what_is_said_of_the_rows_is_compared_with_them(place, run, tmp_path):
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    content = json.loads((copied / "config.json").read_text())
    write_json(copied / "config.json", edit(content, place, DATA[place]))
    with pytest.raises(InputError, match=r"config.json"):
        Folder(copied).dataset()
    Folder(run).dataset()


@pytest.mark.parametrize("command", ["sample", "score", "evaluate", "report"])
@pytest.mark.parametrize("file", ["weights.safetensors", "base.safetensors"])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(value, file, command, run, tmp_path):
    """Written as energax writes, digests and all."""
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    spoil(copied, file, value)
    more = {"sample": ["--out", tmp_path / "s.csv"]}
    more["score"] = [run.parent / "moons.npy", "--out", tmp_path / "s.csv"]
    said = refused(energax(command, copied, *more.get(command, [])))
    assert re.search(rf"{file} holds a number that is not finite, in .*: train the run again", said)
    assert not (tmp_path / "s.csv").exists()


def spoil(run, file, value):
    """One number of an array is another, in a file that is otherwise as it should be."""
    parts = {name: np.array(array) for name, array in read_arrays(run / file).items()}
    name = next(name for name, array in parts.items() if array.size > 1 and array.dtype.kind == "f")
    parts[name].flat[0] = value
    parts = jax.tree.map(jnp.asarray, parts)
    facts = list_facts(run) if file.startswith("weights") else None
    write_weights(run / file, parts, facts)
    if file.startswith("base"):
        weights = jax.tree.map(jnp.asarray, read_arrays(run / "weights.safetensors"))
        write_weights(run / "weights.safetensors", weights, list_facts(run))
