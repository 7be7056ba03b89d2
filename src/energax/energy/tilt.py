"""A base distribution times exp(-f): the energy whose log Z is within reach."""

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from energax.energy.base import AbstractDistribution, AbstractEnergy, NonTrainable


class Tilt(AbstractEnergy):
    """E(x) = E_base(x) + log Z_base + f(x), so p(x) is proportional to p_base(x) exp(-f(x)).

    The base is normalised and never trained: only `f` learns, and log Z = log E_base[exp(-f)] is
    0 where f = 0.

    Reference: exponential tilting; as a trained energy, Nijkamp et al. (2022), section 3.
    """

    base: NonTrainable
    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, distribution: AbstractDistribution, network: Callable):
        self.base, self.network, self.shape = (
            NonTrainable(distribution),
            network,
            distribution.shape,
        )

    @property
    def distribution(self) -> AbstractDistribution:
        """The base distribution."""
        return self.base.value

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return (
            self.distribution(x)
            + jax.lax.stop_gradient(self.distribution.log_z())
            + self.network(x)
        )
