"""Networks: one example to a scalar, smooth, in every form of the convolution."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import scipy.stats

from energax.network import (
    MLP,
    ConvNet,
)
from energax.network import convolve as forms
from energax.network.conv import halve
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

    @jax.jit
    def parts(x, key):
        if spectral is None:
            net = MLP(shape, 8, out=out, key=key)
            last = net.layers[-1]
        else:
            net = ConvNet(shape, 4, 2, spectral=spectral, out=out, key=key)

            def last(features):
                ends = net.head(features[None, None])[0, 0]
                return ends[0] if out == "scalar" else ends

        features = net.features(x)
        return features, net(x), last(features), last(net.features(x + 1))

    features, found, again, other = parts(np.random.default_rng(1).normal(size=shape), key)
    assert features.shape == (8,)
    assert np.allclose(again, found, rtol=1e-12)
    # Negative control: features of another example do not give this output.
    assert not np.allclose(other, found, rtol=1e-3)


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
    along = jnp.asarray(np.random.default_rng(1).normal(size=x.shape), dtype)

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
    found = float(jax.jit(spectral_bound)(matrix))
    assert found == pytest.approx(np.sum(values**power) ** (1 / power), rel=1e-10)
    assert values[0] <= found * (1 + 1e-12)
    assert found <= values[0] * shape[1] ** (1 / power) * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_spectral_bound_neither_overflows_nor_vanishes_in_float32(scale):
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    bound = jax.jit(spectral_bound)
    plain, found = float(bound(matrix)), bound(matrix * np.float32(scale))
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(plain * scale, rel=1e-5)


def test_spectral_network_does_not_feel_the_scale_of_its_weights(key):
    make = eqx.filter_jit(ConvNet)
    net = make((6, 6), 4, 1, spectral=True, key=key)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 6)))

    def kernel(net):
        return net.blocks[0].first.weight

    scaled = eqx.tree_at(kernel, net, 7 * kernel(net))
    value = eqx.filter_jit(lambda n: n(x))
    assert float(value(scaled)) == pytest.approx(float(value(net)), rel=1e-10)
    free = make((6, 6), 4, 1, key=key)
    assert abs(float(value(eqx.tree_at(kernel, free, 7 * kernel(free))) - value(free))) > 1e-6


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_a_scalar_of_one_example_whose_slope_feels_every_entry(name, dtype, key):
    make, shape = NETWORKS[name]
    x, along = np.random.default_rng(1).normal(size=(2, *shape)).astype(dtype)
    step = np.dtype(dtype).type(1e-5 if dtype == "float64" else 1e-2)

    @jax.jit
    def parts(key, batch):
        net = jax.tree.map(
            lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, make(shape, key)
        )
        return jax.vmap(jax.value_and_grad(net))(batch)

    values, slopes = parts(key, np.stack([x + step * along, x, x - step * along]))
    assert values.shape == (3,)
    assert values.dtype == slopes.dtype == dtype
    assert np.all(np.asarray(slopes) != 0)
    wanted = float(values[0] - values[2]) / (2 * step)
    close = 1e-6 if dtype == "float64" else 1e-2
    assert float(np.sum(along * slopes[1])) == pytest.approx(wanted, rel=close)


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
