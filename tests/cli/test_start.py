"""What a start imports: the help, the table of methods and a refusal load no heavy package.

Read from `sys.modules` of a process of its own; no clock.
"""

import os
import subprocess
import sys

import pytest

HEAVY = (
    "jax",
    "numpy",
    "scipy",
    "pandas",
    "polars",
    "sklearn",
    "arviz",
    "blackjax",
    "matplotlib",
    "equinox",
    "optax",
    "rich",
)
"""Packages that take long to import."""

OFTEN_LATE = ("pandas", "sklearn", "arviz", "blackjax", "matplotlib")
"""Those of them that only some of the work needs."""


def imported(code):
    """The top-level packages that a process has imported after `code`."""
    names = "sorted({module.split('.')[0] for module in sys.modules})"
    script = f"import sys\n{code}\nprint('\\nPACKAGES', *{names})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "110"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("PACKAGES ")[2].split())


LIGHT = {
    "the package": "import energax",
    "the table of methods": "from energax.method import METHODS; METHODS['nce'].preset('plane')",
}
"""Python that loads nothing of these."""

COMMANDS = {
    "--help": 0,
    "methods": 0,
    "--version": 0,
    "train --help": 0,
    "trian": 2,
    "train --stepz 3": 2,
    "train --method nse": 2,
    "train digits --method nce --chain-steps 3": 2,
    "train --method nce --steps x": 2,
}
"""Command lines that do not either, and their exit status."""


@pytest.mark.parametrize("what", LIGHT)
def test_the_package_alone_imports_nothing_heavy(what):
    assert imported(LIGHT[what]) & set(HEAVY) == set()


@pytest.mark.parametrize("words", COMMANDS)
def test_help_and_refusals_import_nothing_heavy(words):
    code = f"from energax.cli import run; assert run({words!r}.split()) == {COMMANDS[words]}"
    assert imported(code) & set(HEAVY) == set()


MAIN = """
import os, sys
from energax.cli.entry import main
sys.argv = ["energax", "--version"]
try:
    main()
finally:
    print(os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize("own", [None, "3"])
def test_a_command_holds_blas_to_one_thread_unless_the_user_says_otherwise(own):
    """Waiting threads of OpenBLAS quadruple the CPU seconds of fitting baselines."""
    known = {name: word for name, word in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", MAIN],
        capture_output=True,
        text=True,
        env=known | ({} if own is None else {"OPENBLAS_NUM_THREADS": own}),
        check=False,
    )
    assert done.stdout.splitlines()[-1] == (own or "1"), done.stderr


def test_an_energy_imports_only_what_it_needs():
    found = imported("import energax; energax.energy.Gaussian")
    assert {"jax", "equinox"} <= found
    assert found & set(OFTEN_LATE) == set()


def test_a_heavy_import_is_seen():
    """Negative control."""
    assert "numpy" in imported("import energax, numpy")
