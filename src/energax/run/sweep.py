"""Work of many runs that goes on where it was stopped: studies and reproductions share it."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from energax.errors import InputError, Stopped
from energax.files import read_json, write_json
from energax.run.hold import hold


@contextlib.contextmanager
def claim(out: Path, kind: str, plan: dict[str, Any]) -> Iterator[None]:
    """Begin a `kind` of work of many runs, or go on with it where the folder holds the same plan.

    The plan is kept in `kind`.json, and the folder is held until the block ends. Raises InputError
    where another plan is there, another thing, or another process.
    """
    path = out / f"{kind}.json"
    if not path.exists() and out.exists() and any(p.name[0] != "." for p in out.iterdir()):
        raise InputError(f"{out} exists and is no {kind}: choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    with hold(out):
        if path.exists():
            _compare(out, kind, plan, read_json(path))
        else:
            write_json(path, plan)
        (out / "runs").mkdir(exist_ok=True)
        yield


def _compare(out: Path, kind: str, plan: dict[str, Any], known: dict[str, Any]) -> None:
    different = [name for name, value in plan.items() if known.get(name) != value]
    if different:
        raise InputError(
            f"The {kind} in {out} has another {different[0]} "
            f"({json.dumps(known.get(different[0]))}): choose another --out."
        )


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Runs of one piece of work, one after the other.

    Args:
        total: How many there are.
        summarise: The outcome of a finished run, by its name, in one line.
    """

    total: int
    summarise: Callable[[str], str]

    def carry_on(self, plan: Iterable[tuple[str, str, Callable[[], bool]]]) -> None:
        """Do what is left: (name, title, work), where work returns False if nothing was left.

        A line for each run that was done. Raises Stopped after Ctrl-C; the same call goes on.
        """
        for count, (name, title, work) in enumerate(plan, 1):
            began = time.perf_counter()
            try:
                done = work()
            except Stopped as stop:
                words = "Stopped, with everything saved; the same command goes on."
                raise Stopped(words, stop.number) from stop
            if done:
                spent = time.perf_counter() - began
                print(
                    f"[{count}/{self.total}] {title}: {self.summarise(name)} {spent:.0f} s",
                    flush=True,
                )
