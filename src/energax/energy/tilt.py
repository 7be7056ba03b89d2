"""A base law times exp(-f): the energy whose log Z is within reach."""

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from energax.energy.base import AbstractEnergy, AbstractLaw, Fixed


class Tilt(AbstractEnergy):
    """E(x) = E_base(x) + log Z_base + f(x), so p(x) is proportional to p_base(x) exp(-f(x)).

    The base is normalised and never trained: only `f` learns, and log Z = log E_base[exp(-f)] is
    0 where f = 0.

    Reference: exponential tilting; as a trained energy, Nijkamp et al. (2022), section 3.
    """

    base: Fixed
    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, law: AbstractLaw, network: Callable):
        self.base, self.network, self.shape = Fixed(law), network, law.shape

    @property
    def law(self) -> AbstractLaw:
        """The base law."""
        return self.base.value

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.law(x) + jax.lax.stop_gradient(self.law.log_z()) + self.network(x)
