"""The posterior of a generator's latent vector, given an example."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.energy.base import AbstractEnergy
from energax.network import NoisyGenerator


class LatentPosterior(AbstractEnergy):
    """The posterior p(z | x) of a generator: E(z) = |z|^2 / 2 - log N(x; g(z), s^2 I).

    log Z is log q(x) plus (d / 2) log(2 pi), for z of d numbers.

    Args:
        generator: g and s.
        example: x.

    Trap: the step of a Langevin chain must fall with s^2. For g(z) = W z + b the posterior is
    N(M^-1 W' (x - b) / s^2, M^-1) with M = I + W' W / s^2, and a step h needs h M < 2.

    Source: Cui and Han (2023), eq. 6. Their released chains drop the 1/2 of the square: they
    sample the posterior for the noise s / sqrt(2).

    Example:
        >>> generator = ex.network.NoisyGenerator(lambda z: z, latent=1, noise=1.0)
        >>> energy = ex.energy.LatentPosterior(generator, jnp.array([2.0]))
        >>> ex.energy.score(energy, jnp.array([0.5])).tolist()  # 0 at the mode, x / 2
        [1.0]
    """

    generator: NoisyGenerator
    example: Float[Array, "*example"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, generator: NoisyGenerator, example: Float[Array, "*example"]):
        self.generator, self.example, self.shape = generator, example, (generator.latent,)

    def __call__(self, x: Float[Array, " latent"]) -> Float[Array, ""]:
        return jnp.sum(x**2) / 2 - self.generator.log_likelihood(self.example, x)
