"""A generator and the encoder that inverts it, as two networks of one kind."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray, Shaped

from energax import network
from energax.data import Labelled
from energax.network import Encoder, NoisyGenerator


@dataclasses.dataclass(frozen=True)
class NetworkPair:
    """Sizes of both. `encoder_width` None: no encoder. `bounded`: rows lie in [-1, 1]."""

    kind: str
    depth: int
    latent: int
    width: int
    encoder_width: int | None
    halvings: int
    noise: float
    bounded: bool


@eqx.filter_jit
def make_pair(
    sizes: NetworkPair, shape: tuple[int, ...], *, key: PRNGKeyArray
) -> tuple[NoisyGenerator, Encoder | None]:
    """A new generator of rows of `shape`, and a new encoder where it has a width."""
    first, then = jax.random.split(key)
    latent, halvings, narrow = sizes.latent, sizes.halvings, sizes.encoder_width
    if sizes.kind == "conv":
        ends = jnp.tanh if sizes.bounded else None
        maker = network.ConvGenerator(latent, shape, sizes.width, halvings, ends=ends, key=first)
    else:
        maker = network.ArrayMLP((latent,), shape, sizes.width, sizes.depth, key=first)
    generator = NoisyGenerator(maker, latent, sizes.noise)
    if narrow is None:
        return generator, None
    if sizes.kind == "conv":
        seen = network.ConvEncoder(shape, 2 * latent, narrow, halvings, key=then)
    else:
        seen = network.MLP(shape, narrow, sizes.depth, out=2 * latent, key=then)
    return generator, Encoder(seen, latent)


def number_rows(rows: Shaped[np.ndarray, " size *shape"]) -> Labelled:
    """Rows with their numbers, for chains that are kept for each row."""
    return Labelled(rows, np.arange(len(rows)))
