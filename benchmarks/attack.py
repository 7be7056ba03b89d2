"""Bad data files against `energax train` and `energax score`: how many are handled as they should.

Each command must end with 0 and a right result (a run that trained, a finite score for each row) or
with 2 and one sentence; no traceback, no time-out, and nothing half-written.

Run: uv run python benchmarks/attack.py [FAMILY ...]
"""

import contextlib
import dataclasses
import io
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from attack_files import FAMILIES, GOOD, File

from energax import cli
from energax.progress import show_stages

SECONDS = 60
"""Time limit of one command."""

QUICK = "--steps 5 --chunk-steps 5 --batch-size 8 --width 8 --depth 1 --components 1 --no-evaluate"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one command on one file ended; `fault` is empty where it ended as it should."""

    family: str
    name: str
    command: str
    status: int | None
    said: str
    seconds: float
    fault: str


class TimeOut(BaseException):
    """The time limit of a command has passed."""


def _stop(*_: object) -> None:
    raise TimeOut


@contextlib.contextmanager
def limit_time(seconds: int) -> Iterator[None]:
    """Raise TimeOut where the block takes longer."""
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def carry_out(words: list[str]) -> tuple[int | None, str, str]:
    """Exit status (None: it never ended, or a traceback), output and errors of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with limit_time(SECONDS):
                status = cli.run(words)
        except TimeOut:
            status, message = None, "it did not end"
            err.write(message)
        except Exception as failure:
            status = None
            err.write(f"{type(failure).__name__}: {failure}")
        finally:
            show_stages(False)
    return status, out.getvalue(), err.getvalue()


def find_fault(
    status: int | None, err: str, before: set[Path], after: set[Path], made: Path, right: bool
) -> str:
    """What is wrong with how a command ended; empty where nothing is."""
    others = {path for path in after - before if path != made and made not in path.parents}
    if status is None:
        return "no exit"
    if others:
        return f"left {', '.join(sorted(path.name for path in others))}"
    if status == 0:
        return "" if right else "wrong result"
    if status != 2:
        return f"status {status}"
    if made.exists():
        return "half-written"
    one = err.startswith("energax: ") and err.count("\n") == 1 and "Traceback" not in err
    return "" if one else "no single sentence"


def attack(folder: Path, family: str, file: File, run: Path) -> Iterator[Outcome]:
    """Both commands on one file, in a folder of its own."""
    place = folder / "place"
    place.mkdir()
    home = Path.cwd()
    os.chdir(place)
    try:
        file.write(Path(file.path))
        before = set(place.rglob("*"))
        targets = {"train": Path("run"), "score": Path("scores.csv")}
        for command, made in targets.items():
            source = file.path if not file.path.startswith("-") else f"./{file.path}"
            words = ["train", source, *QUICK.split(), "--method", "nce", "--out", str(made)]
            if command == "score":
                words = ["score", str(run), source, "--out", str(made)]
            began = time.perf_counter()
            status, out, err = carry_out(words)
            spent = time.perf_counter() - began
            target = place / made
            right = _is_right(command, target)
            after = set(place.rglob("*"))
            fault = find_fault(status, err, before, after, target, right)
            if not fault and command == "train" and file.refused is not None:
                fault = "" if (status == 2) == file.refused else f"status {status}"
            said = (err or out).strip().splitlines()[-1:]
            yield Outcome(family, file.name, command, status, " ".join(said), spent, fault)
            shutil.rmtree(target, ignore_errors=True)
            target.unlink(missing_ok=True)
    finally:
        os.chdir(home)
        shutil.rmtree(place, ignore_errors=True)


def _is_right(command: str, made: Path) -> bool:
    if command == "train":
        return (made / "weights.safetensors").exists()
    return made.exists() and bool(pl.read_csv(made)["energy"].is_finite().all())


def make_run(folder: Path) -> Path:
    """A run on good rows of two columns, to score others with."""
    np.save(folder / "good.npy", GOOD)
    out = folder / "good"
    words = ["train", str(folder / "good.npy"), *QUICK.split(), "--method", "nce"]
    status, _, err = carry_out([*words, "--out", str(out)])
    assert status == 0, err
    return out


def show(outcomes: list[Outcome]) -> str:
    """A line for each family: files, how they ended, the slowest, and what was at fault."""
    lines = ["| family | files | refused | taken | faults | slowest |", "|---|---|---|---|---|---|"]
    for family in dict.fromkeys(one.family for one in outcomes):
        some = [one for one in outcomes if one.family == family]
        files = len({one.name for one in some})
        counts = [sum(one.status == status for one in some) for status in (2, 0)]
        faults = sum(bool(one.fault) for one in some)
        slow = max(one.seconds for one in some)
        lines.append(
            f"| {family} | {files} | {counts[0]} | {counts[1]} | {faults} | {slow:.1f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """Attack by every family, or by those named, and print a table."""
    chosen = sys.argv[1:] or list(FAMILIES)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder)
        for family in chosen:
            for file in FAMILIES[family]():
                for one in attack(folder, family, file, run):
                    outcomes.append(one)
                    if one.fault:
                        print(f"{one.family}, {one.name}, {one.command}: {one.fault}: {one.said}")
    print(show(outcomes))
    sys.exit(any(one.fault for one in outcomes))


if __name__ == "__main__":
    main()
