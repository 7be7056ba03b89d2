"""What an energy is: p(x) = exp(-E(x)) / Z. Sign, unit and shape are fixed here, once."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Shaped

from energax.space import AbstractSpace, Reals

Energy = Callable[[Any], Any]
"""Any callable of one example that returns a scalar in nats is an energy."""


class AbstractEnergy(eqx.Module):
    """An energy E(x), with p(x) = exp(-E(x)) / Z. Acts on one example; use `jax.vmap` for a batch.

    A subclass has a `shape`, that of one example, and a `__call__`. Examples are arrays of real
    numbers, where it does not say another `space`.

    Example:
        >>> class Quartic(ex.energy.AbstractEnergy):
        ...     shape: tuple[int, ...] = (2,)
        ...     def __call__(self, x): return jnp.sum(x**4)
        >>> jax.vmap(Quartic())(jnp.ones((3, 2))).tolist()
        [2.0, 2.0, 2.0]
    """

    shape: eqx.AbstractVar[tuple[int, ...]]

    @property
    def space(self) -> AbstractSpace:
        """Where examples live."""
        return Reals(self.shape)

    @abc.abstractmethod
    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        """Energy of one example, in nats."""

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        """The energy of an example that is embedded in real numbers (`space.embed`), in nats.

        It is that of the example on the points of the space, and smooth between them: gradients
        there guide samplers of bits and categories.
        """
        return self(e)


class AbstractDistribution(AbstractEnergy):
    """An energy with an exact normalising constant and exact draws.

    It serves as base distribution, as noise, and as ground truth. A subclass adds `log_z` and
    `sample` to an energy.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(2))
        >>> isinstance(normal, ex.energy.AbstractDistribution)
        True
        >>> round(float(normal.log_z()), 4), normal.sample(key=key).shape  # log(2 pi)
        (1.8379, (2,))
    """

    @abc.abstractmethod
    def log_z(self) -> Float[Array, ""]:
        """log of the integral of exp(-E), or of its sum over a finite space, in nats."""

    @abc.abstractmethod
    def sample(self, *, key: PRNGKeyArray) -> Shaped[Array, "*shape"]:
        """One exact draw."""


class AbstractModal(AbstractDistribution):
    """A distribution with numbered modes, so that the share of each in a sample can be checked.

    Example:
        >>> moons = ex.data.TwoMoons()
        >>> isinstance(moons, ex.energy.AbstractModal), moons.modes
        (True, 2)
    """

    @property
    @abc.abstractmethod
    def modes(self) -> int:
        """How many modes there are."""

    @abc.abstractmethod
    def mode(self, x: Float[Array, "*shape"]) -> Int[Array, ""]:
        """The number of the mode of a point, from 0; `modes` where it belongs to none."""


class NonTrainable(eqx.Module):
    """A part of an energy that training leaves as it is: its arrays are constants, not weights.

    Called like `value`, where that is callable; gradients flow to the example alone. An energy in
    it may stand wherever `Tilt`, `Sum`, `Tempered` and `Bridge` take an energy.

    Example:
        >>> frozen = ex.energy.NonTrainable(ex.energy.Gaussian(jnp.zeros(2)))
        >>> float(frozen(jnp.ones(2))), jax.tree.leaves(ex.energy.weights(frozen)[0])
        (1.0, [])
    """

    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example, where `value` is an energy."""
        return self.value.shape

    @property
    def space(self) -> AbstractSpace:
        """Where examples live, where `value` is an energy."""
        return self.value.space

    def __call__(self, x: Array) -> Array:
        return stop_gradient(self.value)(x)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        """The energy of an embedded example, where `value` is an energy."""
        return stop_gradient(self.value).extend(e)


def space_of(energy: Any) -> AbstractSpace | None:
    """The space that an energy names; None for a plain function, which names none.

    Example:
        >>> ex.energy.space_of(ex.energy.Gaussian(jnp.zeros(3)))
        Reals(shape=(3,))
    """
    return energy.space if isinstance(energy, AbstractEnergy | NonTrainable) else None


def extension_of(energy: Energy) -> Energy:
    """The energy as a function of embedded examples: `extend`, or a plain function itself.

    Example:
        >>> float(ex.energy.extension_of(lambda x: jnp.sum(x**2))(jnp.ones(3)))
        3.0
    """
    return energy.extend if isinstance(energy, AbstractEnergy | NonTrainable) else energy


def float_dtype(energy: PyTree) -> Any:
    """The precision of an energy: that of its first floating array, else JAX's own.

    Example:
        >>> ex.energy.float_dtype(ex.energy.Gaussian(jnp.zeros(2, jnp.float32))).name
        'float32'
    """
    arrays = jax.tree.leaves(eqx.filter(energy, eqx.is_inexact_array))
    return arrays[0].dtype if arrays else jnp.result_type(float)


def score(energy: Energy, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The score, the gradient of log p at `x`: -dE/dx. It does not depend on Z.

    Example:
        >>> ex.energy.score(ex.energy.Gaussian(jnp.zeros(2)), jnp.array([1.0, -2.0])).tolist()
        [-1.0, 2.0]
    """
    return -jax.grad(energy)(x)


def log_density(distribution: AbstractDistribution, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
    """log p(x) = -E(x) - log Z of a distribution, in nats.

    Example:
        >>> box = ex.energy.UniformBox((2,), 0.0, 2.0)
        >>> round(float(ex.energy.log_density(box, jnp.ones(2))), 4)  # -log 4
        -1.3863
    """
    return -distribution(x) - distribution.log_z()


@eqx.filter_jit
def draws(
    distribution: AbstractDistribution, count: int, *, key: PRNGKeyArray
) -> Shaped[Array, " count *shape"]:
    """`count` independent exact draws of a distribution.

    Example:
        >>> ex.energy.draws(ex.energy.Gaussian(jnp.zeros(2)), 5, key=key).shape
        (5, 2)
    """
    return jax.vmap(lambda k: distribution.sample(key=k))(jax.random.split(key, count))


def stop_gradient(energy: PyTree) -> PyTree:
    """The same energy as a constant: no gradient flows into its weights.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(1))
        >>> slope = jax.grad(lambda energy: ex.energy.stop_gradient(energy)(jnp.ones(1)))(normal)
        >>> slope.mean.tolist()
        [0.0]
    """
    moving, still = eqx.partition(energy, eqx.is_inexact_array)
    return eqx.combine(jax.lax.stop_gradient(moving), still)


def _is_fixed(node: Any) -> bool:
    return isinstance(node, NonTrainable)


def weights(energy: PyTree) -> tuple[PyTree, PyTree]:
    """Split an energy into its weights, which training moves, and the rest.

    Every floating array is a weight, except inside a `NonTrainable`.

    Returns:
        Two trees like `energy`, with None where the other one has the leaf; `equinox.combine` joins
        them again.

    Example:
        >>> base, network = (ex.energy.Gaussian(jnp.full(2, mean)) for mean in (0.0, 1.0))
        >>> moving, rest = ex.energy.weights(ex.energy.Tilt(base, network))
        >>> len(jax.tree.leaves(moving))  # mean and std of `network`; the base is frozen
        2
    """
    movable = jax.tree.map(
        lambda node: False if _is_fixed(node) else eqx.is_inexact_array(node),
        energy,
        is_leaf=_is_fixed,
    )
    return eqx.partition(energy, movable, is_leaf=_is_fixed)
