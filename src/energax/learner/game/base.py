"""A game of two players: what each of them minimises, while the other is held constant."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.objective import Aux


class Players(eqx.Module):
    """The energy that is trained, and the rival that it learns against.

    Example:
        >>> rival = ex.network.ArrayMLP((2,), (2,), 8, 1, key=key)
        >>> players = ex.learner.Players(ex.energy.Gaussian(jnp.zeros(2)), rival)
    """

    energy: PyTree
    rival: PyTree


class AbstractRules(eqx.Module):
    """What each player minimises: no joint loss is needed, a game may have none.

    At each update the energy moves first, then the rival responds to the energy as it now is. Each
    loss is differentiated in its own player's weights alone.
    """

    @abc.abstractmethod
    def init(
        self, players: Players, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> PyTree:
        """The memory of the first update; None where nothing is carried. `rows`: a first batch."""

    @abc.abstractmethod
    def energy_loss(
        self,
        energy: Any,
        rival: Any,
        batch: Float[Array, " batch *shape"],
        memory: PyTree,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        """What the energy minimises; the rival sees the memory that it returns."""

    @abc.abstractmethod
    def rival_loss(
        self,
        rival: Any,
        energy: Any,
        batch: Float[Array, " batch *shape"],
        memory: PyTree,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """What the rival minimises, and its metrics, whose names begin with `rival_`."""


class AbstractMemorylessRules(AbstractRules):
    """Rules that carry nothing from one update to the next."""

    def init(
        self, players: Players, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> None:
        return None
