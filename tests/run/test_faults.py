"""A full disk, an exhausted memory: one sentence, nothing half-written, and training goes on."""

import contextlib
import errno
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import energax, listing, moons, refused, tiny
from jax.errors import JaxRuntimeError

from energax.cli.evaluate import Evaluate
from energax.train import Log

MOONS = moons(60)
STEPS = 40


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with moons.npy and a finished, evaluated run that never stopped."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "moons.npy", MOONS)
    words = ("train", folder / "moons.npy", *tiny(), "--steps", STEPS, "--out", folder / "run")
    assert energax(*words).status == 0
    assert energax("evaluate", folder / "run", "--no-baselines").status == 0
    return folder


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """A current folder with copies of both."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(trained / "moons.npy", tmp_path)
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path


@pytest.fixture
def disk(tmp_path):
    """A real disk of a megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a real full disk needs the right to mount one: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def filled(disk, pages):
    """The disk with so many pages left."""
    left = os.statvfs(disk)
    (disk / "fill").write_bytes(bytes((left.f_bavail - pages) * left.f_bsize))
    try:
        yield
    finally:
        (disk / "fill").unlink()


def bits(run):
    files = (run / "weights.safetensors", run / "checkpoints" / f"{STEPS}.safetensors")
    return [file.read_bytes() for file in files]


ROOM = {  # pages that are left -> what cannot be written
    1: "run",
    4: "0.safetensors",
    7: "20.safetensors",
    9: "40.safetensors",
}


@pytest.mark.parametrize("pages", ROOM)
def test_training_on_a_full_disk_stops_and_goes_on_to_the_same_bits(pages, trained, place, disk):
    run = disk / "run"
    words = ("train", "moons.npy", *tiny(), "--steps", STEPS, "--out", run)
    with filled(disk, pages):
        said = refused(energax(*words))
    assert "No space left on device" in said
    assert ROOM[pages] in said, said
    if run.exists():
        assert f"then go on with `energax train --resume {run}`" in said
        words = ("train", "--resume", run, "--no-evaluate")
    else:
        assert listing(disk) == []
    assert not (run / "weights.safetensors").exists()
    assert energax(*words).status == 0
    assert bits(run) == bits(trained / "run")
    assert [line["step"] for line in Log(run / "metrics.jsonl").read()] == [10, 20, 30, 40]
    assert not [name for name in listing(disk) if "draft" in name]


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_measuring_on_a_full_disk_leaves_no_half(command, place, disk):
    run = Path(shutil.move(place / "run", disk / "run"))
    words = (command, run, *(["--no-baselines"] if command == "evaluate" else []))
    with filled(disk, 1):
        said = refused(energax(*words))
    assert re.search(r"(samples.npz|report.html) cannot be written: No space left", said), said
    assert (run / "evaluation.json").exists() == (command == "report")
    assert energax(*words).status == 0
    assert not [name for name in listing(disk) if "draft" in name]


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full(*_, **__):
    raise FULL


@pytest.mark.parametrize(
    "words",
    [
        ["train", "moons.npy", *tiny(), "--out", "new"],
        ["sample", "run", "--num", "2", "--out", "s.csv"],
        ["sample", "run", "--num", "2", "--out", "s.npz"],
        ["score", "run", "moons.npy", "--out", "s.csv"],
        ["score", "run", "moons.npy", "--out", "s.parquet"],
        ["score", "run", "moons.npy", "--out", "s.npy"],
    ],
)
def test_full_disk_gets_one_sentence_and_leaves_nothing(words, place, monkeypatch):
    before = listing(place)
    monkeypatch.setattr(Path, "write_bytes", full)
    assert "No space left on device" in refused(energax(*words))
    assert listing(place) == before


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
