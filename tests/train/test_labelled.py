"""Batches of rows with labels: each row keeps its own."""

import jax.numpy as jnp
import numpy as np
import pytest

from energax.data import Labelled, Standardise
from energax.errors import InputError
from energax.learner import AbstractLearner
from energax.train import fit, start


class Watching(AbstractLearner):
    """A learner that only reports what it was given."""

    def init(self, players, rows, *, key):
        return jnp.zeros(())

    def step(self, state, batch, *, key):
        x = batch.x if type(batch) is Labelled else batch
        rows = {f"row {i}": x[i, 0] for i in range(4)}
        if type(batch) is Labelled:
            rows |= {f"label {i}": batch.label[i].astype(float) for i in range(4)}
        return state, rows

    def energy(self, state):
        return jnp.sum


def watched(rows, key):
    """The batches of 20 updates."""
    doubled = Standardise(np.full(2, 1.0), np.full(2, 0.5))
    settings = {"batch_size": 4, "transform": doubled}
    run = start(Watching(), jnp.zeros(1), rows, key=key, **settings)
    metrics = next(fit(Watching(), run, rows, chunk_steps=20, **settings))[1]
    parts = ([metrics.get(f"{part} {i}") for i in range(4)] for part in ("row", "label"))
    return [np.array(part) for part in parts]


def test_batches_with_labels_are_the_batches_without_and_each_row_keeps_its_own(key):
    """Negative control: labels in another order."""
    rows, order = np.arange(32.0).reshape(16, 2), np.arange(16)
    found, label = watched(Labelled(rows, order), key)
    assert np.array_equal(found, watched(rows, key)[0])
    assert np.array_equal(found, 2 * (2 * label - 1))
    assert len(np.unique(label)) == 16
    found, label = watched(Labelled(rows, order[::-1]), key)
    assert not np.array_equal(found, 2 * (2 * label - 1))


def test_fewer_labelled_rows_than_a_batch_is_refused(key):
    with pytest.raises(InputError, match="There are 3 training rows, fewer than a batch of 4"):
        start(Watching(), None, Labelled(np.zeros((3, 2)), np.zeros(3, int)), key=key, batch_size=4)
