"""A run folder has one owner at a time, and no crash leaves a step of its log twice.

A crash at a place is the folder as it is just before each step of writing: a snapshot.
"""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import energax, listing, moons, refused, tiny

from energax.drafts import LOCK
from energax.errors import InputError
from energax.run import Folder, hold_run
from energax.run.hold import hold
from energax.train import Checkpoints, Log

STEPS = 40
EVERY = [10, 20, 30, 40]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("crashes")
    np.save(path / "moons.npy", moons(60))
    return path


def train(folder, run):
    words = ("--checkpoint-every", 10, "--steps", STEPS, "--out", run)
    return energax("train", folder / "moons.npy", *tiny(), *words)


@pytest.fixture(scope="module")
def whole(folder):
    """A run that never stopped."""
    assert train(folder, folder / "whole").status == 0
    return folder / "whole"


@pytest.fixture
def run(whole, tmp_path):
    """A copy without its weights: training may go on."""
    copy = Path(shutil.copytree(whole, tmp_path / "run"))
    (copy / "weights.safetensors").unlink()
    return copy


HOLD = """
import sys, filelock
with filelock.FileLock(sys.argv[1], blocking=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(run):
    """Another process that works in the folder."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, run / LOCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("command", ["train --resume", "evaluate", "report"])
def test_a_second_command_on_a_run_is_refused_until_the_first_dies(command, run):
    (run / "evaluation.json").touch()
    other = holder(run)
    assert other.stdout.readline() == "held\n"
    before = listing(run)
    said = refused(energax(*command.split(), run))
    assert f"{run} is in use by another energax command: wait until it has ended" in said
    assert listing(run) == before
    other.kill()
    other.wait()
    said = energax(*command.split(), run)
    assert "in use" not in said.err, "the system frees the lock of a process that is killed"


@pytest.mark.parametrize("kind", ["study", "experiment"])
def test_a_second_study_in_a_folder_is_refused(kind, tmp_path):
    words = {
        "study": ("study", "two-moons", "--methods", "nce", "--seeds", 1),
        "experiment": ("reproduce", "dual-3d", "--seeds", 1),
    }[kind]
    (tmp_path / f"{kind}.json").write_text("{}")
    with holder(tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        assert "in use by another energax command" in refused(energax(*words, "--out", tmp_path))
        other.stdin.close()


def test_a_run_is_held_against_other_processes_and_not_against_oneself(run):
    """Control: outside of the block, another process gets it."""
    with hold_run(Folder(run)), hold(run):
        assert holder(run).wait() == 1
    other = holder(run)
    assert other.stdout.readline() == "held\n"
    other.communicate()


def snapshots(run, target, monkeypatch):
    """Let each step of writing leave a copy of the run; the copies, in time."""
    found = []

    def before(place, name):
        act = getattr(place, name)

        def watched(*words, **others):
            if run.exists():
                found.append(shutil.copytree(run, target / str(len(found))))
            return act(*words, **others)

        monkeypatch.setattr(place, name, watched)

    before(os, "fsync")
    for name in ("replace", "open", "unlink", "write_bytes"):
        before(Path, name)
    return found


def check(snapshot):
    """After going on from here, is every step up to the checkpoint in the log, once?"""
    step = Checkpoints(snapshot / "checkpoints").newest() or 0
    log = Log(snapshot / "metrics.jsonl")
    log.rewind(step)
    assert [line["step"] for line in log.read()] == list(range(10, step + 1, 10))


def test_no_crash_leaves_a_step_twice_or_loses_one(folder, whole, tmp_path, monkeypatch):
    """In training, and in going on after a crash; three of the crashes to the end, to the bit."""
    run, copies = folder / "watched", tmp_path / "copies"
    with monkeypatch.context() as patched:
        first = snapshots(run, copies, patched)
        assert train(folder, run).status == 0
    middle = next(one for one in first if Checkpoints(one / "checkpoints").newest() == 20)
    again = Path(shutil.copytree(middle, tmp_path / "again"))
    with monkeypatch.context() as patched:
        second = snapshots(again, tmp_path / "second", patched)
        assert energax("train", "--resume", again, "--no-evaluate").status == 0
    unfinished = [s for s in (*first, *second) if not (s / "weights.safetensors").exists()]
    assert len(unfinished) > 40
    for snapshot in random.Random(20260101).sample(unfinished, 3):
        copy = shutil.copytree(snapshot, tmp_path / f"end-{snapshot.name}", dirs_exist_ok=True)
        assert energax("train", "--resume", copy, "--no-evaluate").status == 0
        assert [line["step"] for line in Log(copy / "metrics.jsonl").read()] == EVERY
        assert (copy / "weights.safetensors").read_bytes() == (
            whole / "weights.safetensors"
        ).read_bytes()
    for snapshot in unfinished:
        check(snapshot)


def test_a_step_that_is_twice_is_seen(run):
    """Negative control: a second process that goes on from the checkpoint of before."""
    log = run / "metrics.jsonl"
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:3], *lines[1:]]) + "\n")
    with pytest.raises(InputError, match="damaged in line 4: step 20 follows 30"):
        check(run)
