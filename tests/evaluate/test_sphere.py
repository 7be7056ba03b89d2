"""How far a model on the sphere is from a known distribution: closed forms, quadratures and draws
agree."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from spheres import BIMODAL, OneNeuron, unit

from energax.data import TwoNeurons, two_neurons
from energax.energy import Sphere, Tilt, UniformSphere, draws
from energax.evaluate import alignment, fisher_divergence, kl_by_draws, kl_on_sphere, sphere_grid
from energax.network import Relu, Shallow, flatten

SHAPES = [(3,), (1, 4, 4)]


def test_the_divergence_of_one_neuron_in_closed_form():
    """KL both ways between the uniform distribution and one neuron, by the grid and by draws."""
    b = 3.0
    distribution, flat = OneNeuron(jnp.asarray(unit(1, 3)[0]), b), UniformSphere((3,))
    log_mass = math.log(distribution.mean_mass())
    for base, energy, right in (
        (distribution, flat, distribution.mean_pull() - log_mass),
        (flat, distribution, log_mass - b / 4),
    ):
        found = kl_on_sphere(base, energy)
        assert float(found.value) == pytest.approx(right, abs=1e-4)
        assert abs(float(found.value) - right) < 3 * float(found.error) + 1e-6
        assert abs(float(found.value) - right - b / 4) > 0.01
    found = kl_by_draws(flat, distribution, jnp.asarray(unit(20_000, 3)))
    assert abs(float(found.value) - (log_mass - b / 4)) < 5 * float(found.error)
    assert float(found.error) < 0.01
    right = distribution.mean_pull() - log_mass
    back = kl_by_draws(distribution, flat, draws(distribution, 20_000, key=jax.random.key(0)))
    assert abs(float(back.value) - right) < 5 * float(back.error)
    wrong = kl_by_draws(distribution, flat, jnp.asarray(unit(20_000, 3)))
    assert abs(float(wrong.value) - right) > 5 * float(wrong.error), (
        "these are no draws of the distribution"
    )
    # Var of the mass over its mean squared, in closed form: what the second mean is worth.
    twice = OneNeuron(distribution.direction, 2 * b)
    worth = 20_000 * distribution.mean_mass() ** 2 / twice.mean_mass()
    assert float(found.size) == pytest.approx(worth, rel=0.05)


def test_both_ways_to_a_divergence_agree_for_two_neurons(key, precision):
    """Within 5 of its errors (1e-6); constants in either energy change nothing."""
    distribution, other = TwoNeurons(BIMODAL), TwoNeurons(BIMODAL[::-1] + 0.3, 3.0)
    x = jnp.asarray(two_neurons(distribution, train=20_000, test=1000).train, precision)
    exact = kl_on_sphere(distribution, other)
    found = kl_by_draws(distribution, lambda y: other(y) + 7.0, x)
    assert abs(float(found.value - exact.value)) < 5 * float(found.error)
    assert 0 < float(found.error) < 0.05 * float(exact.value)
    back = kl_on_sphere(other, distribution)
    assert abs(float(found.value - back.value)) > 10 * float(found.error)
    assert float(kl_on_sphere(distribution, distribution).value) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_fisher_divergence_of_a_linear_energy_in_closed_form(shape, precision, key):
    """E = -b <z, x> from uniform: b^2 (1 - 1 / D) / 2; without the tangent part b^2 / 2."""
    b, dim = 1.5, math.prod(shape)
    z = jnp.asarray(unit(1, dim)[0].reshape(shape))
    x = draws(UniformSphere(shape), 20_000, key=key)

    def energy(x):
        return -b * jnp.sum(z.astype(x.dtype) * x)

    found = fisher_divergence(Sphere(shape), UniformSphere(shape), energy, x)
    assert abs(float(found.value) - b**2 * (1 - 1 / dim) / 2) < 5 * float(found.error)
    assert abs(float(found.value) - b**2 / 2) > 20 * float(found.error)
    assert float(found.size) == 20_000


def test_the_fisher_divergence_between_two_neurons_is_that_of_a_quadrature():
    """The distribution's own slope enters: by the nodes of a grid, formulas by hand."""
    distribution, z = TwoNeurons(BIMODAL), unit(4, 3)
    nodes, log_shares = (np.asarray(part) for part in sphere_grid(120))
    teacher = np.asarray(distribution.directions)
    slope = 5 * (nodes @ teacher.T > 0) @ teacher - (nodes @ z.T > 0) @ z / 4 * 2.0
    slope -= np.sum(slope * nodes, axis=1, keepdims=True) * nodes
    mass = np.exp(log_shares + 5 * np.maximum(nodes @ teacher.T, 0).sum(axis=1))
    right = mass @ np.sum(slope**2, axis=1) / mass.sum() / 2
    network = Shallow(jnp.asarray(z), jnp.full(4, 2.0), jnp.full(4, -1), Relu(), flatten)
    x = jnp.asarray(two_neurons(distribution, train=20_000, test=10).train, float)
    found = fisher_divergence(Sphere((3,)), distribution, Tilt(UniformSphere((3,)), network), x)
    assert abs(float(found.value) - right) < 5 * float(found.error) + 1e-3 * right
    assert abs(float(found.value) - 2 * right) > 20 * float(found.error)


def test_alignment_of_known_neurons():
    """Cosines 0.8 and 1 with the two teachers; a quarter of the weight is near one."""
    teachers = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    z = jnp.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])
    network = Shallow(z, jnp.array([5.0, 2.0, 1.0]), jnp.array([1, -1, 1]), Relu(), flatten)
    cosines, share = alignment(network, teachers)
    np.testing.assert_allclose(cosines, [0.8, 1.0], rtol=1e-12)
    assert float(share) == pytest.approx(2 / 8)
    assert float(alignment(network, teachers, 0.79)[1]) == pytest.approx(7 / 8)
