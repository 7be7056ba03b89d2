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
    "orbax",
    "matplotlib",
    "equinox",
    "optax",
    "rich",
)
"""Packages that take long to import."""

OFTEN_LATE = ("pandas", "sklearn", "arviz", "blackjax", "orbax", "matplotlib")
"""Those of them that only some of the work needs."""


def imported(code):
    """The top-level packages that a process has imported after `code`."""
    script = f"import sys\n{code}\nprint('\\nPACKAGES', *sorted({{m.split('.')[0] for m in sys.modules}}))"
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
    "the table of methods": "from energax.method import METHODS; assert METHODS['nce'].preset('plane')",
    "the help": "from energax.cli import run; assert run(['--help']) == 0",
    "the list of methods": "from energax.cli import run; assert run(['methods']) == 0",
    "the version": "from energax.cli import run; assert run(['--version']) == 0",
    "the help of training": "from energax.cli import run; assert run(['train', '--help']) == 0",
    "a misspelt command": "from energax.cli import run; assert run(['trian']) == 2",
    "a misspelt option": "from energax.cli import run; assert run(['train', '--stepz', '3']) == 2",
    "a misspelt method": "from energax.cli import run; assert run(['train', '--method', 'nse']) == 2",
    "another method's option": (
        "from energax.cli import run; "
        "assert run('train digits --method nce --chain-steps 3'.split()) == 2"
    ),
    "a value out of range": (
        "from energax.cli import run; assert run('train --method nce --steps x'.split()) == 2"
    ),
}


@pytest.mark.parametrize("what", LIGHT)
def test_a_start_imports_nothing_heavy(what):
    assert imported(LIGHT[what]) & set(HEAVY) == set()


def test_an_energy_imports_only_what_it_needs():
    found = imported("import energax; energax.energy.Gaussian")
    assert {"jax", "equinox"} <= found
    assert found & set(OFTEN_LATE) == set()


def test_a_heavy_import_is_seen():
    """Negative control."""
    assert "numpy" in imported("import energax, numpy")
