"""Langevin dynamics on manifolds: one step by quadrature, and where chains come to."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from scipy.special import i0, i1
from scipy.stats import chi2, norm
from spheres import unit

from energax.energy import Flat, Gaussian, Sphere, Torus, UniformBox, UniformSphere
from energax.sampler import OnManifold, chains

H = 0.02


def first_step(sampler, energy, x, count, key):
    """The states after one step of many chains from one point."""
    starts = jnp.broadcast_to(x, (count, *x.shape))
    return chains(sampler, energy, starts, 1, key=key)[0].x


def shrink(dim, slope, h=H):
    """E <x, x'> from x with radial slope: g along x, q = chi^2 of the rest, by their quantiles."""
    grid = (np.arange(400) + 0.5) / 400
    along = 1 - h * slope + math.sqrt(2 * h) * norm.ppf(grid)[:, None]
    across = 2 * h * chi2.ppf(grid, dim - 1)
    return float(np.mean(along / np.sqrt(along**2 + across)))


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4)])
def test_one_step_shrinks_the_mean_as_a_quadrature_says(shape, precision, key):
    """1 - (D - 1) h to first order; D h in its place, or noise of half the variance, is not it."""
    dim = math.prod(shape)
    x = jnp.asarray(unit(1, dim)[0].reshape(shape), precision)
    found = first_step(OnManifold(Sphere(shape), H), UniformSphere(shape), x, 20_000, key)
    assert found.dtype == precision
    Sphere(shape).check("states", np.asarray(found))
    cosines = np.asarray(found.reshape(len(found), -1) @ x.reshape(-1), float)
    assert agrees(cosines, shrink(dim, 0.0), 2e-4)
    assert not agrees(cosines, shrink(dim, 0.0, H / 2), 2e-4)
    assert shrink(dim, 0.0, 1e-4) == pytest.approx(1 - (dim - 1) * 1e-4, rel=1e-5)
    assert shrink(dim, 0.0, 1e-4) != pytest.approx(1 - dim * 1e-4, rel=5e-5)


def test_the_slope_is_not_made_tangent_before_the_step(key):
    """As in the released code: a radial slope shortens x, and so widens the angle of its noise."""
    x = jnp.asarray(unit(1, 3)[0])
    found = first_step(
        OnManifold(Sphere((3,)), H), lambda y: 10 * jnp.sum(y**2) / 2, x, 20_000, key
    )
    cosines = np.asarray(found @ x)
    assert agrees(cosines, shrink(3, 10.0), 2e-4)
    assert not agrees(cosines, shrink(3, 0.0), 2e-4)


CASES = {  # name -> (manifold, energy, statistic, its exact mean, starts, steps)
    "sphere": (
        lambda: OnManifold(Sphere((1, 3, 1)), H),
        lambda x: -2 * x.reshape(-1)[2],
        lambda x: x.reshape(len(x), -1)[:, 2],
        1 / math.tanh(2) - 1 / 2,
        unit(4000, 3).reshape(-1, 1, 3, 1),
    ),
    "torus": (
        lambda: OnManifold(Torus((2,)), H / (2 * math.pi) ** 2),
        lambda x: -jnp.sum(jnp.cos(2 * math.pi * x)),
        lambda x: np.cos(2 * np.pi * x[:, 0]),
        i1(1) / i0(1),
        np.random.default_rng(1).random((4000, 2)),
    ),
    "flat": (
        lambda: OnManifold(Flat(Gaussian(jnp.zeros(2))), H),
        lambda x: jnp.sum(x**2) / 2,
        lambda x: x[:, 0] ** 2,
        1 / (1 - H / 2),
        np.zeros((4000, 2)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_chains_come_to_the_distribution_on_the_manifold(name, precision, key):
    """False alarm 1e-6, bias of at most 0.01 at this step size; half the energy is noticed."""
    sampler, energy, statistic, right, starts = CASES[name]
    states = {}
    for strength in (1.0, 0.5):

        def scaled(x, strength=strength):
            return strength * energy(x)

        states[strength] = chains(sampler(), scaled, jnp.asarray(starts, precision), 200, key=key)
    x = np.asarray(states[1.0][0].x, float)
    assert agrees(statistic(x), right, 0.01)
    assert not agrees(statistic(np.asarray(states[0.5][0].x, float)), right, 0.01)
    assert name == "flat" or x.min() >= (-1 if name == "sphere" else 0)
    assert name == "flat" or x.max() <= 1


def test_the_torus_drops_whole_turns_and_has_a_distribution_of_its_own():
    x = jnp.array([1.25, -0.25, 3.0, 0.5])
    assert np.allclose(Torus((4,)).project(x), [0.25, 0.75, 0.0, 0.5])
    assert type(Torus((4,)).distribution) is UniformBox
    assert float(Torus((4,)).distribution.log_z()) == 0


def test_a_tangent_part_is_across_the_radius():
    """And nothing is left of a radial one; in flat space and on the torus all is kept."""
    x, v = (jnp.asarray(part.reshape(1, 4, 4)) for part in unit(2, 16))
    along = Sphere((1, 4, 4)).tangent(x, v)
    assert float(jnp.sum(along * x)) == pytest.approx(0, abs=1e-14)
    assert np.allclose(Sphere((1, 4, 4)).tangent(x, 3 * x), 0, atol=1e-14)
    assert not np.allclose(along, v)
    for manifold in (Torus((1, 4, 4)), Flat(Gaussian(jnp.zeros((1, 4, 4))))):
        assert np.array_equal(manifold.tangent(x, v), v)


def test_what_a_step_reports(key):
    """The energy and the tangent slope where it began."""
    x, v = (jnp.asarray(part) for part in unit(2, 3))
    sampler = OnManifold(Sphere((3,)), H)
    state = sampler.init(UniformSphere((3,)), x, key=key)
    _, info = sampler.step(lambda y: jnp.dot(v, y), state, key=key)
    values = [float(leaf) for leaf in jax.tree.leaves(info)]
    cosine = float(jnp.dot(x, v))
    assert values == pytest.approx([1.0, cosine, math.sqrt(1 - cosine**2)])
