"""Networks between images and latent vectors, and the distributions made of them."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from agreement import agrees

from energax.network import (
    MLP,
    ArrayMLP,
    ConvEncoder,
    ConvGenerator,
    ConvNet,
    Encoder,
    NoisyGenerator,
)
from energax.network.latent import double

SIZED = [(7, 6), (3, 5, 9), (1, 4, 4)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SIZED)
def test_networks_between_images_and_vectors_keep_shape_and_feel_every_entry(shape, dtype, key):
    """Of odd sides too; each number that goes in moves what comes out."""
    up, down = ConvGenerator(3, shape, 4, key=key), ConvEncoder(shape, 5, 2, key=key)
    up, down = (
        jax.tree.map(lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, net)
        for net in (up, down)
    )
    z, x = jax.random.normal(key, (3,), dtype), jax.random.normal(key, shape, dtype)
    made, said = eqx.filter_jit(up)(z), eqx.filter_jit(down)(x)
    assert (made.shape, said.shape) == (shape, (5,))
    assert (made.dtype, said.dtype) == (dtype, dtype)
    for net, at in ((up, z), (down, x)):
        slope = np.asarray(eqx.filter_jit(jax.jacrev(net))(at)).reshape(-1, at.size)
        assert np.all(np.abs(slope).max(axis=0) > 0)
        assert np.all(np.abs(slope).max(axis=1) > 0)


def test_doubling_takes_the_nearest_pixel():
    x = jnp.arange(6.0).reshape(2, 3, 1)
    right = np.kron(np.arange(6.0).reshape(2, 3), np.ones((2, 2)))[:, :, None]
    assert np.array_equal(double(x), right)


def test_an_encoder_sees_where_things_stand_and_a_sum_over_pixels_hardly(key):
    """A blot in two places, both far from the edge."""
    blot = jnp.zeros((24, 24)).at[8:10, 8:10].set(1.0)
    moved = jnp.roll(blot, (4, 4), axis=(0, 1))
    seeing, summing = ConvEncoder((24, 24), 2, 2, key=key), ConvNet((24, 24), 4, 1, key=key)
    assert not np.allclose(seeing(blot), seeing(moved), atol=1e-4)
    assert np.allclose(summing(blot), summing(moved), atol=1e-9)


def test_the_generator_of_the_paper_has_its_size(key):
    """16,024,579 weights with batch norm; ours differ by known terms."""
    net = eqx.filter_eval_shape(ConvGenerator, 128, (3, 32, 32), 512, 3, key=key)
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(net))
    found = 128 * 8192 + 8192 + 3 * 2 * (9 * 512 * 512 + 512) + 9 * 512 * 3 + 3
    assert count == found
    shortcuts = 3 * (512 * 512 + 512)
    assert found + shortcuts == pytest.approx(16_024_579, rel=1e-3)


def test_ends_bound_what_is_made(key):
    net = ConvGenerator(2, (5, 5), 4, ends=jnp.tanh, key=key)
    free = ConvGenerator(2, (5, 5), 4, key=key)
    z = jnp.array([40.0, -30.0])
    assert np.max(np.abs(net(z))) <= 1
    assert np.allclose(net(z), np.tanh(free(z)), atol=1e-12)


def test_an_encoder_is_a_gaussian_of_its_own_draws(key):
    """log q beside SciPy's, floor and all, and draws beside mean and variance."""
    encoder = Encoder(MLP((3,), 4, out=4, key=key), 2, floor=0.1)
    x, z = jnp.array([0.3, -1.0, 0.5]), jnp.array([0.2, 0.9])
    mean, variance = (np.asarray(part) for part in encoder(x))
    assert np.allclose(variance - 0.1, np.exp(encoder.network(x)[2:]))
    right = np.sum(scipy.stats.norm.logpdf(z, mean, np.sqrt(variance)))
    assert float(encoder.log_density(z, x)) == pytest.approx(right, rel=1e-10)
    keys = jax.random.split(key, 20_000)
    draws = np.asarray(jax.vmap(lambda k: encoder.sample(x, key=k))(keys))
    assert agrees(draws, mean)
    assert agrees((draws - mean) ** 2, variance)
    assert not agrees((draws - mean) ** 2, variance - 0.1)


def test_a_generator_tells_the_density_of_an_example_given_its_latent_vector(key):
    generator = NoisyGenerator(ArrayMLP((2,), (1, 4, 4), 4, 1, key=key), 2, 0.3, learned=True)
    generator = eqx.tree_at(lambda g: g.log_factor, generator, jnp.log(2.0))
    z, x = jnp.array([0.2, 0.9]), jax.random.normal(key, (1, 4, 4))
    right = np.sum(scipy.stats.norm.logpdf(x, generator(z), 0.6))
    assert float(generator.log_likelihood(x, z)) == pytest.approx(right, rel=1e-10)


BAD = {
    "`shape` must be": lambda: ConvGenerator(2, (5,), key=jax.random.key(0)),
    "`width` and `halvings` must be at least 1": lambda: ConvEncoder(
        (5, 5), 2, 0, key=jax.random.key(0)
    ),
    "`out` must be at least 1": lambda: ConvEncoder((5, 5), 0, key=jax.random.key(0)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_sizes_are_named(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()
