"""What is refused before training: rows that do not fit, and an energy with nothing to train."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Bowl
from training import ROWS, chunks, create, learner

from energax.data import Labelled
from energax.energy import Classifier, NonTrainable
from energax.errors import InputError
from energax.network import MLP
from energax.train import fit, start
from energax.train.check import check_finite


def test_fewer_rows_than_a_batch_is_refused(key):
    words = "64 training rows, fewer than a batch of 65: give more rows or a smaller batch size"
    with pytest.raises(InputError, match=words):
        start(learner("dsm"), Bowl(jnp.zeros(2), jnp.ones(2)), ROWS, key=key, batch_size=65)


def plane():
    return Bowl(jnp.zeros(2), jnp.ones(2))


def spoilt(value, at):
    rows = np.array(ROWS)
    rows[at] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (spoilt(np.nan, (3, 1)), r"Row 3, column 1 of the training rows \(counted from 0\) is nan"),
        (spoilt(np.inf, (0, 0)), "Row 0, column 0 of the training rows .* is inf"),
        (spoilt(np.nan, ([5, 7], [0, 1])), "Row 5, column 0 "),
        (np.ones((32, 3)), r"rows have shape \(3,\) each, but .* examples of shape \(2,\)"),
        (np.ones((32, 1, 2)), r"rows have shape \(1, 2\) each"),
    ],
)
@pytest.mark.parametrize("name", ["dsm", "pcd", "joint"])
def test_rows_that_do_not_fit_are_refused_by_start_and_fit(name, rows, words, key):
    """Issue 11, defect 5: they became a JAX error, or a loss that is not a number."""

    def given(rows):
        return Labelled(rows, np.zeros(len(rows), int)) if name == "joint" else rows

    energy = Classifier(MLP((2,), 4, 1, out=3, key=key), (2,), 3) if name == "joint" else plane()
    with pytest.raises(InputError, match=words):
        start(learner(name), energy, given(rows), key=key, batch_size=16)
    run = start(learner(name), energy, given(ROWS), key=key, batch_size=16)
    with pytest.raises(InputError, match=words):
        next(fit(learner(name), run, given(rows), batch_size=16))


def test_entries_of_images_are_named_and_whole_numbers_are_let_through(key):
    images = np.ones((4, 1, 2, 2))
    images[2, 0, 1, 0] = np.nan
    with pytest.raises(InputError, match=r"Row 2, entry \(0, 1, 0\) of"):
        check_finite(jnp.asarray(images))
    check_finite(jnp.arange(4))


HIDDEN = jnp.ones(2)
NOTHING_TO_TRAIN = {
    "closure": lambda x: jnp.sum(HIDDEN * x**2),
    "frozen": NonTrainable(plane()),
    "whole numbers": jax.tree_util.Partial(lambda w, x: jnp.sum(w * x**2), jnp.arange(2)),
}


@pytest.mark.parametrize("name", NOTHING_TO_TRAIN)
def test_an_energy_without_a_trainable_array_is_refused(name, key):
    """Issue 11, defect 5: such an energy trained without moving."""
    with pytest.raises(ValueError, match=r"nothing to train.*equinox\.Module.*Partial"):
        create(learner("dsm"), key, NOTHING_TO_TRAIN[name])


def test_a_function_over_its_parameters_is_trained(key):
    """The way out that the refusal names."""
    energy = jax.tree_util.Partial(lambda w, x: jnp.sum(w * x**2), jnp.ones(2))
    run, _ = chunks(learner("dsm"), create(learner("dsm"), key, energy), 1)
    assert not np.allclose(run.state.energy.args[0], 1.0)
