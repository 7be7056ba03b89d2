"""A base distribution times exp(-f): an energy whose log Z can be estimated."""

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float, Shaped

from energax.energy.base import AbstractDistribution, AbstractEnergy, NonTrainable, float_dtype
from energax.space import AbstractSpace


class Tilt(AbstractEnergy):
    """A base distribution tilted by a network f: p(x) is proportional to p_base(x) exp(-f(x)).

    E(x) = E_base(x) + log Z_base + f(x), so log Z = log E_base[exp(-f)], which is 0 where f = 0.
    Training moves f alone; the base is frozen.

    Args:
        distribution: the base.
        network: f, from an example to a scalar; of bits and categories it sees the embedded
            example, zeros and ones or one-hot rows.

    To evaluate a trained energy without energax, export it (`pip install energax[export]`) as in
    the example.

    Source: Nijkamp et al. (2022), section 3.

    Example:
        >>> energy = ex.energy.Tilt(ex.energy.Gaussian(jnp.zeros(2)), lambda x: 0.5 * x[0])
        >>> exported = jax.export.export(jax.jit(lambda x: energy(x)))(jnp.zeros(2)).serialize()
        >>> round(float(jax.export.deserialize(exported).call(jnp.zeros(2))), 4)  # log(2 pi)
        1.8379
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

    @property
    def space(self) -> AbstractSpace:
        return self.distribution.space

    def tilt(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        """f of an example."""
        return self.network(self.space.embed(x, float_dtype(self)))

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self._normalise(self.distribution(x)) + self.tilt(x)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return self._normalise(self.distribution.extend(e)) + self.network(e)

    def _normalise(self, value: Float[Array, ""]) -> Float[Array, ""]:
        return value + jax.lax.stop_gradient(self.distribution.log_z())
