"""Objectives: a scalar to differentiate, what it carries to the next call, and its metrics."""

import abc
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Shaped

from energax.space import AbstractSpace, Bits, Box, Categories, Reals, UnitSphere

REAL = (Reals, Box, UnitSphere)
"""The spaces of objectives that need a gradient in the example, or noise added to it."""

FINITE = (Bits, Categories)
"""The spaces of objectives that change sites, or sum over points."""


class Aux(eqx.Module):
    """What an objective returns beside the loss.

    Args:
        memory: Passed to the next call, such as persistent chains; None where nothing is.
        metrics: Named scalars to log.

    Example:
        >>> ex.objective.Aux(None, {"loss": jnp.zeros(())}).memory is None
        True
    """

    memory: PyTree
    metrics: dict[str, Float[Array, ""]]


class AbstractObjective(eqx.Module):
    """A loss that trains an energy: `objective(energy, batch, memory, key=key)` is (loss, aux).

    Descending its gradient in the energy's weights fits the energy to the data. `energy` is any
    callable of one example, unless an objective needs more (many noise levels).

    Example:
        >>> objective = ex.objective.ImplicitScoreMatching()
        >>> float(objective(ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((4, 2)), None, key=key)[0])
        -1.0
    """

    serves: ClassVar[tuple[type[AbstractSpace], ...]] = REAL
    """The spaces whose energies it trains."""
    spreads: ClassVar[bool] = False
    """Is it a mean over rows and so much work for each that devices should share a batch?"""

    @abc.abstractmethod
    def init(
        self, energy: Any, rows: Shaped[Array, " size *shape"], *, key: PRNGKeyArray
    ) -> PyTree:
        """The memory of the first call, None where nothing is carried. `rows`: a batch of data."""

    @abc.abstractmethod
    def __call__(
        self,
        energy: Any,
        batch: Shaped[Array, " batch *shape"],
        memory: PyTree,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        """The loss, and the memory and metrics that go with it."""


class AbstractMemoryless(AbstractObjective):
    """An objective that carries nothing from one call to the next: its memory is None.

    Example:
        >>> issubclass(ex.objective.SlicedScoreMatching, ex.objective.AbstractMemoryless)
        True
    """

    def init(self, energy: Any, rows: Shaped[Array, " size *shape"], *, key: PRNGKeyArray) -> None:
        return None
