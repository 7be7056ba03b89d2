"""What the tests of the command line share: tiny runs, and commands carried out in this process."""

import contextlib
import dataclasses
import functools
import io

import jax
import numpy as np
import pytest

from energax import cli, evaluate
from energax.data import two_moons
from energax.energy import fit_flow, make_flow
from energax.method import METHODS
from energax.method.build import base, flows
from energax.model import measuring, quality, sampling
from energax.options import leaves
from energax.progress import show_stages
from energax.report import collecting

MIXTURE = {"components": 2, "covariance": "full", "ridge": 0.001}
"""A base that is given: to choose one takes longer than the rest of a tiny run."""

SMALL = {
    "batch_size": 16,
    "width": 8,
    "depth": 1,
    "chunk_steps": 10,
    "checkpoint_every": 20,
    "buffer_size": 64,
    "chain_steps": 4,
    "latent_steps": 3,
    "rival_width": 8,
    "generator_width": 8,
    "encoder_width": 4,
    "halvings": 1,
    **MIXTURE,
}
"""Options of a run that trains in a moment, of all methods."""


def tiny(method="nce"):
    """Words of `energax train DATA` for a run that trains in a moment and is not evaluated."""
    flags = {leaf.key: leaf.flag for leaf in leaves(METHODS[method])}
    known = [(flags[key], str(value)) for key, value in SMALL.items() if key in flags]
    return ["--method", method, *(word for pair in known for word in pair), "--no-evaluate"]


def thin_flows(patch):
    """Flows of one small layer, hardly fitted: those of a run take most of its time."""
    fit = functools.partial(fit_flow, layers=1, width=4, updates=20)
    make = functools.partial(make_flow, layers=1, width=4)
    for room in (base, flows):
        patch.setattr(room, "fit_flow", fit)
        patch.setattr(room, "make_flow", make)


@contextlib.contextmanager
def measured_briefly():
    """Few chains, rows and points in an evaluation and its page, where their number is not tested:
    they take most of the time of a small run."""
    coarse = functools.partial(evaluate.mode_shares, points=60)
    fit = evaluate.fit_baselines
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "fit_baselines", lambda train, tests: fit(train[:200], tests))
        patch.setattr(evaluate, "mode_shares", coarse)
        patch.setattr(measuring, "SAMPLES", 64)
        patch.setattr(quality, "MOST", 300)
        patch.setattr(sampling, "STEPS", 100)
        patch.setattr(collecting, "GRID", 50)
        yield


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
