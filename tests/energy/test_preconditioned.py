"""An energy at every level of noise: its denoiser, its constant, and its network as a score."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.energy import PreconditionedEnergy, denoise, log_density
from energax.energy.distributions import Gaussian
from energax.network import NoisyArrayMLP, UNet

STD = 0.7


class Relu(eqx.Module):
    """Two layers without biases: homogeneous of degree 1; symmetric where `tied`."""

    first: jax.Array
    second: jax.Array

    def __call__(self, x, noise):
        return (self.second @ jax.nn.relu(self.first @ x.reshape(-1))).reshape(x.shape)


def random_network(shape, key):
    """A network of random weights, its last layer too."""
    if len(shape) == 2:
        net = UNet(shape, 8, 1, key=key)
        return eqx.tree_at(lambda n: n.head.weight, net, jnp.ones_like(net.head.weight) / 4)
    net = NoisyArrayMLP(shape, 16, key=key)
    where = lambda n: n.perceptron.layers[-1].weight  # noqa: E731
    return eqx.tree_at(where, net, jnp.ones_like(where(net)) / 4)


@eqx.filter_jit
def compare(model, x, noise, sign):
    """The denoised row by the energy and by the formula, and both by the network as a score."""
    mean = model.centre.value.mean
    broad = jnp.sqrt(noise**2 + STD**2)
    u = (x - mean) / broad
    g, pull = jax.vjp(lambda u: model.network(u, noise), u)
    kept = mean + STD**2 / broad**2 * (x - mean)
    out = noise * STD / broad
    by_energy = kept + sign * out * (g + pull(u)[0]) / 2
    found = denoise(model, x, noise), denoise(model.as_score(), x, noise)
    return found, (by_energy, kept + out * g)


@pytest.mark.parametrize("shape", [(3,), (5, 4)])
@pytest.mark.parametrize("noise", [0.05, 2.0])
def test_the_denoiser_is_that_of_karras_et_al(shape, noise, key):
    mean = jnp.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    model = PreconditionedEnergy(random_network(shape, key), mean, STD)
    x = jax.random.normal(key, shape)
    found, right = compare(model, x, jnp.asarray(noise), 1.0)
    np.testing.assert_allclose(found[0], right[0], atol=1e-10)
    np.testing.assert_allclose(found[1], right[1], atol=1e-10)
    _, wrong = compare(model, x, jnp.asarray(noise), -1.0)
    assert np.abs(found[0] - wrong[0]).max() > 1e-4, "a planted sign"
    assert np.abs(found[0] - right[1]).max() > 1e-4, "the network alone is not its own gradient"


@pytest.mark.parametrize("precision", ["float64", "float32"], indirect=True)
@pytest.mark.parametrize("noise", [0.01, 1.0, 100.0])
def test_untrained_it_is_the_normalised_gaussian_of_every_level(noise, precision, key):
    mean = jnp.array([0.5, -1.0, 2.0])
    model = PreconditionedEnergy(NoisyArrayMLP((3,), 8, key=key), mean, STD)
    x = jnp.array([0.1, 0.2, -0.3])
    exact = -log_density(Gaussian(mean, (STD**2 + noise**2) ** 0.5), x)
    found = model.at(noise)(x)
    assert found.dtype == precision
    np.testing.assert_allclose(found, exact, rtol=1e-6 if precision == "float32" else 1e-12)


def test_a_homogeneous_network_is_its_own_gradient_only_where_it_is_symmetric(key):
    """B29: J u = g holds for both; the gradient of <u, g> / 2 is g with tied weights alone."""
    first, then = jax.random.split(key)
    wide = jax.random.normal(first, (8, 4))
    u, noise = jax.random.normal(then, (4,)), jnp.asarray(1.0)
    for second, same in ((wide.T, True), (jax.random.normal(then, (4, 8)), False)):
        net = Relu(wide, second)
        along = jax.jvp(lambda u, net=net: net(u, noise), (u,), (u,))[1]
        np.testing.assert_allclose(along, net(u, noise), atol=1e-12)
        slope = jax.grad(lambda u, net=net: u @ net(u, noise) / 2)(u)
        assert np.allclose(slope, net(u, noise), atol=1e-10) is same


def test_a_std_that_is_not_above_0_is_refused():
    with pytest.raises(ValueError, match="`std` must be above 0; got 0"):
        PreconditionedEnergy(lambda u, s: u, jnp.zeros(2), 0.0)
