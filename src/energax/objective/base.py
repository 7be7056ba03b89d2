"""How one energy feels the data: a scalar to differentiate, and what it carries and reports."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree


class Aux(eqx.Module):
    """`memory`: carried to the next call (persistent chains). `metrics`: named scalars to log."""

    memory: PyTree
    metrics: dict[str, Float[Array, ""]]


class AbstractObjective(eqx.Module):
    """A loss whose gradient in the energy's weights is a step towards the data.

    `energy` is any callable of one example, unless an objective asks for more (many noise levels).
    """

    @abc.abstractmethod
    def init(self, energy: Any, rows: Float[Array, " size *shape"], *, key: PRNGKeyArray) -> PyTree:
        """The memory of the first call; None where nothing is carried. `rows`: a batch of data."""

    @abc.abstractmethod
    def __call__(
        self,
        energy: Any,
        batch: Float[Array, " batch *shape"],
        memory: PyTree,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        """The loss, and what goes with it."""


class AbstractMemoryless(AbstractObjective):
    """An objective that carries nothing from one call to the next."""

    def init(self, energy: Any, rows: Float[Array, " size *shape"], *, key: PRNGKeyArray) -> None:
        return None
