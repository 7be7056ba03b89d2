"""Plant one fault at a time in a copy of the package: do the tests notice?

    uv run python benchmarks/mutants.py > docs/mutants.md

The faults are listed in mutants.toml: a file of the package, a text that stands there once, the
text that takes its place, and the tests that must fail. A fault that breaks the import, or tests
that fail without it, end the run with an error: neither says anything. Each fault is tried in a
process of its own; the heavy packages are imported once, before it is forked.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext as Context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "energax"
LIST = Path(__file__).with_name("mutants.toml")
HEAVY = ["diffrax", "equinox", "hypothesis", "jax", "matplotlib", "optax", "scipy.stats"]
"""Packages that start no thread when they are imported: those that do cannot be forked."""

PASSED, FAILED, UNKNOWN = 0, 1, -1
"""Exit statuses of pytest, and that of a process that ended before or tested another package."""


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new` in `file`: `fault`, which `tests` must notice."""

    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def room(self) -> str:
        """The folder of the package, or the file that stands outside of all."""
        return self.file.partition("/")[0].removesuffix(".py")

    def apply(self, source: Path) -> str:
        """The text of the file with the fault. Raises ValueError where `old` is not there once."""
        text = (source / self.file).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {text.count(self.old)} places hold {self.old!r}.")
        return text.replace(self.old, self.new)


def read_list() -> list[Mutant]:
    """The planted faults, in the order of the rooms."""
    found = tomllib.loads(LIST.read_text())["mutant"]
    return [Mutant(**entry | {"tests": tuple(entry["tests"])}) for entry in found]


@contextlib.contextmanager
def copied(mutant: Mutant | None) -> Iterator[Path]:
    """A folder that holds a copy of the package with the fault, or without one."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "energax"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            (copy / mutant.file).write_text(mutant.apply(SOURCE))
        yield Path(folder)


class FirstFailure:
    """A plugin of pytest: the name of the first test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest after each phase of each test."""
        if report.failed and not self.name:
            self.name = report.nodeid


def run_tests(folder: str, tests: tuple[str, ...], answer: SimpleQueue) -> None:
    """Run in a process of its own: exit status of pytest and the first failure."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    os.chdir(ROOT)
    sys.path.insert(0, folder)
    seen = FirstFailure()
    words = ["-x", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider"]
    status = pytest.main([*words, *tests], [seen])
    here = Path(sys.modules["energax"].__file__ or "").is_relative_to(folder)
    answer.put((int(status) if here else UNKNOWN, seen.name))


def try_tests(mutant: Mutant | None, tests: tuple[str, ...], context: Context) -> tuple[int, str]:
    """Exit status of the tests against a copy with the fault, and the first that fails."""
    with copied(mutant) as folder:
        answer = context.SimpleQueue()
        process = context.Process(target=run_tests, args=(str(folder), tests, answer))
        process.start()
        process.join()
        return (UNKNOWN, "") if answer.empty() else answer.get()


def render_page(outcomes: list[tuple[Mutant, str]]) -> str:
    """The page: how many were noticed, and by which test each."""
    noticed = sum(bool(test) for _, test in outcomes)
    lines = [
        "# Planted faults",
        "",
        "Each line below is one fault, planted in a copy of the package, and the first test that "
        "fails because of it.",
        f"{noticed} of {len(outcomes)} are noticed. The list is",
        "[benchmarks/mutants.toml](../benchmarks/mutants.toml); this page is printed by",
        "",
        "```sh",
        "uv run python benchmarks/mutants.py > docs/mutants.md",
        "```",
        "",
        "| room | fault | noticed by |",
        "|---|---|---|",
    ]
    for mutant, test in outcomes:
        name = test.removeprefix("tests/").partition("[")[0]
        lines.append(f"| {mutant.room} | {mutant.fault} | {f'`{name}`' if name else 'no test'} |")
    return "\n".join(lines)


def main() -> None:
    """Plant them all, or those whose fault holds a word, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word of the fault or the file")
    parser.add_argument("--jobs", type=int, default=2, help="faults at a time")
    given = parser.parse_args()
    chosen = [m for m in read_list() if given.only in m.fault or given.only in m.file]
    os.environ |= {"JAX_PLATFORMS": "cpu", "OPENBLAS_NUM_THREADS": "1"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)

    def plant(mutant: Mutant) -> tuple[Mutant, str]:
        status, test = try_tests(mutant, mutant.tests, context)
        if status not in (PASSED, FAILED):
            sys.exit(f"{mutant.file}, {mutant.fault}: the tests could not be run ({status}).")
        print(f"{mutant.file}, {mutant.fault}: {test or 'SURVIVED'}", file=sys.stderr, flush=True)
        return mutant, test

    with ThreadPoolExecutor(given.jobs) as pool:
        outcomes = list(pool.map(plant, chosen))
    every = tuple(dict.fromkeys(test for mutant in chosen for test in mutant.tests))
    status, test = try_tests(None, every, context)
    if status != PASSED:
        sys.exit(f"Without any fault the tests end with {status}: {test or 'none has failed'}.")
    print(render_page(outcomes))


if __name__ == "__main__":
    main()
