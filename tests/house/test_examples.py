"""Every example in a public docstring runs and prints what it says.

An example is a doctest block of at most three statements. It needs no imports: `ex`, `jax`, `jnp`,
`np`, `optax` and `key = jax.random.key(0)` are there.
"""

import contextlib
import doctest
import importlib
import inspect
import io

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from commands import as_a_user

import energax as ex

ROOMS = (
    "network",
    "energy",
    "data",
    "sampler",
    "objective",
    "learner",
    "train",
    "evaluate",
    "report",
    "sklearn",
)
DONE = set(ROOMS)
"""Rooms in which every exported class and function has an example."""

STATEMENTS = 3
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NAMES = [
    (room, name) for room in ROOMS for name in importlib.import_module(f"energax.{room}").__all__
]


def exported(room, name):
    return getattr(importlib.import_module(f"energax.{room}"), name)


def is_documented(thing):
    """A class or a function, which has a docstring of its own; not a constant or a type alias."""
    return inspect.isclass(thing) or inspect.isfunction(inspect.unwrap(thing))


def docstrings(thing, name):
    """The docstring of `thing` and, of a class, those of its own members, by dotted name."""
    found = {name: thing.__doc__ or ""}
    if inspect.isclass(thing):
        members = {key: getattr(member, "__doc__", None) for key, member in vars(thing).items()}
        found |= {f"{name}.{key}": doc for key, doc in members.items() if isinstance(doc, str)}
    return found


def examples(room, name):
    """The doctests of one exported name, each with a namespace of its own."""
    thing = exported(room, name)
    if not is_documented(thing):
        return []
    given = {"ex": ex, "jax": jax, "jnp": jnp, "np": np, "optax": optax, "key": jax.random.key(0)}
    tests = [
        doctest.DocTestParser().get_doctest(doc, dict(given), where, None, None)
        for where, doc in docstrings(thing, f"{room}.{name}").items()
    ]
    return [test for test in tests if test.examples]


def failures(test):
    """What the examples of one docstring print where they should print something else."""
    said = io.StringIO()
    # Estimators train, which is done in float32.
    trains = test.name.startswith("sklearn.")
    with as_a_user() if trains else contextlib.nullcontext():
        result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.write)
    return said.getvalue() if result.failed else ""


@pytest.mark.parametrize(("room", "name"), NAMES, ids=[".".join(pair) for pair in NAMES])
def test_examples_run(room, name):
    for test in examples(room, name):
        said = failures(test)
        assert not said, said


@pytest.mark.parametrize("room", sorted(DONE))
def test_each_exported_class_and_function_has_a_short_example(room):
    names = [name for where, name in NAMES if where == room and is_documented(exported(room, name))]
    without = [name for name in names if not examples(room, name)]
    assert not without, f"Without an example: {without}."
    long = [
        test.name
        for name in names
        for test in examples(room, name)
        if len(test.examples) > STATEMENTS
    ]
    assert not long, f"More than {STATEMENTS} statements: {long}."


def test_an_example_that_prints_something_else_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert "Expected" in failures(wrong)
