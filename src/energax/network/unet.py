"""A U-Net: from an image and a level of noise to an image of the same shape."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Map = Float[Array, "height width channels"]
Folded = Float[Array, "half_height half_width folded"]
Seen = Float[Array, " seen"]

PATCHED = 16
"""Images whose smaller side is at least this are first folded into patches of 2x2 pixels."""

COARSEST = 8
"""Maps are folded until their smaller side is at most this: 14 to 7, 16 to 8, 8 to 4."""

FREQUENCIES = 16
"""Cosines, and sines, that log s is embedded in."""

SEEN = 128
"""Numbers of that embedding."""

HEAD = 32
"""Channels of a head of attention."""

NEIGHBOURS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
"""Where a fifth of the channels each looks: here, up, down, left, right."""


class Linear(eqx.Module):
    """x @ weight + bias over the last axis."""

    weight: Float[Array, "fan_in fan_out"]
    bias: Float[Array, " fan_out"]

    def __init__(self, fan_in: int, fan_out: int, *, scale: float = 1.0, key: PRNGKeyArray):
        bound = scale * math.sqrt(3 / fan_in)
        self.weight = jax.random.uniform(key, (fan_in, fan_out), minval=-bound, maxval=bound)
        self.bias = jnp.zeros(fan_out)

    def __call__(self, x: Float[Array, "*axes fan_in"]) -> Float[Array, "*axes fan_out"]:
        y = x @ self.weight
        return y + jnp.broadcast_to(self.bias, y.shape)


def normalise(x: Map) -> Map:
    """Each pixel divided by the root of the mean square of its channels."""
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-4)


def look_around(x: Map) -> Map:
    """Four fifths of the channels moved by a pixel, each in a direction of its own; zeros enter.

    Followed by a product over channels it is a convolution with a cross of five pixels, and costs
    one copy (Wu et al. 2018).
    """
    height, width, channels = x.shape
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    ends = [channels * k // len(NEIGHBOURS) for k in range(len(NEIGHBOURS) + 1)]
    parts = [
        padded[a : a + height, b : b + width, start:end]
        for (a, b), start, end in zip(NEIGHBOURS, ends[:-1], ends[1:], strict=True)
    ]
    return jnp.concatenate(parts, axis=-1)


class Block(eqx.Module):
    """x -> x + second(silu(first(look_around(scale(s) normalise(x) + shift(s)))))."""

    noise: Linear
    first: Linear
    second: Linear

    def __init__(self, channels: int, *, key: PRNGKeyArray):
        keys = jax.random.split(key, 3)
        self.noise = Linear(SEEN, 2 * channels, scale=0.1, key=keys[0])
        self.first = Linear(channels, 2 * channels, key=keys[1])
        self.second = Linear(2 * channels, channels, scale=0.3, key=keys[2])

    def __call__(self, x: Map, seen: Seen) -> Map:
        scale, shift = (part[None, None] for part in jnp.split(self.noise(seen), 2))
        y = look_around(normalise(x) * (1 + scale) + shift)
        return x + self.second(jax.nn.silu(self.first(y)))


class Attention(eqx.Module):
    """x -> x + what each pixel attends to: the far sides of an image agree by it."""

    queries: Linear
    out: Linear
    heads: int = eqx.field(static=True)

    def __init__(self, channels: int, *, key: PRNGKeyArray):
        first, then = jax.random.split(key)
        self.heads = math.gcd(channels, max(1, channels // HEAD))
        self.queries = Linear(channels, 3 * channels, key=first)
        self.out = Linear(channels, channels, scale=0.3, key=then)

    def __call__(self, x: Map) -> Map:
        count = x.shape[0] * x.shape[1]
        each = self.queries(normalise(x)).reshape(count, 3, self.heads, -1)
        q, k, v = jnp.moveaxis(each, 1, 0)
        logits = jnp.einsum("ihc,jhc->hij", q, k) / math.sqrt(q.shape[-1])
        mixed = jnp.einsum("hij,jhc->ihc", jax.nn.softmax(logits, axis=-1), v)
        return x + self.out(mixed.reshape(x.shape))


def fold(x: Map) -> Folded:
    """Patches of 2x2 pixels as channels; an odd side is first made even with zeros."""
    x = jnp.pad(x, ((0, x.shape[0] % 2), (0, x.shape[1] % 2), (0, 0)))
    height, width, channels = x.shape
    x = x.reshape(height // 2, 2, width // 2, 2, channels)
    return jnp.moveaxis(x, 2, 1).reshape(height // 2, width // 2, 4 * channels)


def unfold(x: Folded, height: int, width: int) -> Map:
    """The inverse of `fold`, cut to a height and a width."""
    rows, columns, channels = x.shape
    x = jnp.moveaxis(x.reshape(rows, columns, 2, 2, channels // 4), 2, 1)
    return x.reshape(2 * rows, 2 * columns, channels // 4)[:height, :width]


class Scale(eqx.Module):
    """A block on the way down and one on the way up, and the maps to and from the next scale."""

    down: Block
    up: Block
    lower: Linear
    higher: Linear

    def __init__(self, channels: int, coarser: int, *, key: PRNGKeyArray):
        keys = jax.random.split(key, 4)
        self.down, self.up = Block(channels, key=keys[0]), Block(channels, key=keys[1])
        self.lower = Linear(4 * channels, coarser, key=keys[2])
        self.higher = Linear(coarser, 4 * channels, scale=0.3, key=keys[3])


def _sides(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Height and width of the maps at each scale, largest first."""
    height, width = shape[-2:]
    if min(height, width) >= PATCHED:
        height, width = -(-height // 2), -(-width // 2)
    sides = [(height, width), (-(-height // 2), -(-width // 2))]
    while min(sides[-1]) > COARSEST:
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    return sides


class UNet(eqx.Module):
    """A U-Net g(x, s) of an image and a level of noise, with an output of the shape of x.

    Most of its work is matrix products at the coarsest scale, 7x7 for 28x28 pixels: there it has
    `depth` blocks of `width` channels around one layer of attention. The scales above have a block
    on the way down and one on the way up, with fewer channels. Neighbouring pixels meet by shifted
    channels, which any derivative of takes no more than copies; the noise scales and shifts the
    channels of each block. The last layer starts at 0.

    Args:
        shape: of an example, (height, width) or (channels, height, width), sides of 4 or more.
        width: channels at the coarsest scale, at least 8.
        depth: blocks there, at least 1.

    Raises:
        ValueError: for another shape, or a `width` or `depth` that is too small.

    Source: Ronneberger et al. (2015); shifts in place of convolutions: Wu et al. (2018).

    Example:
        >>> network = ex.network.UNet((8, 8), width=8, depth=1, key=key)
        >>> network(jnp.ones((8, 8)), jnp.asarray(0.5)).shape
        (8, 8)
    """

    embed: Linear
    stem: Linear
    place: Float[Array, "height width channels"]
    scales: tuple[Scale, ...]
    before: tuple[Block, ...]
    attention: Attention
    after: tuple[Block, ...]
    head: Linear
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, shape: tuple[int, ...], width: int = 128, depth: int = 4, *, key: PRNGKeyArray
    ):
        if len(shape) not in (2, 3) or min(shape[-2:]) < 4:
            raise ValueError(
                "`shape` must be (height, width) or (channels, height, width) with sides of at "
                f"least 4; got {shape}."
            )
        if width < 8 or depth < 1:
            raise ValueError(
                f"`width` must be at least 8 and `depth` at least 1; got {width} and {depth}."
            )
        sides, colours = _sides(shape), 1 if len(shape) == 2 else shape[0]
        pixels = 4 * colours if min(shape[-2:]) >= PATCHED else colours
        more = len(sides)
        widths = [max(8, width // (more + 1 - k) // 8 * 8) for k in range(more - 1)] + [width]
        keys = iter(jax.random.split(key, depth + more + 5))
        self.embed = Linear(2 * FREQUENCIES, SEEN, key=next(keys))
        self.stem = Linear(pixels, widths[0], key=next(keys))
        self.place = 0.1 * jax.random.normal(next(keys), (*sides[0], widths[0]))
        self.scales = tuple(
            Scale(fine, coarse, key=next(keys)) for fine, coarse in itertools.pairwise(widths)
        )
        blocks = [Block(width, key=next(keys)) for _ in range(depth)]
        self.before, self.after = tuple(blocks[: -(-depth // 2)]), tuple(blocks[-(-depth // 2) :])
        self.attention = Attention(width, key=next(keys))
        head = Linear(widths[0], pixels, key=next(keys))
        self.head = eqx.tree_at(lambda layer: layer.weight, head, jnp.zeros_like(head.weight))
        self.shape = shape

    def __call__(self, x: Float[Array, "*shape"], noise: Float[Array, ""]) -> Array:
        image = x[:, :, None] if x.ndim == 2 else jnp.moveaxis(x, 0, 2)
        patched = min(self.shape[-2:]) >= PATCHED
        y = self._mix(fold(image) if patched else image, self._embed(noise))
        y = unfold(y, *image.shape[:2]) if patched else y
        return y[:, :, 0] if x.ndim == 2 else jnp.moveaxis(y, 2, 0)

    def _embed(self, noise: Float[Array, ""]) -> Seen:
        angles = jnp.log(noise) / 2 * jnp.arange(FREQUENCIES, dtype=noise.dtype) * (math.pi / 8)
        return jax.nn.silu(self.embed(jnp.concatenate([jnp.cos(angles), jnp.sin(angles)])))

    def _mix(self, pixels: Map, seen: Seen) -> Map:
        y, kept = self.stem(pixels) + self.place, []
        for scale in self.scales:
            kept.append(scale.down(y, seen))
            y = scale.lower(fold(kept[-1]))
        for block in self.before:
            y = block(y, seen)
        y = self.attention(y)
        for block in self.after:
            y = block(y, seen)
        for scale, fine in zip(reversed(self.scales), reversed(kept), strict=True):
            y = scale.up(fine + unfold(scale.higher(y), *fine.shape[:2]), seen)
        return self.head(normalise(y))
