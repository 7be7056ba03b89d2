"""A convolutional residual network from one image to a scalar, or to a vector."""

import math
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.network.convolve import convolve
from energax.network.spectral import spectral_bound

Image = Float[Array, "height width channels"]
Filtered = Float[Array, "height width filters"]

COARSEST = 12
"""An image is halved while its smaller side is at least this: 28 goes to 14 and 7, 8 stays."""


class Filter(eqx.Module):
    """A convolution with `size` x `size` pixels, 3 or 1, and a bias.

    `spectral`: the weight, as a matrix from neighbourhood to filters, is divided by (a tight upper
    bound on) its largest singular value (Miyato et al. 2018, section 2.1, who use power iteration).
    A 3x3 filter then has a Lipschitz constant of at most 3.
    """

    weight: Float[Array, "size size channels filters"]
    bias: Float[Array, " filters"]
    spectral: bool = eqx.field(static=True)

    def __init__(
        self, size: int, channels: int, filters: int, spectral: bool, *, key: PRNGKeyArray
    ):
        bound = 1 / math.sqrt(size * size * channels)
        shape = (size, size, channels, filters)
        self.weight = jax.random.uniform(key, shape, minval=-bound, maxval=bound)
        self.bias, self.spectral = jnp.zeros(filters), spectral

    def __call__(self, x: Image) -> Filtered:
        weight = self.weight
        if self.spectral:
            weight = weight / spectral_bound(weight.reshape(-1, weight.shape[-1]))
        y = convolve(x, weight) if len(weight) == 3 else x @ weight[0, 0]
        return y + self.bias[None, None]


class Block(eqx.Module):
    """x -> skip(x) + conv(silu(conv(silu(x)))), `skip` a 1x1 filter where the width changes."""

    first: Filter
    second: Filter
    skip: Filter | None

    def __init__(self, channels: int, filters: int, spectral: bool, *, key: PRNGKeyArray):
        keys = jax.random.split(key, 3)
        self.first = Filter(3, channels, filters, spectral, key=keys[0])
        self.second = Filter(3, filters, filters, spectral, key=keys[1])
        same = channels == filters
        self.skip = None if same else Filter(1, channels, filters, spectral, key=keys[2])

    def __call__(self, x: Image) -> Filtered:
        y = self.second(jax.nn.silu(self.first(jax.nn.silu(x))))
        return y + (x if self.skip is None else self.skip(x))


def halve(x: Image) -> Float[Array, "half_height half_width channels"]:
    """Mean over 2x2 pixels; an odd side is first made even with a row of zeros."""
    x = jnp.pad(x, ((0, x.shape[0] % 2), (0, x.shape[1] % 2), (0, 0)))
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


class ConvNet(eqx.Module):
    """A convolutional residual network from one image to a scalar or a vector.

    f(x) = w . sum over pixels of silu(block(... block(stem(x)))) + b

    The first residual block has `width` filters, the others twice as many; the image is halved
    before each block while its smaller side is at least 12. Stride 1 with average pooling leaves no
    grid in the gradient, and there is no batch norm, which would make the energy of one example
    depend on the others. The sum over pixels lets the energy grow with the image, as a log-density
    does.

    Args:
        shape: of an example, (height, width) or (channels, height, width).
        spectral: normalise each filter, which makes f Lipschitz.
        out: "scalar", or the length of the vector that is returned, such as the number of logits.

    Raises:
        ValueError: for another shape, or a `width`, `blocks` or `out` below 1.

    Trap: with `spectral` exp(-f) changes slowly: lower the temperature or train a scale too.

    Source: the architecture of Du and Mordatch (2019), appendix A.

    Example:
        >>> network = ex.network.ConvNet((8, 8), width=4, blocks=2, key=key)
        >>> network(jnp.zeros((8, 8))).shape, network.features(jnp.zeros((8, 8))).shape
        ((), (8,))
    """

    stem: Filter
    blocks: tuple[Block, ...]
    head: Filter
    shape: tuple[int, ...] = eqx.field(static=True)
    out: int | Literal["scalar"] = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 32,
        blocks: int = 3,
        *,
        spectral: bool = False,
        out: int | Literal["scalar"] = "scalar",
        key: PRNGKeyArray,
    ):
        if len(shape) not in (2, 3):
            raise ValueError(
                f"`shape` must be (height, width) or (channels, height, width); got {shape}."
            )
        if width < 1 or blocks < 1:
            raise ValueError(f"`width` and `blocks` must be at least 1; got {width} and {blocks}.")
        if out != "scalar" and out < 1:
            raise ValueError(f"`out` must be at least 1 or 'scalar'; got {out}.")
        widths = [width, width] + [2 * width] * (blocks - 1)
        first, last, *keys = jax.random.split(key, blocks + 2)
        self.stem = Filter(3, 1 if len(shape) == 2 else shape[0], width, spectral, key=first)
        self.blocks = tuple(
            Block(fan_in, fan_out, spectral, key=k)
            for fan_in, fan_out, k in zip(widths[:-1], widths[1:], keys, strict=True)
        )
        ends = 1 if out == "scalar" else out
        self.head = Filter(1, widths[-1], ends, spectral, key=last)
        self.shape, self.out = shape, out

    def features(self, x: Float[Array, "*shape"]) -> Float[Array, " filters"]:
        """The input of the last layer: the sum over pixels of each filter of the last block."""
        x = x[:, :, None] if x.ndim == 2 else jnp.moveaxis(x, 0, 2)
        x = self.stem(x)
        for block in self.blocks:
            x = block(halve(x) if min(x.shape[:2]) >= COARSEST else x)
        return jnp.sum(jax.nn.silu(x), axis=(0, 1))

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*out"]:
        ends = self.head(self.features(x)[None, None])[0, 0]
        return ends[0] if self.out == "scalar" else ends
