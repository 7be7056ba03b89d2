"""Who moves, and in what order: all that the loop, the checkpoints and the report know."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Metrics = dict[str, Float[Array, "..."]]


class AbstractLearner(eqx.Module):
    """One or several players that learn from batches: arrays of rows, or `Labelled` ones."""

    @abc.abstractmethod
    def init(self, players: PyTree, rows: Any, *, key: PRNGKeyArray) -> PyTree:
        """The state before the first update; `rows` is a first batch of data, in model units."""

    @abc.abstractmethod
    def step(self, state: PyTree, batch: Any, *, key: PRNGKeyArray) -> tuple[PyTree, Metrics]:
        """One update of all players, and the numbers to watch."""

    @abc.abstractmethod
    def energy(self, state: PyTree) -> Any:
        """The energy to sample from and to evaluate."""
