"""The distribution of a generator's latent vector, given an example: what posterior chains draw
from."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.energy.base import AbstractEnergy
from energax.network import NoisyGenerator


class LatentPosterior(AbstractEnergy):
    """E(z) = |z|^2 / 2 - log N(x; g(z), s^2 I): p(z | x) for the generator's `example` x.

    Both constants of p(z, x) but that of the prior are in, so log Z is log p(x) + d log(2 pi) / 2
    for z of d numbers. For g(z) = W z + b the distribution is N(M^-1 W'(x - b) / s^2, M^-1) with M
    = I + W'W / s^2, and a Langevin step h needs h M < 2: halve s, and h must fall to a quarter.

    Source: Cui and Han (2023), eq. 6. Their released chains leave out the half of the square: they
    follow the posterior of the noise s / sqrt(2).
    """

    generator: NoisyGenerator
    example: Float[Array, "*example"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, generator: NoisyGenerator, example: Float[Array, "*example"]):
        self.generator, self.example, self.shape = generator, example, (generator.latent,)

    def __call__(self, x: Float[Array, " latent"]) -> Float[Array, ""]:
        return jnp.sum(x**2) / 2 - self.generator.log_likelihood(self.example, x)
