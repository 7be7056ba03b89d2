"""Rows to choose by: they end training and choose the weights; test rows never do."""

import dataclasses
from typing import Any

import jax
import numpy as np

from energax.data import AbstractTransform, Dataset, Labelled, Weighted
from energax.energy import AbstractDistribution
from energax.learner import AbstractLearner, KeepBest
from energax.method.build.transforms import encode
from energax.method.parts import Validation
from energax.objective import (
    AbstractMemoryless,
    AbstractObjective,
    RankingNoiseContrastiveEstimation,
)

LEAST, MOST = 100, 5000
"""Rows to choose by, whatever the share, where there are enough."""

SHARE = 4
"""At most one training row in so many is kept to choose by."""

RIVALS = 64
"""Draws of the base that a row is ranked among."""


def split_valid(share: float, rows: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """Rows to train on, and rows to choose by, as the training rows of two data sets.

    The latter are those of the data set where it has such, else a share of the training rows: at
    least 100 and at most 5,000 of them, and never more than a quarter.
    """
    if rows.valid is not None:
        return rows, _take(rows, None, rows.valid)
    size = len(rows.train)
    count = min(max(round(share * size), LEAST), MOST, max(size // SHARE, 1), size - 1)
    order = np.random.default_rng((seed, 1)).permutation(size)
    parts = np.sort(order[count:]), np.sort(order[:count])
    return _take(rows, parts[0], rows.train[parts[0]]), _take(rows, parts[1], rows.train[parts[1]])


def _take(rows: Dataset, at: np.ndarray | None, train: np.ndarray) -> Dataset:
    """A data set of some training rows, with what goes with them; `at` None: nothing does."""
    known = {"train_labels": rows.train_labels, "row_weights": rows.row_weights}
    parts = {name: None if at is None or p is None else p[at] for name, p in known.items()}
    labels = rows.test_labels if parts["train_labels"] is not None else None
    return dataclasses.replace(rows, train=train, test_labels=labels, valid=None, **parts)


def choose_rows(rows: Any, most: int) -> Any:
    """The rows, labels with them, or `most` of them by a fixed permutation."""
    at = np.sort(np.random.default_rng(2).permutation(len(rows))[:most])
    return jax.tree.map(lambda part: part[at], rows)


def keep_best(
    learner: AbstractLearner,
    options: Validation,
    loss: AbstractObjective,
    rows: Any,
    transform: AbstractTransform,
) -> KeepBest:
    """The learner, which keeps the weights that do best on rows, given in the user's units."""
    key = jax.random.key(0)
    if type(rows) is Labelled:
        looked_at: Any = Labelled(encode(transform, rows.x, key=key)[0], rows.label)
    elif type(rows) is Weighted:
        looked_at = Weighted(encode(transform, rows.x, key=key)[0], rows.weight)
    else:
        looked_at = encode(transform, rows, key=key)[0]
    patience = options.patience or None
    return KeepBest(learner, loss, looked_at, options.validation_every, patience)


def rank_among_draws(base: AbstractDistribution) -> AbstractMemoryless:
    """The loss of picking the row among draws of the base: less log(r + 1), for many draws r, it
    is minus the gain of log-likelihood over the base. It needs no log Z.
    """
    return RankingNoiseContrastiveEstimation(base, RIVALS)
