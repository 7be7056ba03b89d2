"""Three players: the energy that is wanted, a generator, and an encoder that inverts it."""

import equinox as eqx
import optax
from jaxtyping import Array, Float, PyTree

from energax.network import Encoder, NoisyGenerator


class TeachingPlayers(eqx.Module):
    """Who moves in teaching; None for an energy or an encoder that takes no part."""

    energy: PyTree
    generator: NoisyGenerator
    encoder: Encoder | None = None


class Optimisers(eqx.Module):
    """An Optax optimiser for each player: its own rate, schedule, ema_decay and clipping."""

    energy: optax.GradientTransformation = eqx.field(static=True)
    generator: optax.GradientTransformation = eqx.field(static=True)
    encoder: optax.GradientTransformation = eqx.field(static=True)


class LatentNoise(eqx.Module):
    """What draws of the generator are made of: x = g(z) + s `noise`."""

    z: Float[Array, " batch latent"]
    noise: Float[Array, " batch *shape"]


class TeachingBatch(eqx.Module):
    """What an update teaches from: `rows` with the `z` that was inferred for each (None: nothing
    infers), and `x`, the revised draws, with the `latent_noise` that they began from. All are
    constants.
    """

    rows: Float[Array, " batch *shape"]
    z: Float[Array, " batch latent"] | None
    latent_noise: LatentNoise
    x: Float[Array, " batch *shape"]
