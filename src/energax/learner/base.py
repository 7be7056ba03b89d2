"""Who moves, and in what order: all that the loop, the checkpoints and the report know."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Metrics = dict[str, Float[Array, "..."]]


class AbstractLearner(eqx.Module):
    """One or several models that learn from batches: arrays of rows, or `Labelled` ones.

    `init` gives the state before the first update, `step` makes one update, `energy` reads the
    energy out of a state. The training loop, the checkpoints and the report know only these three.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.sgd(0.1))
        >>> isinstance(learner, ex.learner.AbstractLearner)
        True
    """

    @property
    def spreads(self) -> bool:
        """Should the devices of this machine share the rows of a batch?"""
        return False

    @abc.abstractmethod
    def init(self, players: PyTree, rows: Any, *, key: PRNGKeyArray) -> PyTree:
        """The state before the first update.

        Args:
            players: what the learner trains; most often an energy.
            rows: a first batch of data, in model units.
        """

    @abc.abstractmethod
    def step(self, state: PyTree, batch: Any, *, key: PRNGKeyArray) -> tuple[PyTree, Metrics]:
        """One update of everything that learns, and the metrics of it."""

    @abc.abstractmethod
    def energy(self, state: PyTree) -> Any:
        """The energy to sample from and to evaluate."""

    def check(self, state: PyTree) -> None:
        """Raise Diverged where training has come to an end that no metric shows."""
        return

    def is_done(self, state: PyTree) -> bool:
        """Has training come to an end on its own, before the updates that were asked for?"""
        return False
