"""A damaged run, an impossible wish, a full disk: one sentence, and nothing left behind."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from commands import energax, listing, moons, refused, tiny
from jax.errors import JaxRuntimeError

from energax.cli.evaluate import Evaluate

MOONS = moons(60)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with a good file; afterwards it must be as it was, but for what was made."""
    monkeypatch.chdir(tmp_path)
    np.save("moons.npy", MOONS)
    return tmp_path


END = [0.0, 0.1, 5.0]
LOG_Z = {"forward": END, "reverse": END, "lower": -1.0, "upper": 1.0}
LOG_Z |= {"level": 0.95, "certified": True, "why": ""}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on moons.npy, with a log Z that was written by hand."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "moons.npy", MOONS)
    run = folder / "run"
    said = energax("train", folder / "moons.npy", *tiny(), "--steps", "20", "--out", run)
    assert said.status == 0, said
    (run / "evaluation.json").write_text("{}")
    (run / "log_z.json").write_text(json.dumps(LOG_Z))
    return run


@pytest.fixture
def run(trained, place):
    """A copy to damage."""
    return Path(shutil.copytree(trained, place / "run"))


def cut(path):
    """The file without its second half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flipped(path):
    """The file with a bit of each byte changed in its last third, where numbers are."""
    content = path.read_bytes()
    whole = len(content) * 2 // 3
    path.write_bytes(content[:whole] + bytes(byte ^ 1 for byte in content[whole:]))


def biggest(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=os.path.getsize)


def rewritten(change):
    """config.json after a change of its content."""

    def harm(run):
        path = run / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return harm


def unfinished(run):
    (run / "weights.safetensors").unlink()
    return run / "checkpoints" / "20"


DAMAGES = {  # name -> (what is done to the run, command, what the sentence says)
    "no run": (shutil.rmtree, "sample run --out s.csv", "run is not a run folder"),
    "no run to report": (shutil.rmtree, "report run", "run is not a run folder"),
    "checkpoint cut": (
        lambda run: cut(biggest(unfinished(run) / "state")),
        "train --resume run --no-evaluate",
        "checkpoints/20 is damaged: delete that folder",
    ),
    "checkpoint flipped": (
        lambda run: flipped(biggest(unfinished(run) / "state")),
        "train --resume run --no-evaluate",
        "checkpoints/20 is damaged: delete that folder",
    ),
    "checkpoint without its state": (
        lambda run: shutil.rmtree(unfinished(run) / "state"),
        "train --resume run --no-evaluate",
        "checkpoints/20 is damaged: delete that folder",
    ),
    "checkpoint without its seal": (
        lambda run: shutil.rmtree(unfinished(run) / "seal"),
        "train --resume run --no-evaluate",
        "checkpoints/20 is damaged: delete that folder",
    ),
    "weights cut": (
        lambda run: cut(run / "weights.safetensors"),
        "sample run --out s.csv",
        "weights.safetensors is damaged",
    ),
    "weights gone": (unfinished, "sample run --out s.csv", "weights.safetensors is missing"),
    "config cut": (
        lambda run: cut(run / "config.json"),
        "sample run --out s.csv",
        "config.json is damaged: it is not JSON",
    ),
    "config of something else": (
        lambda run: (run / "config.json").write_text("[]"),
        "sample run --out s.csv",
        "config.json is damaged: it holds no JSON object",
    ),
    "config of another version": (
        rewritten(lambda config: config.update(version=0)),
        "sample run --out s.csv",
        "config.json is of another version (0, this energax reads 1): train the run again",
    ),
    "config without a version": (
        rewritten(lambda config: config.pop("version")),
        "sample run --out s.csv",
        "config.json is of another version (null",
    ),
    "a method that is none": (
        rewritten(lambda config: config.update(method="nse")),
        "sample run --out s.csv",
        "--method nse is unknown; did you mean nce?",
    ),
    "a method that is no word": (
        rewritten(lambda config: config.update(method=3)),
        "sample run --out s.csv",
        "config.json is damaged",
    ),
    "no method": (
        rewritten(lambda config: config.pop("method")),
        "sample run --out s.csv",
        "config.json is damaged: it lacks 'method'",
    ),
    "a rate below 0": (
        rewritten(lambda config: config["options"]["optimiser"].update(learning_rate=-1)),
        "sample run --out s.csv",
        "config.json holds a value that it must not: --learning-rate must be above 0; got -1.",
    ),
    "many steps": (
        rewritten(lambda config: config["options"]["training"].update(steps="many")),
        "sample run --out s.csv",
        "config.json holds a value that it must not: --steps must be a whole number; got 'many'.",
    ),
    "an option that is missing": (
        rewritten(lambda config: config["options"]["training"].pop("steps")),
        "evaluate run",
        "config.json is damaged or of another version: it lacks 'steps'.",
    ),
    "an option that is unknown": (
        rewritten(lambda config: config["options"]["training"].update(pace=3)),
        "evaluate run",
        "it has the unknown option 'pace'.",
    ),
    "no schema": (
        rewritten(lambda config: config.pop("schema")),
        "sample run --out s.csv",
        "config.json is damaged",
    ),
    "a schema of something else": (
        rewritten(lambda config: config.update(schema=[])),
        "sample run --out s.csv",
        "config.json is damaged",
    ),
    "a shape that is none": (
        rewritten(lambda config: config["schema"].update(shape="wide")),
        "sample run --out s.csv",
        "config.json is damaged",
    ),
    "data of something else": (
        rewritten(lambda config: config["data"].update(test_fraction="some")),
        "report run",
        "config.json is damaged: its data are unknown",
    ),
    "no data": (
        rewritten(lambda config: config.pop("data")),
        "report run",
        "config.json is damaged",
    ),
    "base cut": (
        lambda run: cut(run / "base.safetensors"),
        "sample run --out s.csv",
        "base.safetensors is damaged",
    ),
    "transform cut": (
        lambda run: cut(run / "transform.json"),
        "sample run --out s.csv",
        "transform.json is damaged",
    ),
    "samples cut": (
        lambda run: (run / "samples.npz").write_bytes(b"PK"),
        "report run",
        "samples.npz is missing or damaged: run `energax evaluate run`",
    ),
    "report before evaluate": (
        lambda run: (run / "evaluation.json").unlink(),
        "report run",
        "is not evaluated: run `energax evaluate run`",
    ),
    "evaluation of something else": (
        lambda run: (run / "evaluation.json").write_text("[]"),
        "report run",
        "evaluation.json is damaged: it holds no JSON object",
    ),
    "log Z of something else": (
        lambda run: (run / "log_z.json").write_text("{}"),
        "score run moons.npy --out s.csv",
        "log_z.json is damaged",
    ),
    "log Z cut": (
        lambda run: cut(run / "log_z.json"),
        "score run moons.npy --out s.csv",
        "log_z.json is damaged: it is not JSON",
    ),
    "rows of another width": (
        lambda run: np.save("three.npy", np.zeros((5, 3))),
        "score run three.npy --out s.csv",
        "three.npy has 3 columns; the model was trained on 2",
    ),
    "no rows to score": (lambda run: None, "score run none.npy --out s.csv", "no file none.npy"),
    "unknown ending": (
        lambda run: None,
        "score run moons.npy --out s.txt",
        "--out s.txt must end in .csv or .parquet or .npy",
    ),
    "target taken": (
        lambda run: Path("s.csv").touch(),
        "sample run --out s.csv",
        "s.csv exists already",
    ),
    "no folder": (
        lambda run: None,
        "sample run --out no/s.csv",
        "the folder no does not exist",
    ),
    "table as a picture": (lambda run: None, "sample run --out s.png", "is no image; use .csv"),
    "no draws": (lambda run: None, "sample run --num 0 --out s.csv", "--num must be at least 1"),
    "no particles": (lambda run: None, "evaluate run --particles 0", "--particles must be at"),
    "level": (lambda run: None, "evaluate run --level 2", "--level must be in (0, 1)"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_run_or_impossible_wish_gets_one_sentence(name, run, place):
    harm, words, says = DAMAGES[name]
    harm(run)
    before = listing(place)
    said = refused(energax(*words.split()))
    assert says in said, said
    assert listing(place) == before


def test_data_that_changed_is_noticed(trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    np.save(tmp_path / "other.npy", MOONS + 1)
    config = json.loads((run / "config.json").read_text())
    config["data"]["source"] = str(tmp_path / "other.npy")
    (run / "config.json").write_text(json.dumps(config))
    unfinished(run)
    assert "has changed since" in refused(energax("train", "--resume", run))


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full(*_, **__):
    raise FULL


@pytest.mark.parametrize(
    ("writer", "words"),
    [
        ("write_text", ["train", "moons.npy", *tiny(), "--out", "new"]),
        ("write_bytes", ["train", "moons.npy", *tiny(), "--out", "new"]),
        ("write_text", ["sample", "run", "--num", "2", "--out", "s.csv"]),
        ("write_bytes", ["sample", "run", "--num", "2", "--out", "s.npz"]),
        ("write_bytes", ["score", "run", "moons.npy", "--out", "s.csv"]),
        ("write_bytes", ["score", "run", "moons.npy", "--out", "s.parquet"]),
        ("write_bytes", ["score", "run", "moons.npy", "--out", "s.npy"]),
    ],
)
def test_full_disk_gets_one_sentence_and_leaves_nothing(writer, words, run, place, monkeypatch):
    before = listing(place)
    monkeypatch.setattr(Path, writer, full)
    assert "No space left on device" in refused(energax(*words))
    assert listing(place) == before


def test_good_input_is_not_refused(run, place):
    """The control of all of the above: the same file, options and run, unharmed."""
    assert energax("score", "run", "moons.npy", "--out", "s.csv").status == 0
    assert pl.read_csv("s.csv").shape == (len(MOONS), 2)


def exhausted(*_):
    raise JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 151692851264 bytes.")


def unexplained(*_):
    raise JaxRuntimeError("INTERNAL: something else")


def test_a_memory_that_is_too_small_gets_one_sentence(monkeypatch):
    monkeypatch.setattr(Evaluate, "__call__", exhausted)
    said = energax("evaluate", "run")
    assert said.status == 2
    assert re.fullmatch(r"energax: Out of memory: .*--batch-size.*\n", said.err)
    monkeypatch.setattr(Evaluate, "__call__", unexplained)
    with pytest.raises(JaxRuntimeError, match="something else"):
        energax("evaluate", "run")
