"""A 3x3 convolution of one image, in the form that is fast on the machine at hand."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Image = Float[Array, "height width channels"]
Kernel = Float[Array, "3 3 channels filters"]
Filtered = Float[Array, "height width filters"]

FEW = 8
"""Below this many channels, moving memory costs more than the matrix products do."""


def convolve(x: Image, kernel: Kernel) -> Filtered:
    """Stride 1, zeros around the edge: y[i, j] = sum_ab x[i + a - 1, j + b - 1] kernel[a, b].

    The three forms below give the same numbers up to rounding. On CPU the gradients of XLA's own
    convolution are tens of times slower than the products; elsewhere vendors' kernels win.
    """
    if jax.default_backend() != "cpu":
        return by_convolution(x, kernel)
    return (by_shifts if x.shape[2] < FEW else by_pairs)(x, kernel)


def by_convolution(x: Image, kernel: Kernel) -> Filtered:
    """XLA's convolution."""
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x[None], kernel, (1, 1), "SAME", dimension_numbers=axes)[0]


def by_shifts(x: Image, kernel: Kernel) -> Filtered:
    """Nine shifted views, each times its own matrix."""
    height, width, _ = x.shape
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    return sum(
        (padded[a : a + height, b : b + width] @ kernel[a, b] for a in range(3) for b in range(3)),
        jnp.zeros((), x.dtype),
    )


def by_pairs(x: Image, kernel: Kernel) -> Filtered:
    """Four matrix products for each pair of rows, where shifted views would take six.

    The columns are shifted views side by side; over the rows it is the minimal filter F(2, 3),
    whose derivatives of any order are sums and matrix products again.

    Source: Lavin and Gray (2016), eq. 5-6, with their transform on one axis only.
    """
    height, width, channels = x.shape
    pairs = -(-height // 2)
    padded = jnp.pad(x, ((1, 2 * pairs - height + 1), (1, 1), (0, 0)))
    first, second, third, fourth = (padded[k : k + 2 * pairs - 1 : 2] for k in range(4))
    rows = (first - third, second + third, third - second, second - fourth)
    # Without the barrier XLA computes each difference again for every view that is taken of it.
    rows = jax.lax.optimization_barrier(rows)
    outer, inner = (kernel[0] + kernel[2]) / 2, kernel[1] / 2
    filters = (kernel[0], outer + inner, outer - inner, kernel[2])

    def product(row: Array, taps: Array) -> Array:
        views = jnp.concatenate([row[:, b : b + width] for b in range(3)], axis=2)
        return views @ taps.reshape(3 * channels, -1)

    a, b, c, d = (product(row, taps) for row, taps in zip(rows, filters, strict=True))
    return jnp.stack([a + b + c, b - c - d], axis=1).reshape(2 * pairs, width, -1)[:height]
