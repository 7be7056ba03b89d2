"""A run that was killed, stopped or diverged: what is kept, and that going on gives the same bits.

Kills fall at random moments, from a fixed seed: after a random line of the log, plus up to 50 ms.
"""

import functools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import equinox as eqx
import numpy as np
import pytest
from commands import energax, moons, tiny

from energax.train import Checkpoints, Log

STEPS = 120
KILLED = random.Random(20260101)


def train(folder, method, out, *options):
    words = ("train", folder / "moons.npy", "--out", out)
    return [*map(str, words), *tiny(method), "--steps", str(STEPS), *options]


def bits(run):
    """The weights, and the last checkpoint: weights, optimiser, chains, buffer, key and step."""
    files = (run / "weights.safetensors", run / "checkpoints" / f"{STEPS}.safetensors")
    return [file.read_bytes() for file in files]


def steps_logged(run):
    return [line["step"] for line in Log(run / "metrics.jsonl").read()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume")
    np.save(path / "moons.npy", moons())
    return path


@pytest.fixture(scope="module")
def whole(folder):
    """Of a method, a run that never stopped."""

    @functools.cache
    def of(method):
        run = folder / f"whole-{method}"
        assert energax(*train(folder, method, run)).status == 0
        return run

    return of


def killed(folder):
    """A run killed by SIGKILL at a random moment of its training, in a process of its own."""
    run = folder / "killed"
    lines, delay = KILLED.randrange(3, STEPS // 10 - 3), KILLED.uniform(0, 0.05)
    main = "import sys; from energax import cli; sys.exit(cli.run(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", main, *train(folder, "pcd", run)],
        env=os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log = run / "metrics.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= lines):
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, output
    lines = output.decode().splitlines()
    said = [line for line in lines if not line.startswith("Base: ")]
    assert all(line.endswith(" ...") for line in said), "a line per stage"
    assert not (run / "weights.safetensors").exists()
    assert Checkpoints(run / "checkpoints").newest()
    return run


def test_killed_run_goes_on_to_the_same_bits(whole, folder, monkeypatch):
    reference = whole("pcd")
    run, copy = killed(folder), folder / "copy"
    shutil.copytree(run, copy)
    assert energax("train", "--resume", run, "--no-evaluate").status == 0
    assert bits(run) == bits(reference)
    assert steps_logged(run) == list(range(10, STEPS + 1, 10))
    forget_the_chains(monkeypatch)
    assert energax("train", "--resume", copy, "--no-evaluate").status == 0
    assert bits(copy)[0] != bits(reference)[0]


def test_a_run_that_lost_its_checkpoints_begins_again_and_says_so(whole, folder):
    run = folder / "lost"
    shutil.copytree(whole("dsm"), run)
    shutil.rmtree(run / "checkpoints")
    (run / "weights.safetensors").unlink()
    said = energax("train", "--resume", run, "--no-evaluate")
    assert said.status == 0
    assert "No checkpoint is left" in said.out
    assert bits(run)[0] == bits(whole("dsm"))[0]
    assert steps_logged(run) == list(range(10, STEPS + 1, 10))


def forget_the_chains(monkeypatch):
    """Plant the fault that the test above must see: chains that start again on resuming."""
    restore = Checkpoints.restore

    def forgetful(self, like):
        chains = like.state.inner.memory
        return eqx.tree_at(lambda run: run.state.inner.memory, restore(self, like), chains)

    monkeypatch.setattr(Checkpoints, "restore", forgetful)


def test_ctrl_c_saves_says_how_to_go_on_and_resumes_to_the_same_bits(whole, folder, monkeypatch):
    run = folder / "stopped with a blank"
    write = Log.write

    def interrupted(self, line):
        write(self, line)
        if line["step"] == 70:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Log, "write", interrupted)
    said = energax(*train(folder, "dsm", run))
    assert said.status == 130
    assert said.err == (
        f"energax: Stopped after 70 updates; go on with: energax train --resume '{run}'\n"
    )
    assert Checkpoints(run / "checkpoints").newest() == 70
    monkeypatch.setattr(Log, "write", write)
    assert energax("train", "--resume", run, "--no-evaluate").status == 0
    assert bits(run) == bits(whole("dsm"))


def test_divergence_stops_names_the_first_failure_and_keeps_a_good_checkpoint(folder):
    run = folder / "diverged"
    options = ("--learning-rate", "10", "--checkpoint-every", "10")
    said = energax(*train(folder, "pcd", run, *options))
    assert said.status == 3
    found = re.fullmatch(
        r"energax: (\w+) (?:exploded to|became) \S+ at update (\d+)\. The last good checkpoint, "
        r"after (\d+) updates, is kept in (.*)\. Try a smaller --learning-rate, .*\.\n",
        said.err,
    )
    assert found, said.err
    name, at, kept = found[1], int(found[2]), int(found[3])
    assert name in Log(run / "metrics.jsonl").read()[0] if kept else True
    assert kept == (at - 1) // 10 * 10
    assert Checkpoints(run / "checkpoints").newest() == kept
    assert steps_logged(run) == list(range(10, kept + 1, 10))
    assert not (run / "weights.safetensors").exists()


def test_finished_run_is_not_resumed(whole):
    said = energax("train", "--resume", whole("dsm"))
    assert said.status == 2
    assert f"energax evaluate {whole('dsm')}" in said.err


def test_a_run_that_ended_early_resumes_to_the_same_end(folder):
    """Its last chunks are done again from an older checkpoint, and no more than these."""
    run, copy = folder / "early", folder / "early-again"
    said = energax(*train(folder, "nce", run, "--validation-every", 10, "--patience", 3))
    assert said.status == 0
    end = steps_logged(run)[-1]
    assert f"Training ended after {end} of {STEPS} updates" in said.out
    assert end < STEPS
    shutil.copytree(run, copy)
    for path in (copy / "weights.safetensors", copy / "checkpoints" / f"{end}.safetensors"):
        path.unlink()
    assert energax("train", "--resume", copy, "--no-evaluate").status == 0
    assert steps_logged(copy) == steps_logged(run)
    for name in ("weights.safetensors", f"checkpoints/{end}.safetensors"):
        assert (copy / name).read_bytes() == (run / name).read_bytes()
