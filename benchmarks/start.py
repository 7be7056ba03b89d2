"""How long a user waits before anything happens: CPU seconds of imports, help and refusals.

Run: uv run python benchmarks/start.py
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 5
COMMAND = "from energax.cli import main; main()"
CASES = {
    "import jax, equinox, optax": ["-c", "import jax, equinox, optax"],
    "import energax": ["-c", "import energax"],
    "import energax, use an energy": ["-c", "import energax; energax.energy.Gaussian"],
    "energax --help": ["-c", COMMAND, "--help"],
    "energax methods": ["-c", COMMAND, "methods"],
    "refusal of a command": ["-c", COMMAND, "trian"],
    "refusal of an option": ["-c", COMMAND, "train", "digits", "--method", "nce", "--lr", "1"],
}


def cpu_seconds(words: list[str], **environment: str) -> float:
    """User and system seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], capture_output=True, env={**os.environ, **environment})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_line(words: list[str]) -> tuple[float, str]:
    """Wall seconds until a command says something, and what."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-u", "-c", COMMAND, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        spent = time.perf_counter() - began
        process.kill()
    return spent, line


def compilations(folder: Path) -> list[int]:
    """Programs compiled by the same run, done twice with one cache."""
    script = (
        "import sys, jax.monitoring; n = [0]\n"
        "def count(name, **_):\n"
        "    n[0] += name == '/jax/compilation_cache/cache_misses'\n"
        "jax.monitoring.register_event_listener(count)\n"
        "from energax.cli import run\n"
        "status = run(sys.argv[1:]); print('missed', n[0]); sys.exit(status)\n"
    )
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    found = []
    for number in (1, 2):
        words = ["train", "two-moons", "--method", "nce", "--steps", "200"]
        words += ["--out", str(folder / f"run-{number}")]
        said = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, env=environment
        )
        found.append(int(said.stdout.rsplit("missed ", 1)[1]))
    return found


def main() -> None:
    """Print a table."""
    print(f"CPU seconds, median of {REPEATS}, bytecode compiled\n")
    medians = {}
    for name, words in CASES.items():
        cpu_seconds(words)
        medians[name] = statistics.median(cpu_seconds(words) for _ in range(REPEATS))
        print(f"{name:32}{medians[name]:6.2f}")
    ratio = medians["import energax, use an energy"] / medians["import jax, equinox, optax"]
    print(f"{'energax over jax, equinox, optax':32}{ratio:6.2f}")
    spent, line = first_line(["train", "two-moons", "--no-evaluate", "--no-cache"])
    print(f"{'first sign of life, wall seconds':32}{spent:6.2f}  {line!r}")
    folder = Path(tempfile.mkdtemp())
    try:
        first, second = compilations(folder)
    finally:
        shutil.rmtree(folder)
    print(f"programs compiled by a run of two moons: {first}, by the same run again: {second}")


if __name__ == "__main__":
    main()
