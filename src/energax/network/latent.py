"""Convolutional networks between an image and a vector: one for a generator, one for an encoder."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.network.conv import Block, Filter, Filtered, Image, halve


def double(x: Image) -> Float[Array, "twice_height twice_width channels"]:
    """Each pixel four times: upsampling by nearest neighbours, without the artefacts of strides."""
    return jnp.repeat(jnp.repeat(x, 2, axis=0), 2, axis=1)


def _check_sizes(shape: tuple[int, ...], width: int, halvings: int) -> tuple[int, int, int]:
    """Height, width and channels of an image of this shape."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"`shape` must be (height, width) or (channels, height, width); got {shape}."
        )
    if width < 1 or halvings < 1:
        raise ValueError(f"`width` and `halvings` must be at least 1; got {width} and {halvings}.")
    return (*shape, 1) if len(shape) == 2 else (shape[1], shape[2], shape[0])


class ConvGenerator(eqx.Module):
    """A convolutional generator from a latent vector to an image.

    A linear map to a coarse image of `width` channels, with sides of 1 / 2^halvings of the final
    ones, rounded up; then `halvings` times: double the sides, apply a residual block. What exceeds
    the final size is cropped.

    Args:
        latent: the length of z.
        shape: of the image, (height, width) or (channels, height, width).
        ends: applied to each number of the image, such as `jnp.tanh` for data on [-1, 1].

    Raises:
        ValueError: for another shape, or a `width` or `halvings` below 1.

    Source: Cui and Han (2023) use `width` 512 and 3 `halvings` for 32 x 32. We leave out their
    batch norm, which would make one example depend on the others.

    Example:
        >>> generator = ex.network.ConvGenerator(3, (8, 8), width=4, key=key)
        >>> generator(jnp.zeros(3)).shape
        (8, 8)
    """

    first: eqx.nn.Linear
    blocks: tuple[Block, ...]
    last: Filter
    ends: Callable | None
    coarse: tuple[int, int] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        width: int = 32,
        halvings: int = 2,
        *,
        ends: Callable | None = None,
        key: PRNGKeyArray,
    ):
        *sides, channels = _check_sizes(shape, width, halvings)
        height, across = (-(-side // 2**halvings) for side in sides)
        begin, end, *keys = jax.random.split(key, halvings + 2)
        self.first = eqx.nn.Linear(latent, height * across * width, key=begin)
        self.blocks = tuple(Block(width, width, False, key=k) for k in keys)
        self.last = Filter(3, width, channels, False, key=end)
        self.ends, self.coarse, self.shape = ends, (height, across), shape

    def __call__(self, z: Float[Array, " latent"]) -> Float[Array, "*shape"]:
        x = self.first(z).reshape(*self.coarse, -1)
        for block in self.blocks:
            x = block(double(x))
        x = self.last(jax.nn.silu(x))
        x = x if self.ends is None else self.ends(x)
        height, across = self.shape[-2:]
        x = x[:height, :across]
        return x[:, :, 0] if len(self.shape) == 2 else jnp.moveaxis(x, 2, 0)


class ConvEncoder(eqx.Module):
    """A convolutional network from an image to a vector of `out` numbers.

    `halvings` residual blocks, the image halved before each, then a linear map. The first block has
    2 `width` filters, each later one twice as many as the one before. Unlike the sum over pixels of
    `ConvNet`, the linear map depends on positions. With `out` twice the length of a latent vector
    it serves as the network of an `Encoder`.

    Args:
        shape: of the image, (height, width) or (channels, height, width).

    Raises:
        ValueError: for another shape, or a `width`, `halvings` or `out` below 1.

    Example:
        >>> network = ex.network.ConvEncoder((8, 8), out=6, width=4, key=key)
        >>> ex.network.Encoder(network, latent=3)(jnp.zeros((8, 8)))[0].shape
        (3,)
    """

    stem: Filter
    blocks: tuple[Block, ...]
    last: eqx.nn.Linear
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        out: int,
        width: int = 16,
        halvings: int = 2,
        *,
        key: PRNGKeyArray,
    ):
        *sides, channels = _check_sizes(shape, width, halvings)
        if out < 1:
            raise ValueError(f"`out` must be at least 1; got {out}.")
        begin, end, *keys = jax.random.split(key, halvings + 2)
        self.stem = Filter(3, channels, width, False, key=begin)
        self.blocks = tuple(
            Block(width * 2**n, width * 2 ** (n + 1), False, key=k) for n, k in enumerate(keys)
        )
        left = math.prod(-(-side // 2**halvings) for side in sides)
        self.last = eqx.nn.Linear(left * width * 2**halvings, out, key=end)
        self.shape = shape

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, " out"]:
        y: Filtered = self.stem(x[:, :, None] if x.ndim == 2 else jnp.moveaxis(x, 0, 2))
        for block in self.blocks:
            y = block(halve(y))
        return self.last(jax.nn.silu(y).reshape(-1))
