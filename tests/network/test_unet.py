"""The U-Net: shapes, what each pixel sees, folding, shifts."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.network import UNet
from energax.network.unet import fold, look_around, unfold

SHAPES = [((8, 8), "float64"), ((9, 5), "float32"), ((2, 17, 18), "float64")]


def wake(net):
    """The network with a last layer that is not 0."""
    weight = net.head.weight
    return eqx.tree_at(lambda n: n.head.weight, net, jnp.full_like(weight, 1 / len(weight)))


@eqx.filter_jit
def respond(net, x, noise):
    """The output, and how it changes with each pixel and with the noise."""
    by_pixel, by_noise = jax.jacrev(net, argnums=(0, 1))(x, noise)
    return net(x, noise), by_pixel, by_noise


@pytest.mark.parametrize(("shape", "precision"), SHAPES, indirect=["precision"])
def test_every_pixel_feels_every_pixel_and_the_noise(shape, precision, key):
    net = UNet(shape, 8, 1, key=key)
    x, noise = jax.random.normal(key, shape), jnp.asarray(0.5)
    assert not eqx.filter_jit(net)(x, noise).any(), "it starts at 0"
    y, by_pixel, by_noise = respond(wake(net), x, noise)
    assert y.shape == shape
    assert y.dtype == precision
    size = int(np.prod(shape))
    assert np.all(np.abs(by_pixel).reshape(size, size) > 0)
    assert np.all(np.abs(by_noise) > 0)


@pytest.mark.parametrize("sides", [(4, 6), (5, 7)])
def test_unfolding_undoes_folding(sides):
    x = jnp.arange(2.0 * np.prod(sides)).reshape(*sides, 2)
    folded = fold(x)
    assert folded.shape == (-(-sides[0] // 2), -(-sides[1] // 2), 8)
    np.testing.assert_array_equal(unfold(folded, *sides), x)
    np.testing.assert_array_equal(np.unique(folded[0, 0]), np.unique(x[:2, :2]))


def test_a_fifth_of_the_channels_looks_each_way():
    """A single bright pixel is seen in its place, and by its four neighbours."""
    lit = look_around(jnp.zeros((3, 3, 5)).at[1, 1].set(1.0))
    places = [tuple(int(i) for i in np.argwhere(lit[..., c])[0]) for c in range(5)]
    assert sorted(places) == [(0, 1), (1, 0), (1, 1), (1, 2), (2, 1)]
    assert lit.sum() == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda key: UNet((8,), key=key), "`shape` must be (height, width)"),
        (lambda key: UNet((3, 8), key=key), "sides of at least 4; got (3, 8)"),
        (lambda key: UNet((8, 8), width=4, key=key), "`width` must be at least 8"),
        (lambda key: UNet((8, 8), depth=0, key=key), "`depth` at least 1; got 128 and 0"),
    ],
)
def test_bad_sizes_are_named(make, message, key):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(key)
