"""Learning rows and their labels together: a classifier that is an energy too."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.data import Labelled
from energax.energy import find_classifier
from energax.objective.base import AbstractObjective, Aux


def told(energy: Any, batch: Labelled) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """-mean log p(label | row), and how often the likeliest label is the right one.

    NaN where a label is not one of the classifier's: the run then stops.
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

    Batches are `Labelled`, the energy holds a `Classifier`. Trap: p(x) is left as it falls out.
    """

    def init(self, energy: Any, rows: Any, *, key: PRNGKeyArray) -> None:
        _check(rows)

    def __call__(
        self, energy: Any, batch: Any, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        _check(batch)
        cost, metrics = told(energy, batch)
        return cost, Aux(memory, {"loss": cost} | metrics)


class JointLikelihood(AbstractObjective):
    """-log p(x, y) = -log p(x) - log p(y | x), on average over rows x with labels y, in nats.

    `rows` is the objective that stands for the first part: any that teaches an energy the
    distribution of plain rows, chains and all. The second is cross-entropy, which needs no Z;
    `weight` multiplies it. Batches are `Labelled`, the energy holds a `Classifier`. Raises
    TypeError for rows without labels; a label outside 0..labels-1 makes the loss NaN.

    Trap: the loss of noise contrast or of score matching is on a scale of its own: weight 1 makes
    the joint likelihood only with chains. Source: Grathwohl et al. (2020), eq. 9;
    they take unadjusted chains in a replay buffer for the first part.
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
        cost, metrics = told(energy, batch)
        total = loss + self.weight * cost
        both = {"loss": total, "loss_rows": loss} | metrics
        return total, Aux(aux.memory, aux.metrics | both)
