"""A side of the comparison as a process: it reads one JSON command a line, and answers with one."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from workloads import WORKLOADS, Workload


class Side(Protocol):
    """A library under test. `material`: data and weights, the same for all."""

    def versions(self) -> dict[str, str]: ...

    def offers(self, workload: Workload) -> bool: ...

    def build(self, workload: Workload, material: dict[str, np.ndarray]) -> Callable[[], None]:
        """A function that does the whole workload once and returns when it is done."""
        ...

    def check(self, network: str, material: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Energies of the check rows, their slopes in x and in the weights, and a still chain."""
        ...


def _timed(work: Callable[[], None]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def serve(make: Callable[[int], Side]) -> None:
    """Answer commands until the input ends. `make(threads)` builds the side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--material", type=Path, required=True)
    options = parser.parse_args()
    # Whatever a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with np.load(options.material, allow_pickle=False) as file:
        material = {name: file[name] for name in file.files}
    side = make(options.threads)
    ready: dict[str, Callable[[], None]] = {}
    for line in sys.stdin:
        command = json.loads(line)
        match command["do"]:
            case "versions":
                answer = side.versions()
            case "offers":
                answer = [name for name in WORKLOADS if side.offers(WORKLOADS[name])]
            case "check":
                found = side.check(command["network"], material)
                np.savez(command["out"], **found)
                answer = sorted(found)
            case "first":
                ready[command["name"]] = side.build(WORKLOADS[command["name"]], material)
                answer = _timed(ready[command["name"]])
            case "again":
                answer = _timed(ready[command["name"]])
            case unknown:
                raise ValueError(f"No such command: {unknown!r}.")
        answers.write(json.dumps(answer) + "\n")
