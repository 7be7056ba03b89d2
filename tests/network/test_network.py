"""Networks: one example to a scalar, smooth, in every form of the convolution."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
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
from energax.network import convolve as forms
from energax.network.conv import halve
from energax.network.latent import double
from energax.network.spectral import SQUARINGS, spectral_bound

FORMS = {
    "convolution": forms.by_convolution,
    "shifts": forms.by_shifts,
    "pairs": forms.by_pairs,
}
TOLERANCE = {"float64": 1e-12, "float32": 3e-6}
SIZES = [(1, 1, 1, 1), (5, 4, 3, 2), (6, 7, 1, 4)]
NETWORKS = {
    "mlp": (lambda shape, key: MLP(shape, 8, key=key), (3,)),
    "conv grey": (lambda shape, key: ConvNet(shape, 4, 1, key=key), (12, 13)),
    "conv colour": (lambda shape, key: ConvNet(shape, 4, 2, key=key), (3, 5, 6)),
    "conv spectral": (lambda shape, key: ConvNet(shape, 4, 1, spectral=True, key=key), (6, 5)),
}


@pytest.mark.parametrize("out", ["scalar", 3])
@pytest.mark.parametrize("shape", [(6, 5), (2, 13, 12)])
@pytest.mark.parametrize("spectral", [None, False, True])
def test_the_last_layer_of_the_features_is_the_output(spectral, shape, out, key):
    """`spectral` None: a multilayer perceptron."""
    x = jax.random.normal(jax.random.key(1), shape)
    if spectral is None:
        net = MLP(shape, 8, out=out, key=key)
        last, width = net.layers[-1], 8
    else:
        net = ConvNet(shape, 4, 2, spectral=spectral, out=out, key=key)
        width = 8

        def last(features):
            ends = net.head(features[None, None])[0, 0]
            return ends[0] if out == "scalar" else ends

    features = net.features(x)
    assert features.shape == (width,)
    assert np.allclose(last(features), net(x), rtol=1e-12)
    # Negative control: features of another example do not give this output.
    assert not np.allclose(last(net.features(x + 1)), net(x), rtol=1e-3)


def _image(size, seed=0):
    height, width, channels, filters = size
    rng = np.random.default_rng(seed)
    return rng.normal(size=(height, width, channels)), rng.normal(size=(3, 3, channels, filters))


def _by_scipy(x, kernel):
    """Each pair of channel and filter by itself, from the definition."""
    planes = [
        sum(
            scipy.signal.correlate2d(x[:, :, c], kernel[:, :, c, f], mode="same")
            for c in range(x.shape[2])
        )
        for f in range(kernel.shape[3])
    ]
    return np.stack(planes, axis=2)


def _far(found, wanted):
    return np.max(np.abs(np.asarray(found) - wanted)) / (1 + np.max(np.abs(wanted)))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
def test_convolution_is_the_definition(form, size, dtype):
    x, kernel = _image(size)
    found = jax.jit(FORMS[form])(jnp.asarray(x, dtype), jnp.asarray(kernel, dtype))
    assert found.dtype == dtype
    assert _far(found, _by_scipy(x, kernel)) < TOLERANCE[dtype]


def test_a_flipped_kernel_would_be_seen():
    x, kernel = _image(SIZES[1])
    found = jax.jit(forms.by_pairs)(jnp.asarray(x), jnp.asarray(kernel[::-1]))
    assert _far(found, _by_scipy(x, kernel)) > 0.1


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", SIZES)
def test_all_forms_have_the_same_gradients_and_curvature(size, dtype):
    x, kernel = (jnp.asarray(a, dtype) for a in _image(size))
    along = jax.random.normal(jax.random.key(1), x.shape, dtype)

    def parts(form):
        def loss(x, kernel):
            return jnp.sum(jnp.tanh(form(x, kernel)))

        slopes = jax.grad(loss, (0, 1))(x, kernel)

        def curve(kernel):
            return jnp.sum(along * jax.jvp(lambda x: jax.grad(loss)(x, kernel), (x,), (along,))[1])

        return *slopes, jax.grad(curve)(kernel)

    wanted, *others = (jax.jit(parts, static_argnums=0)(form) for form in FORMS.values())
    for other in others:
        far = [_far(one, np.asarray(two)) for one, two in zip(other, wanted, strict=True)]
        assert max(far) < 10 * TOLERANCE[dtype]


@pytest.mark.parametrize("channels", [1, forms.FEW])
def test_the_form_follows_the_machine(monkeypatch, channels):
    x, kernel = (jnp.asarray(a) for a in _image((4, 4, channels, 2)))

    def primitives(backend):
        monkeypatch.setattr(jax, "default_backend", lambda: backend)
        traced = jax.make_jaxpr(lambda *args: forms.convolve(*args))(x, kernel)
        return {equation.primitive.name for equation in traced.jaxpr.eqns}

    assert "conv_general_dilated" in primitives("gpu")
    on_cpu = primitives("cpu")
    assert "conv_general_dilated" not in on_cpu
    assert ("optimization_barrier" in on_cpu) == (channels >= forms.FEW)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (27, 8), (5, 1)])
def test_spectral_bound_is_the_schatten_norm_just_above_the_largest_singular_value(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    values = np.linalg.svd(matrix, compute_uv=False)
    power = 2 ** (SQUARINGS + 1)
    found = float(spectral_bound(jnp.asarray(matrix)))
    assert found == pytest.approx(np.sum(values**power) ** (1 / power), rel=1e-10)
    assert values[0] <= found * (1 + 1e-12)
    assert found <= values[0] * shape[1] ** (1 / power) * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_spectral_bound_neither_overflows_nor_vanishes_in_float32(scale):
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    plain = float(spectral_bound(jnp.asarray(matrix)))
    found = spectral_bound(jnp.asarray(matrix * np.float32(scale)))
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(plain * scale, rel=1e-5)


def test_spectral_network_does_not_feel_the_scale_of_its_weights(key):
    net = ConvNet((6, 6), 4, 1, spectral=True, key=key)
    x = jax.random.normal(key, (6, 6))

    def kernel(net):
        return net.blocks[0].first.weight

    scaled = eqx.tree_at(kernel, net, 7 * kernel(net))
    value = eqx.filter_jit(lambda n: n(x))
    assert float(value(scaled)) == pytest.approx(float(value(net)), rel=1e-10)
    free = ConvNet((6, 6), 4, 1, key=key)
    assert abs(float(value(eqx.tree_at(kernel, free, 7 * kernel(free))) - value(free))) > 1e-6


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_a_scalar_of_one_example_whose_slope_feels_every_entry(name, dtype, key):
    make, shape = NETWORKS[name]
    net = jax.tree.map(
        lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, make(shape, key)
    )
    x, along = (jax.random.normal(k, shape, dtype) for k in jax.random.split(key))
    step = 1e-5 if dtype == "float64" else 1e-2

    @eqx.filter_jit
    def parts(net, batch):
        return jax.vmap(jax.value_and_grad(net))(batch)

    values, slopes = parts(net, jnp.stack([x + step * along, x, x - step * along]))
    assert values.shape == (3,)
    assert values.dtype == slopes.dtype == dtype
    assert jnp.all(slopes != 0)
    wanted = float(values[0] - values[2]) / (2 * step)
    close = 1e-6 if dtype == "float64" else 1e-2
    assert float(jnp.sum(along * slopes[1])) == pytest.approx(wanted, rel=close)


def test_pooling_means_over_four_pixels_and_pads_an_odd_side():
    x = np.arange(15.0).reshape(3, 5, 1)
    padded = np.pad(x, ((0, 1), (0, 1), (0, 0)))
    wanted = padded.reshape(2, 2, 3, 2, 1).mean(axis=(1, 3))
    assert np.array_equal(np.asarray(halve(jnp.asarray(x))), wanted)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda key: ConvNet((4,), key=key), "`shape`"),
        (lambda key: ConvNet((4, 4), 0, key=key), "`width`"),
        (lambda key: ConvNet((4, 4), 4, 0, key=key), "`blocks`"),
        (lambda key: MLP((4,), 0, key=key), "`width`"),
    ],
)
def test_bad_settings_are_named(make, word, key):
    with pytest.raises(ValueError, match=word):
        make(key)


SIZED = [(7, 6), (3, 5, 9), (1, 4, 4)]


@pytest.mark.parametrize("dtype", TOLERANCE)
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
