"""An energy with a learnable log Z."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Shaped

from energax.energy.base import AbstractEnergy
from energax.space import AbstractSpace


class Normalised(AbstractEnergy):
    """An energy with a learnable constant: E(x) + c.

    Noise-contrastive estimation learns c = log Z, so that exp(-E(x) - c) integrates to 1. Methods
    that do not depend on Z (score matching, contrastive divergence) leave c where it is.

    Args:
        log_z: the initial c, in nats.

    Source: Gutmann and Hyvarinen (2012), section 2.

    Example:
        >>> energy = ex.energy.Normalised(ex.energy.Gaussian(jnp.zeros(1)), log_z=0.5)
        >>> float(energy(jnp.ones(1)))
        1.0
    """

    energy: AbstractEnergy
    log_z: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: AbstractEnergy, log_z: ArrayLike = 0.0):
        self.energy, self.shape = energy, energy.shape
        self.log_z = jnp.asarray(log_z, jnp.result_type(float))

    @property
    def space(self) -> AbstractSpace:
        return self.energy.space

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        value = self.energy(x)
        return value + self.log_z.astype(value.dtype)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        value = self.energy.extend(e)
        return value + self.log_z.astype(value.dtype)
