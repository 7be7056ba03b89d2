"""Rows and labels learned together: a classifier that is also an energy."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.data import Labelled
from energax.energy import find_classifier
from energax.objective.base import AbstractObjective, Aux


def cross_entropy(
    energy: Any, batch: Labelled
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """-mean log p(label | row), and the share of rows whose likeliest label is correct.

    NaN where a label is not one of the classifier's: training then stops.
    """
    log_odds = jax.vmap(find_classifier(energy).log_odds)(batch.x)

    def at(row: Array, label: Array) -> Array:
        kept = row.at[label]
        return kept.get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)

    cost = -jnp.mean(jax.vmap(at)(log_odds, batch.label))
    likeliest = jnp.argmax(log_odds, axis=1).astype(batch.label.dtype)
    right = jnp.mean(likeliest == batch.label).astype(cost.dtype)
    return cost, {"cross_entropy": cost, "label_accuracy": right}


def _check(batch: Any) -> None:
    if type(batch) is not Labelled:
        raise TypeError(
            f"`batch` must be Labelled rows; got {type(batch).__name__}: train on "
            "Labelled(rows, labels)."
        )


class CrossEntropy(AbstractObjective):
    """-mean log p(label | row): the loss of a plain classifier, in nats.

    Batches are `Labelled` and the energy contains a `Classifier`.

    Raises:
        TypeError: for rows without labels.

    Trap: p(x) is not trained. A label outside 0..labels-1 makes the loss NaN.

    Example:
        >>> energy = ex.energy.Classifier(lambda x: jnp.zeros(3), (2,), 3)
        >>> batch = ex.data.Labelled(jnp.ones((4, 2)), jnp.zeros(4, int))
        >>> round(float(ex.objective.CrossEntropy()(energy, batch, None, key=key)[0]), 3)
        1.099
    """

    def init(self, energy: Any, rows: Any, *, key: PRNGKeyArray) -> None:
        _check(rows)

    def __call__(
        self, energy: Any, batch: Any, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        _check(batch)
        cost, metrics = cross_entropy(energy, batch)
        return cost, Aux(memory, {"loss": cost} | metrics)


class JointLikelihood(AbstractObjective):
    """Joint likelihood of rows x and labels y: -log p(x, y) = -log p(x) - log p(y | x), in nats.

    Batches are `Labelled` and the energy contains a `Classifier`.

    Args:
        rows: The objective of the first term: any that fits an energy to rows without labels.
        weight: Factor of the second term, the cross-entropy, which needs no Z.

    Raises:
        ValueError: for a `weight` not above 0.
        TypeError: for rows without labels.

    Trap: noise-contrastive and score-matching losses have a scale of their own, so that weight 1
    makes the joint likelihood only with chains. A label outside 0..labels-1 makes the loss NaN.
    Source: Grathwohl et al. (2020), eq. 9, who use persistent chains for the first term.

    Example:
        >>> objective = ex.objective.JointLikelihood(ex.objective.ImplicitScoreMatching())
        >>> objective.init(None, ex.data.Labelled(jnp.ones((4, 2)), jnp.zeros(4, int)), key=key)
    """

    rows: AbstractObjective
    weight: float = 1.0

    def __check_init__(self):
        if not self.weight > 0:
            raise ValueError(f"`weight` must be above 0; got {self.weight}.")

    def init(self, energy: Any, rows: Any, *, key: PRNGKeyArray) -> PyTree:
        _check(rows)
        return self.rows.init(energy, rows.x, key=key)

    def __call__(
        self, energy: Any, batch: Any, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        _check(batch)
        loss, aux = self.rows(energy, batch.x, memory, key=key)
        cost, metrics = cross_entropy(energy, batch)
        total = loss + self.weight * cost
        both = {"loss": total, "loss_rows": loss} | metrics
        return total, Aux(aux.memory, aux.metrics | both)
