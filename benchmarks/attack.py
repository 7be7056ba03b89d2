"""Bad data files, bad options and tampered runs: how many are handled as they should.

Each command must end with 0 and a right result (a run that trained, a finite score for each row,
the same as of an untouched run) or with 2, or 3 where training diverges, and one sentence; no
traceback, no time-out, and nothing half-written.

Run: uv run python benchmarks/attack.py [FAMILY ...]
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import attack_options
import numpy as np
import polars as pl
from attack_files import FAMILIES, GOOD, File
from attack_options import READERS, Trial

from energax import cli, model
from energax.errors import InputError
from energax.progress import show_stages

SECONDS = 60
"""CPU seconds that one command may take; on a machine with other work, many more may pass."""

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
    """Raise TimeOut where the block takes more CPU seconds, or stands still for long."""
    for timer, sent in ((signal.ITIMER_PROF, signal.SIGPROF), (signal.ITIMER_REAL, signal.SIGALRM)):
        signal.signal(sent, _stop)
        signal.setitimer(timer, seconds if timer == signal.ITIMER_PROF else 60 * seconds)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)


def carry_out(words: list[str]) -> tuple[int | None, str, str]:
    """Exit status (None: it never ended, or a traceback), output and errors of a command."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        # As the command itself does.
        warnings.simplefilter("ignore")
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
    if status not in (2, 3):
        return f"status {status}"
    if made.exists() and status == 2:
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


def attempt(folder: Path, family: str, trial: Trial, run: Path, whole: dict[str, str]) -> Outcome:
    """A command in a folder of its own, with rows and a copy of the run, spoilt or not.

    `whole`: what the commands that read the run write where nothing is spoilt.
    """
    place = folder / "place"
    place.mkdir()
    home = Path.cwd()
    os.chdir(place)
    try:
        shutil.copy(folder / "good.npy", place / "rows.npy")
        if "run" in trial.words:
            trial.spoil(Path(shutil.copytree(run, place / "run")))
        before, content = set(place.rglob("*")), digest(place / "run")
        began = time.perf_counter()
        status, out, err = carry_out(list(trial.words))
        spent = time.perf_counter() - began
        made = place / trial.made
        after = {path for path in place.rglob("*") if path.name != ".lock"}
        right = status == 0 and _is_whole(trial, made, whole)
        fault = find_fault(status, err, before, after, made, right)
        if not fault and status == 2 and digest(place / "run") != content:
            fault = "the run has changed"
        if not fault and trial.refused and status != 2:
            fault = f"status {status}"
        said = (err or out).strip().splitlines()[-1:]
        return Outcome(family, trial.name, trial.words[0], status, " ".join(said), spent, fault)
    finally:
        os.chdir(home)
        shutil.rmtree(place, ignore_errors=True)


def digest(folder: Path) -> str:
    """Of all files in a folder, with their names; but its lock and its page."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (".lock", "report.html"):
            found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _is_whole(trial: Trial, made: Path, whole: dict[str, str]) -> bool:
    """Is what a command has written complete, and what it writes where nothing is spoilt?"""
    match trial.words[0]:
        case "report":
            return made.exists() and made.read_text().rstrip().endswith("</html>")
        case "train" if trial.made == "new":
            with contextlib.suppress(InputError):
                return made.exists() and bool(model.load(made))
            return False
        case "train":
            return True
    known = whole.get(" ".join(trial.words))
    return made.exists() and known in (None, made.read_text())


def read_whole(folder: Path, run: Path) -> dict[str, str]:
    """What the commands that read a run write where nothing is spoilt, by their words."""
    found, copy = {}, Path(shutil.copytree(run, folder / "whole"))
    for words in READERS.values():
        made = folder / "whole.csv"
        given = [str(made) if word == "new.csv" else word for word in words]
        places = {"run": copy, "rows.npy": folder / "good.npy"}
        status, _, err = carry_out([str(places.get(word, word)) for word in given])
        assert status in (0, 2), err
        if made.exists():
            found[" ".join(words)] = made.read_text()
            made.unlink()
    return found


def make_run(folder: Path) -> Path:
    """A run on good rows of two columns, evaluated, to score others with."""
    np.save(folder / "good.npy", GOOD)
    out = folder / "good"
    words = ["train", str(folder / "good.npy"), *QUICK.split(), "--method", "nce"]
    for more in ([*words, "--out", str(out)], ["evaluate", str(out), "--no-baselines"]):
        status, _, err = carry_out(more)
        assert status == 0, err
    return out


def show(outcomes: list[Outcome]) -> str:
    """A line for each family: cases, how they ended, what was at fault, and the slowest."""
    lines = ["| family | cases | commands | refused | taken | diverged | faults | slowest |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for family in dict.fromkeys(one.family for one in outcomes):
        some = [one for one in outcomes if one.family == family]
        cases = len({one.name for one in some})
        ends = " | ".join(str(sum(one.status == status for one in some)) for status in (2, 0, 3))
        faults = sum(bool(one.fault) for one in some)
        slow = max(one.seconds for one in some)
        lines.append(f"| {family} | {cases} | {len(some)} | {ends} | {faults} | {slow:.1f} s |")
    return "\n".join(lines)


def attack_by(family: str, folder: Path, run: Path, whole: dict[str, str]) -> Iterator[Outcome]:
    """All outcomes of a family, of files or of options and runs."""
    if family in FAMILIES:
        for file in FAMILIES[family]():
            yield from attack(folder, family, file, run)
        return
    for trial in attack_options.FAMILIES[family](run):
        yield attempt(folder, family, trial, run, whole)


def main() -> None:
    """Attack by every family, or by those named, and print a table."""
    chosen = sys.argv[1:] or [*FAMILIES, *attack_options.FAMILIES]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder)
        whole = read_whole(folder, run)
        for family in chosen:
            for one in attack_by(family, folder, run, whole):
                outcomes.append(one)
                if one.fault:
                    print(
                        f"{family}, {one.name}, {one.command}: {one.fault}: {one.said}", flush=True
                    )
    print(show(outcomes))
    sys.exit(any(one.fault for one in outcomes))


if __name__ == "__main__":
    main()
