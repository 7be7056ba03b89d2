"""An energy with a learnable log Z."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from energax.energy.base import AbstractEnergy


class Normalised(AbstractEnergy):
    """E(x) + c, with c trained so that exp(-E(x) - c) integrates to 1.

    Noise-contrastive estimation learns c = log Z (Gutmann and Hyvarinen 2012, section 2). Methods
    that do not see Z (scores, contrastive divergence) leave c where it is.
    """

    energy: AbstractEnergy
    log_z: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: AbstractEnergy, log_z: ArrayLike = 0.0):
        self.energy, self.shape = energy, energy.shape
        self.log_z = jnp.asarray(log_z, jnp.result_type(float))

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(x) + self.log_z.astype(x.dtype)
