"""One table: energax against TorchEBM and ebmkit on the same work, checked to be the same first.

CPU seconds with one thread on one core; wall seconds with two threads; medians of repeats in which
the sides take turns. The first run of each (compilation, warming up) is noticed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_moons
from workloads import WORKLOADS

HERE = Path(__file__).parent
PEER = str(HERE / ".venv" / "bin" / "python")
SIDES = {"energax": sys.executable, "torchebm": PEER, "ebmkit": PEER}
TOLERANCE = 1e-5


class Worker:
    """A side in its own process, pinned to `threads` cores."""

    def __init__(self, side: str, threads: int, material: Path):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        one = "--xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
        limits = {"XLA_FLAGS": one, "OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
        pinned = ["taskset", "-c", ",".join(map(str, cores)), SIDES[side]]
        options = ["--threads", str(threads), "--material", str(material)]
        self._process = subprocess.Popen(
            [*pinned, str(HERE / f"side_{side}.py"), *options],
            env=os.environ | limits,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._side = side

    def ask(self, **command: str) -> Any:
        """The answer to one command."""
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._side} stopped at {command}: its message is above.")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def make_material(path: Path) -> None:
    """Data, chain starts, check rows and weights, for all sides."""
    code = (
        "import side_energax as s, numpy as np, sys;"
        "np.savez(sys.argv[1], **{f'weights_{n}_{i}': a for n in s.SHAPES "
        "for i, a in enumerate(s.exported(n))})"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=HERE, check=True)
    with np.load(path, allow_pickle=False) as file:
        parts = {name: file[name] for name in file.files}
    rng = np.random.default_rng(0)
    parts |= {
        "rows_mlp": make_moons(8192, noise=0.1, random_state=0)[0],
        "rows_conv": rng.uniform(size=(1024, 28, 28)),
        "starts": rng.normal(size=(1000, 2)),
        "check_mlp": rng.normal(size=(64, 2)),
        "check_conv": rng.uniform(size=(8, 28, 28)),
    }
    np.savez(path, **{name: part.astype(np.float32) for name, part in parts.items()})


def check(workers: dict[str, Worker], folder: Path) -> dict[str, float]:
    """Largest difference from energax, over 1 + size, by side, network and quantity.

    Raises RuntimeError above TOLERANCE: then the sides do not compute the same thing.
    """
    far = {}
    for network in ("mlp", "conv"):
        found = {}
        for side, worker in workers.items():
            out = folder / f"{side}_{network}.npz"
            worker.ask(do="check", network=network, out=str(out))
            with np.load(out, allow_pickle=False) as file:
                found[side] = {name: file[name] for name in file.files}
        for side in list(found)[1:]:
            for name, wanted in found["energax"].items():
                gap = np.abs(found[side][name] - wanted) / (1 + np.abs(wanted))
                far[f"{side} {network} {name}"] = float(gap.max())
    wrong = {name: gap for name, gap in far.items() if not gap < TOLERANCE}
    if wrong:
        raise RuntimeError(f"The sides do not compute the same thing: {wrong}.")
    return far


def measure(workers: dict[str, Worker], name: str, clock: str) -> dict[str, dict[str, float]]:
    """Median seconds of each side that offers the workload, and the surplus of its first run."""
    able = [side for side, worker in workers.items() if name in worker.ask(do="offers")]
    first = {side: workers[side].ask(do="first", name=name)[clock] for side in able}
    times: dict[str, list[float]] = {side: [] for side in able}
    for _ in range(WORKLOADS[name].repeats):
        for side in able:
            times[side].append(workers[side].ask(do="again", name=name)[clock])
    found = {}
    for side in able:
        middle = float(np.median(times[side]))
        found[side] = {
            "seconds": middle,
            "lowest": min(times[side]),
            "highest": max(times[side]),
            "first_extra": first[side] - middle,
        }
    shown = "  ".join(f"{side} {parts['seconds']:.2f} s" for side, parts in found.items())
    print(f"{clock}: {name}: {shown}", file=sys.stderr)
    return found


def table(results: dict[str, dict]) -> str:
    """Markdown; the ratio is that of the faster peer to energax."""
    head = ["workload", *SIDES, "faster peer / energax", "energax compiles in"]
    lines = []
    for clock, title in (("cpu", "CPU seconds, one thread"), ("wall", "Wall seconds, two threads")):
        if clock not in results:
            continue
        lines += [f"**{title}**", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for name, found in results[clock].items():
            ours = found["energax"]
            peers = [found[side]["seconds"] for side in found if side != "energax"]
            cells = [f"{found[s]['seconds']:.2f}" if s in found else "none" for s in SIDES]
            ratio = f"{min(peers) / ours['seconds']:.1f}"
            row = [WORKLOADS[name].title, *cells, ratio, f"{ours['first_extra']:.1f} s"]
            lines.append(f"| {' | '.join(row)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Check, time, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--clock", nargs="+", choices=("cpu", "wall"), default=["cpu", "wall"])
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    with tempfile.TemporaryDirectory() as folder:
        material = Path(folder) / "material.npz"
        make_material(material)
        for clock in options.clock:
            threads = {"cpu": 1, "wall": 2}[clock]
            workers = {side: Worker(side, threads, material) for side in SIDES}
            versions = [worker.ask(do="versions") for worker in workers.values()]
            results["versions"] = {name: v for found in versions for name, v in found.items()}
            results["largest_difference"] = check(workers, Path(folder))
            results[clock] = {}
            for name in options.only:
                results[clock][name] = measure(workers, name, clock)
                # Written as it grows: a run cut short keeps what it has measured.
                options.out.write_text(json.dumps(results, indent=2) + "\n")
            for worker in workers.values():
                worker.close()
    print(table(results))
    print(", ".join(f"{name} {number}" for name, number in results["versions"].items()))


if __name__ == "__main__":
    main()
