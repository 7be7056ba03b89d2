"""Runs that are killed, raced or starved of disk: how many end as they should.

Every command must end with 0 and the bits of a run that nothing happened to, or with 2, 3, 130 or
143 and one sentence; no traceback, no time-out, and what is left must go on.

Run: uv run python benchmarks/attack_runs.py [FAMILY ...]
"""

import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from energax.method import METHODS
from energax.options import leaves

SECONDS = 180
"""Time limit of one command."""

STEPS = 600
SMALL = {"batch_size": 16, "width": 8, "depth": 1, "chunk_steps": 5, "checkpoint_every": 20}
KILLED = ("nce", "pcd", "dsm", "cooperative", "flow-contrastive", "stein-learned")
"""One method of each kind: regression, chains with a buffer, denoising, two kinds of games."""

SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
"""What a command is sent, and the status that it then ends with."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended; `status` is None where it took too long."""

    status: int | None
    err: str

    def fault(self, allowed: tuple[int, ...]) -> str:
        """What is wrong with that; empty where nothing is."""
        if self.status not in allowed:
            return f"status {self.status}: {self.err.strip()[-200:]}"
        one = self.err.startswith("energax: ") and self.err.count("\n") == 1
        if self.status and self.status != -9 and not one:
            return f"no single sentence: {self.err[-300:]}"
        return "Traceback in it" if "Traceback" in self.err else ""


def start(*words: object) -> subprocess.Popen:
    """A command in a process of its own."""
    command = [str(Path(sys.executable).with_name("energax")), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> Ended:
    """Wait for its end."""
    try:
        _, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return Ended(None, "it did not end")
    return Ended(process.returncode, err)


def words_of(method: str, data: Path, run: Path, *, steps: int = STEPS) -> list[object]:
    """`energax train` of a small run."""
    flags = {leaf.key: leaf.flag for leaf in leaves(METHODS[method])}
    small = [word for key, value in SMALL.items() if key in flags for word in (flags[key], value)]
    words = ["train", data, "--method", method, *small, "--steps", steps, "--no-evaluate"]
    return [*words, "--out", run]


def read_steps(run: Path) -> list[int]:
    """The steps of its log."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def compare(run: Path, whole: Path) -> str:
    """How a run differs from one that nothing happened to; empty where it does not."""
    mine, other = ((r / "weights.safetensors").read_bytes() for r in (run, whole))
    if mine != other:
        return "other weights"
    return "" if read_steps(run) == read_steps(whole) else f"log {read_steps(run)}"


Outcomes = Iterator[tuple[str, str]]
"""Name and fault of each trial."""


def kill(data: Path, runs: dict[str, Path], place: Path) -> Outcomes:
    """Training is killed at any time, then resumed, to the same bits."""
    chance = random.Random(0)
    for method in KILLED:
        for number, (what, status) in enumerate(SIGNALS.items()):
            run, words = place / f"{method}-{number}", words_of(method, data, place / "x")
            words[-1] = run
            process = start(*words)
            aim = chance.randrange(0, STEPS // 2)
            while process.poll() is None and (not read_steps(run) or read_steps(run)[-1] < aim):
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.1))
            process.send_signal(what)
            ended = finish(process)
            fault = ended.fault((status, 0))
            done = (run / "weights.safetensors").exists()
            again = start("train", "--resume", run) if run.exists() else start(*words)
            fault = fault or finish(again).fault((2,) if done else (0,))
            yield f"{method}, {what.name}", fault or compare(run, runs[method])


def kill_later(data: Path, runs: dict[str, Path], place: Path) -> Outcomes:
    """Evaluation and report are killed, then carried out."""
    chance = random.Random(1)
    for number in range(8):
        run = Path(shutil.copytree(runs["nce"], place / f"later-{number}"))
        command = "evaluate" if number % 4 else "report"
        if command == "report":
            shutil.copy(runs["nce"] / "evaluation.json", run)
        process = start(command, run)
        time.sleep(chance.uniform(0.1, 6))
        what = list(SIGNALS)[number % 3]
        process.send_signal(what)
        fault = finish(process).fault((SIGNALS[what], 0))
        fault = fault or finish(start(command, run)).fault((0,))
        records = [json.loads((r / "evaluation.json").read_text()) for r in (run, runs["nce"])]
        same = records[0]["test_log_likelihood"] == records[1]["test_log_likelihood"]
        yield f"{command}, {what.name}", fault or ("" if same else "another result")


RACES = [
    ("train --resume", "train --resume"),
    ("evaluate", "evaluate"),
    ("evaluate", "report"),
    ("train --resume", "evaluate"),
]


def race(data: Path, runs: dict[str, Path], place: Path) -> Outcomes:
    """Two commands at a time on one run."""
    for number in range(12):
        first, second = RACES[number % len(RACES)]
        run = Path(shutil.copytree(runs["nce"], place / f"race-{number}"))
        if "train" in first:
            (run / "weights.safetensors").unlink()
            for late in (run / "checkpoints").glob(f"*{STEPS}*"):
                (shutil.rmtree if late.is_dir() else os.unlink)(late)
        both = [start(*command.split(), run) for command in (first, second)]
        ended = [finish(process) for process in both]
        faults = [one.fault((0, 2)) for one in ended]
        nobody = "" if any(one.status == 0 for one in ended) else "nobody won"
        resumed = finish(start("train", "--resume", run)) if "train" in first else Ended(2, "")
        fault = (
            next(filter(None, faults), "")
            or nobody
            or ("" if resumed.status in (0, 2) else "stuck")
        )
        yield f"{first}, {second}", fault or compare(run, runs["nce"])


def starve(data: Path, runs: dict[str, Path], place: Path) -> Outcomes:
    """A real disk that is full at any time, then has space again."""
    disk = place / "disk"
    disk.mkdir()
    for size in (64, 128, 200, 300, 400, 512):
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            yield f"{size} KB", "no right to mount a disk"
            continue
        try:
            run = disk / "run"
            ended = finish(start(*words_of("nce", data, run)))
            fault = ended.fault((0, 2))
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            if ended.status == 2:
                again = start("train", "--resume", run) if run.exists() else None
                again = again or start(*words_of("nce", data, run))
                fault = fault or finish(again).fault((0,))
            yield f"{size} KB", fault or compare(run, runs["nce"])
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


FAMILIES: dict[str, Callable[[Path, dict[str, Path], Path], Outcomes]] = {
    "killed while training": kill,
    "killed while measuring": kill_later,
    "two at a time": race,
    "full disk": starve,
}


def make_runs(folder: Path) -> tuple[Path, dict[str, Path]]:
    """Rows, and a run of each killed method that nothing happens to."""
    data = folder / "rows.npy"
    np.save(data, np.random.default_rng(0).normal(size=(80, 2)))
    runs = {method: folder / f"whole-{method}" for method in KILLED}
    for method, run in runs.items():
        ended = finish(start(*words_of(method, data, run)))
        assert ended.status == 0, ended
    assert finish(start("evaluate", runs["nce"])).status == 0
    return data, runs


def main() -> None:
    """Attack by every family, or by those named, and print a table."""
    chosen = sys.argv[1:] or list(FAMILIES)
    lines, broken = [], 0
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        data, runs = make_runs(Path(name))
        for family in chosen:
            place = Path(name) / family.replace(" ", "-")
            place.mkdir()
            faults = 0
            began, trials = time.perf_counter(), 0
            for trial, fault in FAMILIES[family](data, runs, place):
                trials += 1
                faults += bool(fault)
                if fault:
                    print(f"{family}, {trial}: {fault}", flush=True)
            spent = time.perf_counter() - began
            lines.append(f"| {family} | {trials} | {faults} | {spent:.0f} s |")
            print(lines[-1], flush=True)
            broken += faults
    print("\n| family | trials | faults | seconds |\n|---|---|---|---|", *lines, sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
