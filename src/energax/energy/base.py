"""What an energy is: p(x) = exp(-E(x)) / Z. Sign, unit and shape are fixed here, once."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Shaped

Energy = Callable[[Any], Any]
"""Any callable of one example that returns a scalar in nats is an energy."""


class AbstractEnergy(eqx.Module):
    """E(x), with p(x) = exp(-E(x)) / Z. Acts on one example; use `jax.vmap` for a batch."""

    shape: eqx.AbstractVar[tuple[int, ...]]

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        """Energy of one example, in nats."""


class AbstractDistribution(AbstractEnergy):
    """An energy whose normalising constant and whose draws are exact: base, noise and yardstick."""

    @abc.abstractmethod
    def log_z(self) -> Float[Array, ""]:
        """log of the integral of exp(-E), in nats."""

    @abc.abstractmethod
    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        """One exact draw."""


class AbstractModal(AbstractDistribution):
    """A distribution of several modes that are numbered, so that the share of each can be
    checked."""

    @property
    @abc.abstractmethod
    def modes(self) -> int:
        """How many modes there are."""

    @abc.abstractmethod
    def mode(self, x: Float[Array, "*shape"]) -> Int[Array, ""]:
        """The mode that a point belongs to, from 0; `modes` where it belongs to none."""


class NonTrainable(eqx.Module):
    """A part of an energy that no optimiser may move: its arrays are constants, not weights.

    Called like what it holds, where that is callable.
    """

    value: Any

    def __call__(self, x: Array) -> Array:
        return stop_gradient(self.value)(x)


def score(energy: Energy, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Gradient of log p at `x`, that is -dE/dx. It does not know Z."""
    return -jax.grad(energy)(x)


def log_density(distribution: AbstractDistribution, x: Float[Array, "*shape"]) -> Float[Array, ""]:
    """log p(x) = -E(x) - log Z of a distribution, in nats."""
    return -distribution(x) - distribution.log_z()


def draws(
    distribution: AbstractDistribution, count: int, *, key: PRNGKeyArray
) -> Shaped[Array, " count *shape"]:
    """`count` independent exact draws of a distribution."""
    return jax.vmap(lambda k: distribution.sample(key=k))(jax.random.split(key, count))


def stop_gradient(energy: PyTree) -> PyTree:
    """The same energy as a constant: no gradient flows into its weights."""
    moving, still = eqx.partition(energy, eqx.is_inexact_array)
    return eqx.combine(jax.lax.stop_gradient(moving), still)


def _is_fixed(node: Any) -> bool:
    return isinstance(node, NonTrainable)


def weights(energy: PyTree) -> tuple[PyTree, PyTree]:
    """Split an energy into what an optimiser moves and the rest; `eqx.combine` joins them again.

    Every floating array is a weight, except inside a `NonTrainable`.
    """
    movable = jax.tree.map(
        lambda node: False if _is_fixed(node) else eqx.is_inexact_array(node),
        energy,
        is_leaf=_is_fixed,
    )
    return eqx.partition(energy, movable, is_leaf=_is_fixed)
