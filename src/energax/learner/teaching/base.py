"""The three players of teaching, their optimisers, and what an update learns from."""

import equinox as eqx
import optax
from jaxtyping import Array, Float, PyTree

from energax.network import Encoder, NoisyGenerator


class TeachingPlayers(eqx.Module):
    """The energy, the generator and the encoder; the energy or the encoder may be None.

    Example:
        >>> generator = ex.network.NoisyGenerator(lambda z: 2 * z, latent=2)
        >>> ex.learner.TeachingPlayers(ex.energy.Gaussian(jnp.zeros(2)), generator).encoder is None
        True
    """

    energy: PyTree
    generator: NoisyGenerator
    encoder: Encoder | None = None


class Optimisers(eqx.Module):
    """An Optax optimiser for each player, with its own learning rate, schedule and clipping.

    Example:
        >>> optimisers = ex.learner.Optimisers(optax.adam(1e-4), optax.adam(1e-3), optax.adam(1e-3))
    """

    energy: optax.GradientTransformation = eqx.field(static=True)
    generator: optax.GradientTransformation = eqx.field(static=True)
    encoder: optax.GradientTransformation = eqx.field(static=True)


class LatentNoise(eqx.Module):
    """What draws of the generator are made of: x = g(z) + s `noise`."""

    z: Float[Array, " batch latent"]
    noise: Float[Array, " batch *shape"]


class TeachingBatch(eqx.Module):
    """What an update learns from, all of it held constant.

    `z` was inferred for `rows` (None: there is no posterior); `x` are the refined draws, which
    began from `latent_noise`.
    """

    rows: Float[Array, " batch *shape"]
    z: Float[Array, " batch latent"] | None
    latent_noise: LatentNoise
    x: Float[Array, " batch *shape"]
