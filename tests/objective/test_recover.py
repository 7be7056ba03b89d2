"""Training with every objective ends at the Gaussian that theory says, bias and all."""

import equinox as eqx
import jax
import numpy as np
import optax
import pytest
from agreement import agrees
from cases import SHAPES, flat, rows_of
from mean_gradients import TRAINED_BATCH, exact
from methods import METHODS

from energax.learner import Descent

RUNS, UPDATES, MARGIN = 16, 160, 0.06
"""MARGIN: what the curvature of the loss does to the mean end point of a noisy descent."""


def ends(objective, at, key):
    """Weights after training, of independent runs, each update on fresh draws of the data's
    distribution."""
    learner = Descent(objective, optax.adam(optax.cosine_decay_schedule(0.06, UPDATES), b2=0.99))

    def one(rows, keys):
        state = learner.init(at.model, rows[0], key=keys[0])
        moving, still = eqx.partition(state, eqx.is_array)

        def body(moving, now):
            batch, key = now
            state, _ = learner.step(eqx.combine(moving, still), batch, key=key)
            return eqx.filter(state, eqx.is_array), None

        moving, _ = jax.lax.scan(body, moving, (rows, keys))
        return flat(moving.energy)

    rows = rows_of(at, (RUNS, UPDATES, TRAINED_BATCH))
    return np.asarray(jax.jit(jax.vmap(one))(rows, jax.random.split(key, (RUNS, UPDATES))))


def weights_at(name, at, best):
    """All weights where the bowl is at `best`; the constant moves only if the method sees it."""
    mean, precision = best
    constant = np.sum(np.log(2 * np.pi * at.variance)) / 2
    log_z = constant if METHODS[name].normalises else float(at.model.log_z)
    return np.concatenate([np.ravel(mean), np.ravel(np.log(precision)), [log_z]])


TRAINED = [n for n, method in METHODS.items() if method.best is not None and method.trains]


def recovers(name, shape, key):
    """One run of the check: does training end at the minimiser, and not at the distribution of the
    data?

    The second half holds for the methods whose minimiser is not the distribution of the data.
    """
    method, at = METHODS[name], METHODS[name].at(SHAPES[shape])
    values = ends((method.trained or method.make)(at), at, key)
    if method.best is not exact:
        assert not agrees(values, weights_at(name, at, exact(at)), MARGIN)
    return agrees(values, weights_at(name, at, method.best(at)), MARGIN)


SETTINGS = [  # of the two that are left by test_objective, which has vectors in float64
    ("image", "float32"),
    pytest.param("vector", "float64", marks=pytest.mark.slow),
    pytest.param("vector", "float32", marks=pytest.mark.slow),
    pytest.param("image", "float64", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(("shape", "precision"), SETTINGS, indirect=["precision"])
def test_a_known_gaussian_is_recovered(name, shape, precision, key):
    assert recovers(name, shape, key)


def forgotten(buffer, slots, x, age):
    """The chains are not written back."""
    return buffer


def negated(function, x):
    """The Hessian with the sign that the arXiv text prints."""
    value, product = LINEARIZE(function, x)
    return value, lambda v: -product(v)


LINEARIZE = jax.linearize
FAULTS = {  # method that must notice -> (what is replaced, by what)
    "pcd": ("energax.sampler.buffer.Buffer.update", forgotten),
    "ssm": ("jax.linearize", negated),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_not_recovered_from(name, key, monkeypatch):
    """Negative control."""
    monkeypatch.setattr(*FAULTS[name])
    assert not recovers(name, "vector", key)
