"""What the tests of the command line share: tiny runs, and commands carried out in this process."""

import contextlib
import dataclasses
import io
import shlex

import jax
import numpy as np

from energax import cli
from energax.data import two_moons

TINY = shlex.split(
    "--batch-size 16 --width 8 --depth 1 --chunk-steps 10 --checkpoint-every 20 --buffer-size 64 "
    "--chain-steps 4 --no-evaluate"
)
"""Options of a run that trains in a moment and is not evaluated."""


@dataclasses.dataclass(frozen=True)
class Said:
    """Exit status of a command, and what it wrote."""

    status: int
    out: str
    err: str


@contextlib.contextmanager
def as_a_user():
    """JAX as it comes: float32, and its own rules of promotion."""
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield


def energax(*words):
    """Carry out `energax words...` as a user does: with JAX as it comes, output kept apart."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        as_a_user(),
    ):
        try:
            status = cli.run([str(word) for word in words])
        except SystemExit as end:
            status = end.code
    return Said(status, out.getvalue(), err.getvalue())


def moons(size=300):
    """Rows of two moons in units of their own: a height near 100, a width in thousandths."""
    rows = two_moons().train[:size].astype(np.float64)
    return rows * [10.0, 0.001] + [100.0, 0.0]


def refused(said):
    """The one sentence of a refusal, after checking that it is one: exit 2 and nothing else."""
    assert said.status == 2, said
    assert said.out == "", said
    assert "Traceback" not in said.err, said
    assert said.err.startswith("energax: "), said
    assert said.err.endswith((".\n", "?\n", "`\n")), said
    assert said.err.count("\n") == 1, said
    return said.err
