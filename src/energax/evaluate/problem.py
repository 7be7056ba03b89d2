"""What is annealed, and what depends on the space that it is in."""

import abc
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, PRNGKeyArray, Shaped

from energax.energy import AbstractDistribution, AbstractEnergy
from energax.evaluate.kernel import AbstractKernel
from energax.evaluate.path import AbstractPath


class AbstractProblem(eqx.Module):
    """A path to an energy, with the moves, hot starts and proposals of its space."""

    path: eqx.AbstractVar[AbstractPath]
    target: eqx.AbstractVar[AbstractEnergy]
    """The energy at the end of the path."""

    @abc.abstractmethod
    def lift(
        self, rows: Shaped[Array, " rows *row"], *, key: PRNGKeyArray
    ) -> Shaped[Array, " rows *shape"]:
        """Rows as particles."""

    @abc.abstractmethod
    def make_kernel(
        self, x: Shaped[Array, " size *shape"], leaps: int, tries: int
    ) -> AbstractKernel:
        """Moves that suit base draws `x`."""

    @abc.abstractmethod
    def spread(
        self, x: Shaped[Array, " size *shape"], broad: float, *, key: PRNGKeyArray
    ) -> Shaped[Array, " size *shape"]:
        """Base draws, each as at a temperature of its own, far up to `broad`; 1: as they are."""

    @abc.abstractmethod
    def fit(self, x: Shaped[np.ndarray, " size *shape"]) -> AbstractDistribution:
        """A distribution near that of `x`, for bridge sampling."""

    @abc.abstractmethod
    def mix(self, first: Any, second: Any) -> AbstractDistribution:
        """Two that `fit` has found, as one."""
