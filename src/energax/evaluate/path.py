"""The path of annealing: from a distribution whose log Z is exact to the target energy."""

import abc
import functools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    Bridge,
    Energy,
    Neural,
    Normalised,
    Tilt,
)


class AbstractPath(eqx.Module):
    """Energies E_t = E_base + t gap, t in [0, 1]: the base at t = 0, the target at t = 1."""

    base: eqx.AbstractVar[AbstractDistribution]

    @abc.abstractmethod
    def at(self, time: Float[Array, ""]) -> Energy:
        """The energy E_t."""

    @abc.abstractmethod
    def gap(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        """dE_t/dt = E_target(x) - E_base(x), in nats."""

    def precision(self, x: Shaped[Array, " size *shape"]) -> jnp.dtype:
        """That of energies, and so of times and weights."""
        return eqx.filter_eval_shape(self.gap, x[0]).dtype


class LinearPath(AbstractPath):
    """From `base` to any `target` of the same shape: E_t = (1 - t) E_base + t E_target.

    Trap: where E_base is infinite the gap is not a number. A `base` with edges needs a target
    that is a tilt of it.
    """

    base: AbstractDistribution
    target: AbstractEnergy

    def at(self, time: Float[Array, ""]) -> Energy:
        return Bridge(self.base, self.target, time)

    def gap(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.target(x) - self.base(x)


class TiltPath(AbstractPath):
    """From `base` to its tilt: E_t = E_base + t rest. The base is evaluated once, not twice."""

    base: AbstractDistribution
    rest: AbstractEnergy

    def at(self, time: Float[Array, ""]) -> Energy:
        return lambda x: self.base(x) + time * self.rest(x)

    def gap(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.rest(x)


@functools.singledispatch
def _tilt_of(energy: AbstractEnergy, base: AbstractDistribution) -> AbstractEnergy | None:
    """What `energy` adds to `base`, if it is built as a tilt of this very distribution; else
    None."""
    return None


@_tilt_of.register
def _(energy: Tilt, base: AbstractDistribution) -> AbstractEnergy | None:
    if energy.distribution is not base:
        return None
    return Normalised(Neural(energy.network, energy.shape), base.log_z())


@_tilt_of.register
def _(energy: Normalised, base: AbstractDistribution) -> AbstractEnergy | None:
    rest = _tilt_of(energy.energy, base)
    return None if rest is None else Normalised(rest, energy.log_z)


def make_path(base: AbstractDistribution, target: AbstractEnergy) -> AbstractPath:
    """The straight path from `base` to `target`; cheaper where `target` is a tilt of `base`."""
    if base.shape != target.shape:
        raise ValueError(
            f"`base` and `energy` must have one shape; got {base.shape} and {target.shape}."
        )
    rest = _tilt_of(target, base)
    return LinearPath(base, target) if rest is None else TiltPath(base, rest)
