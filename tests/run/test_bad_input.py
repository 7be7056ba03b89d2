"""Bad input: one clear sentence, exit status 2, no traceback, and nothing left behind.

What is wrong with a file is told in full in tests/data/test_files; here, that commands tell it.
"""

import errno
import gzip
import json
import os
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from commands import TINY, energax, moons, refused
from energax.recipe import Evaluate
from jax.errors import JaxRuntimeError
from PIL import Image

MOONS = moons(60)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 4)).astype(np.uint8)
IDX = struct.pack(">4B3I", 0, 0, 8, 3, *IMAGES.shape) + IMAGES.tobytes()


def table(rows, header="height,width"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)])


def with_cell(cell):
    """A good table but for the width in data row 5."""
    rows = MOONS.tolist()
    rows[4][1] = cell
    return table(rows)


def images(folder):
    folder.mkdir()
    for index, image in enumerate(IMAGES):
        Image.fromarray(image if index else image[:3]).save(folder / f"{index:02}.png")


FILES = {  # name -> (file, how to make it, what the sentence says)
    "empty": ("x.csv", lambda f: f.write_text(""), "x.csv is empty"),
    "only a header": ("x.csv", lambda f: f.write_text("a,b\n"), "x.csv has no rows"),
    "text column": (
        "x.csv",
        lambda f: f.write_text(with_cell("Rome")),
        "Column 'width' of x.csv holds text, 'Rome' in data row 5",
    ),
    "missing cell": (
        "x.csv",
        lambda f: f.write_text(with_cell("")),
        "data row 5, column 'width' is missing",
    ),
    "infinite cell": (
        "x.csv",
        lambda f: f.write_text(with_cell("inf")),
        "data row 5, column 'width' is infinite",
    ),
    "ragged": ("x.csv", lambda f: f.write_text(with_cell("1,2")), "Line 6 of x.csv does not match"),
    "constant column": (
        "x.csv",
        lambda f: f.write_text(table(MOONS * [1, 0] + [0, 3])),
        "Column 'width' of x.csv is constant",
    ),
    "copied column": (
        "x.csv",
        lambda f: f.write_text(table(MOONS[:, :1] * [1, -2] + [0, 3])),
        "Columns 'height' and 'width' of x.csv are copies of each other",
    ),
    "few rows": ("x.csv", lambda f: f.write_text(table(MOONS[:9])), "x.csv has 9 rows"),
    "fewer than a batch": (
        "x.npy",
        lambda f: np.save(f, MOONS[:15]),
        "x.npy has 12 training rows, fewer than a batch of 16: give --batch-size 12",
    ),
    "objects": (
        "x.npy",
        lambda f: np.save(f, np.array([{}] * 40, object), allow_pickle=True),
        "x.npy holds Python objects, which are never unpickled",
    ),
    "strings": ("x.npy", lambda f: np.save(f, MOONS.astype(str)), "x.npy holds <U"),
    "truncated idx": (
        "x-idx3-ubyte",
        lambda f: f.write_bytes(IDX[:-3]),
        "x-idx3-ubyte is truncated: 496 bytes expected, 493 found",
    ),
    "truncated gzip": (
        "x-idx3-ubyte.gz",
        lambda f: f.write_bytes(gzip.compress(IDX)[:-30]),
        "x-idx3-ubyte.gz is damaged",
    ),
    "images of two sizes": ("shots", images, "00.png is 4x3 greyscale, 01.png is 4x4 greyscale"),
}

OPTIONS = {  # options of `train moons.npy` -> what the sentence says
    "--steps -5": "--steps must be at least 1; got -5",
    "--steps 0": "--steps must be at least 1; got 0",
    "--objective pcd --step-size 0": "--step-size must be above 0 and finite; got 0",
    "--objective pcd --step-size -1": "--step-size must be above 0 and finite; got -1",
    "--learning-rate nan": "--learning-rate must be above 0 and finite; got nan",
    "--noise inf": "--noise must be above 0 and finite; got inf",
    "--seed -1": "--seed must be from 0 to 4294967295; got -1",
    "--seed 4294967296": "--seed must be from 0 to 4294967295",
    "--decay 1": r"--decay must be in \[0, 1\)",
    "--fresh 1.5": r"--fresh must be in \[0, 1\]",
    "--test-fraction 1": "--test-fraction must be between 0 and 1; got 1",
    "--objective pcd --buffer-size 8": "--buffer-size must be at least the batch size, 16; got 8",
    "--objective nce --base none": "--objective nce needs a base distribution",
    "--transform marginal": "--transform marginal is for whole numbers",
    "--network conv": "--network conv is for images; moons.npy has none",
    "--base box": "--base box is a distribution on .*choose --transform box",
    "--base mixture --components 49": "--components 49 exceeds the 48 training rows",
    "--resume no-run --seed 3": "--resume takes all settings from no-run: leave out DATA",
    "--out taken": "taken exists already: choose another --out",
    "--out moons.npy": "moons.npy exists already",
    "--out moons.npy/below": "Not a directory; choose another place",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with a good file; afterwards it must be as it was, but for what was made."""
    monkeypatch.chdir(tmp_path)
    np.save("moons.npy", MOONS)
    Path("taken").mkdir()
    return tmp_path


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", FILES)
def test_bad_file_gets_one_sentence_and_no_run(name, place):
    file, make, says = FILES[name]
    make(place / file)
    before = listing(place)
    said = refused(energax("train", file, *TINY))
    assert re.search(says, said), said
    assert listing(place) == before


@pytest.mark.parametrize("options", OPTIONS)
def test_nonsense_option_gets_one_sentence_and_no_run(options, place):
    before = listing(place)
    # Of an option given twice, the last counts.
    said = refused(energax("train", "moons.npy", *TINY, *options.split()))
    assert re.search(OPTIONS[options], said), said
    assert listing(place) == before


@pytest.mark.parametrize(
    ("name", "says"),
    {
        "no/such.csv": "There is no file or data set 'no/such.csv'",
        "two-mons": "Did you mean 'two-moons'",
        "fashonmnist": "Did you mean 'fashion-mnist'",
    }.items(),
)
def test_unknown_data_set(name, says, place):
    assert says in refused(energax("train", name))


@pytest.mark.parametrize("words", ["--nonsense 1", "--steps many", "--objective vae", "a b"])
def test_arguments_that_cannot_be_parsed(words, place):
    said = energax("train", *words.split())
    assert said.status == 2
    assert "Traceback" not in said.err
    assert "energax" in said.err
    assert "--help" in said.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on moons.npy; `score` needs an evaluation, which is written by hand."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "moons.npy", MOONS)
    run = folder / "run"
    said = energax("train", folder / "moons.npy", *TINY, "--steps", "20", "--out", run)
    assert said.status == 0, said
    record = {"test_log_likelihood": {"certified": True}, "log_z": {"value": 0.0}}
    (run / "evaluation.json").write_text(json.dumps(record))
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


def unfinished(run):
    (run / "weights.safetensors").unlink()
    return run / "checkpoints" / "20"


DAMAGES = {  # name -> (what is done to the run, command, what the sentence says)
    "no run": (shutil.rmtree, "sample run --out s.csv", "run is not a run folder"),
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
    "transform cut": (
        lambda run: cut(run / "transform.json"),
        "sample run --out s.csv",
        "transform.json is damaged",
    ),
    "not evaluated": (
        lambda run: (run / "evaluation.json").unlink(),
        "score run moons.npy --out s.csv",
        "run `energax evaluate run` first",
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
        lambda run: (run / "evaluation.json").write_text("{}"),
        "score run moons.npy --out s.csv",
        "evaluation.json is damaged",
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
    "level": (lambda run: None, "evaluate run --level 2", "--level must be between 0 and 1"),
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
        ("write_text", ["train", "moons.npy", *TINY, "--out", "new"]),
        ("write_bytes", ["train", "moons.npy", *TINY, "--out", "new"]),
        ("write_text", ["score", "run", "moons.npy", "--out", "s.csv"]),
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
    assert re.fullmatch(r"energax: The memory does not hold this: .*--batch-size.*\n", said.err)
    monkeypatch.setattr(Evaluate, "__call__", unexplained)
    with pytest.raises(JaxRuntimeError, match="something else"):
        energax("evaluate", "run")
