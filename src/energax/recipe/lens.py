"""How a network looks at pixels that were made Gaussian one by one."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.data import MarginalGauss

CONTRAST = 4.0
"""UnmapPixels has a standard deviation of about 1/4 on the unit box; networks like it near 1."""


class UnmapPixels(eqx.Module):
    """From the normal scores of `MarginalGauss` back to brightness, centred: 4 (x(y) - mean).

    Normal scores spread a pixel that is mostly black over half the line, which is noise to a
    network; brightness leaves it black.
    """

    pixels: MarginalGauss

    def __call__(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        masses = self.pixels.masses
        levels = len(masses)
        middle = (jnp.arange(levels, dtype=masses.dtype) + 0.5) / levels
        mean = jnp.tensordot(middle, masses, axes=1)
        return CONTRAST * (self.pixels.decode(y) - mean.astype(y.dtype))
