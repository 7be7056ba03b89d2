"""An autoencoder as a scalar: how badly it reconstructs an example."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class ReconstructionError(eqx.Module):
    """The mean squared reconstruction error of an autoencoder, as an energy.

    f(x) = mean over the numbers of x of (x - decode(encode(x)))^2

    Encoder and decoder are perceptrons with one hidden layer of `width` units and SiLU; the code
    has `latent` numbers, and both outputs are linear. Far from the data f grows as x^2, so regions
    that no chain has visited stay unlikely. The scalar of a plain network guarantees no such thing.

    Raises:
        ValueError: for a `latent` or `width` below 1.

    Trap: f is a mean, so its gradient falls as 1 / dim: use chains with a step of the order of dim.

    Source: Zhao, Mathieu and LeCun (2017), section 2.1; Yoon, Noh and Park (2021), eq. 3.

    Example:
        >>> network = ex.network.ReconstructionError((4,), latent=2, width=8, key=key)
        >>> float(network(jnp.ones(4))) >= 0, network.reconstruct(jnp.ones(4)).shape
        (True, (4,))
    """

    encode: eqx.nn.MLP
    decode: eqx.nn.MLP
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, shape: tuple[int, ...], latent: int = 32, width: int = 128, *, key: PRNGKeyArray
    ):
        if latent < 1 or width < 1:
            raise ValueError(f"`latent` and `width` must be at least 1; got {latent} and {width}.")
        dim, (there, back) = math.prod(shape), jax.random.split(key)
        self.encode = eqx.nn.MLP(dim, latent, width, 1, jax.nn.silu, key=there)
        self.decode = eqx.nn.MLP(latent, dim, width, 1, jax.nn.silu, key=back)
        self.shape = shape

    def reconstruct(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """decode(encode(x))."""
        return self.decode(self.encode(x.reshape(-1))).reshape(x.shape)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return jnp.mean((x - self.reconstruct(x)) ** 2)
