"""What the tests of the command line share: tiny runs, and commands carried out in this process."""

import contextlib
import dataclasses
import io

import jax
import numpy as np

from energax import cli
from energax.data import two_moons
from energax.method import METHODS
from energax.options import leaves
from energax.progress import show_stages

SMALL = {
    "batch_size": 16,
    "width": 8,
    "depth": 1,
    "chunk_steps": 10,
    "checkpoint_every": 20,
    "buffer_size": 64,
    "chain_steps": 4,
    "rival_width": 8,
    "generator_width": 8,
}
"""Options of a run that trains in a moment, of all methods."""


def tiny(method="nce"):
    """Words of `energax train DATA` for a run that trains in a moment and is not evaluated."""
    flags = {leaf.key: leaf.flag for leaf in leaves(METHODS[method])}
    known = [(flags[key], str(value)) for key, value in SMALL.items() if key in flags]
    return ["--method", method, *(word for pair in known for word in pair), "--no-evaluate"]


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
        finally:
            show_stages(False)
    return Said(status, out.getvalue(), err.getvalue())


def moons(size=300):
    """Rows of two moons in units of their own: a height near 100, a width in thousandths."""
    rows = two_moons().train[:size].astype(np.float64)
    return rows * [10.0, 0.001] + [100.0, 0.0]


def refused(said):
    """The one sentence of a refusal, after checking that it is one: exit 2 and nothing else.

    The stages that were shown before it are none of it: lines such as "reading digits ...".
    """
    assert said.status == 2, said
    assert all(line.endswith(" ...") for line in said.out.splitlines()), said
    assert "Traceback" not in said.err, said
    assert said.err.startswith("energax: "), said
    assert said.err.endswith((".\n", "?\n", "`\n")), said
    assert said.err.count("\n") == 1, said
    return said.err


def listing(folder):
    """Everything in a folder, at any depth."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
