"""Each toy's distribution is normalised, its own draws and its stored rows follow it, its slope is
right."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees, z_score
from scipy.integrate import quad
from scipy.special import logsumexp

from energax.data import (
    Checkerboard,
    Rings,
    TwoMoons,
    checkerboard,
    eight_gaussians,
    rings,
    two_moons,
)
from energax.energy import draws

TOYS = {  # name -> (data set, half side of a box that holds all but 1e-12 of the mass)
    "two-moons": (two_moons(), 3.5),
    "eight-gaussians": (eight_gaussians(), 6.0),
    "checkerboard": (checkerboard(), 4.0),
    "rings": (rings(), 4.0),
}
SIZE, BINS = 320, 8
at = jax.jit(lambda distribution, x: distribution(x))
slope_at = jax.jit(lambda distribution, x: jax.grad(distribution)(x))


def grid(half, size):
    """Midpoints of a square grid, and the area of a cell."""
    side = 2 * half / size
    axis = jnp.linspace(-half + side / 2, half - side / 2, size)
    return jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2), side**2


@functools.cache
def masses(name):
    """Midpoints of a fine grid, and the probability of each cell by the midpoint rule."""
    data, half = TOYS[name]
    points, area = grid(half, SIZE)
    distribution_at = jax.jit(lambda x: jax.lax.map(data.distribution, x, batch_size=1600))
    return np.asarray(points), np.asarray(
        jnp.exp(-distribution_at(points) - data.distribution.log_z()) * area
    )


@functools.cache
def drawn(name):
    """20,000 draws of the distribution of a toy."""
    return np.asarray(draws(TOYS[name][0].distribution, 20_000, key=jax.random.key(20260101)))


def in_cells(rows, half):
    """One-hot cell of each row."""
    index = np.floor((np.asarray(rows, np.float64) + half) / (2 * half) * BINS).astype(int)
    return np.eye(BINS**2)[np.clip(index, 0, BINS - 1) @ [BINS, 1]]


def follows(rows, name):
    """Chi-square over BINS x BINS cells, as a z-score below 4.9: false alarm about 1e-6."""
    fine = masses(name)[1].reshape(BINS, SIZE // BINS, BINS, SIZE // BINS)
    expected = fine.sum((1, 3)).ravel() * len(rows)
    found, keep = in_cells(rows, TOYS[name][1]).sum(0), expected > 10
    if found[~keep].sum() > 10 + 5 * expected[~keep].sum():
        return False
    chi_square = np.sum((found - expected)[keep] ** 2 / expected[keep])
    freedom = keep.sum() - 1
    return abs(chi_square - freedom) / np.sqrt(2 * freedom) < 4.9


@pytest.mark.parametrize("name", TOYS)
def test_distribution_integrates_to_its_log_z(name):
    assert masses(name)[1].sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", TOYS)
def test_draws_of_the_distribution_and_stored_rows_follow_the_density(name):
    data, _ = TOYS[name]
    assert follows(drawn(name), name)
    assert follows(data.train, name)
    assert follows(data.test, name)


@pytest.mark.parametrize("name", TOYS)
def test_the_chi_square_sees_a_shift_of_a_tenth(name):
    """Negative control."""
    assert not follows(drawn(name) + 0.1, name)


def features(x):
    """First and second moments."""
    return np.column_stack([x, x**2, x[:, 0] * x[:, 1]])


@pytest.mark.parametrize("name", TOYS)
def test_moments_of_draws_agree_with_quadrature(name):
    points, mass = masses(name)
    expected, values = mass @ features(points), features(drawn(name))
    assert agrees(values, expected)
    assert not agrees(values, expected + 0.1)  # negative control


@pytest.mark.parametrize("name", TOYS)
def test_rows_are_fixed_float32_and_inside_the_support(name):
    data, _ = TOYS[name]
    assert (data.name, data.train.dtype, data.test.dtype) == (name, np.float32, np.float32)
    assert (data.train.shape, data.test.shape) == ((8192, 2), (4000, 2))
    rows = jnp.concatenate([data.train, data.test]).astype(float)
    energies = jax.jit(jax.vmap(data.distribution))(rows)
    assert bool(jnp.isfinite(energies).all())


@pytest.mark.parametrize("distribution", [TwoMoons(), Rings(), Checkerboard()])
def test_distribution_keeps_the_precision_of_its_input(distribution):
    x = jnp.asarray([0.9, 0.3])
    single = at(distribution, x.astype(jnp.float32))
    assert single.dtype == jnp.float32
    assert float(single) == pytest.approx(float(at(distribution, x)), rel=1e-5)


def moon_by_quad(x, noise):
    """-log of the density of two moons, by adaptive quadrature over the angle."""

    def exponent(t, side):
        c = np.array([np.cos(t), np.sin(t)]) if side else np.array([1 - np.cos(t), 0.5 - np.sin(t)])
        return -np.sum((x - c) ** 2) / (2 * noise**2)

    fine = np.linspace(0, np.pi, 2001)
    logs = []
    for side in (True, False):
        values = [exponent(t, side) for t in fine]
        peak, where = max(values), fine[int(np.argmax(values))]
        area = quad(
            lambda t, side=side, peak=peak: np.exp(exponent(t, side) - peak),
            *(0, np.pi),
            points=[where],
            epsabs=0,
            epsrel=1e-12,
            limit=400,
        )[0]
        logs.append(peak + np.log(area) - np.log(2 * np.pi) - np.log(2 * np.pi * noise**2))
    return -logsumexp(logs)


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("x", [(0.0, 1.0), (1.0, -0.6), (0.5, 0.25), (2.3, 1.9), (-3.0, -2.0)])
def test_two_moons_density_is_accurate_to_1e_8(x, noise):
    expected = moon_by_quad(np.array(x), noise)
    assert float(at(TwoMoons(noise), jnp.asarray(x))) == pytest.approx(expected, abs=1e-8)


def test_two_moons_test_rows_have_the_entropy_of_the_distribution():
    """Expected log-density by quadrature -1.0076; the stored rows lie near the published -1.021."""
    (data, half), (_, mass) = TOYS["two-moons"], masses("two-moons")
    mass = mass[mass > 0]
    entropy = -np.sum(mass * np.log(mass / (2 * half / SIZE) ** 2))
    assert entropy == pytest.approx(1.0076, abs=1e-4)
    values = -jax.jit(jax.vmap(data.distribution))(jnp.asarray(data.test, jnp.float64))
    assert agrees(values, -entropy)
    assert float(values.mean()) == pytest.approx(-1.02, abs=0.02)
    assert abs(z_score(values, -entropy + 0.1)) > 4.9  # negative control


def test_slope_is_finite_at_the_centre_of_the_rings_and_matches_differences():
    distribution = Rings()
    assert np.allclose(slope_at(distribution, jnp.zeros(2)), 0)
    x, step = jnp.asarray([0.4, -0.9]), 1e-6
    for axis in jnp.eye(2):
        slope = (at(distribution, x + step * axis) - at(distribution, x - step * axis)) / (2 * step)
        assert float(slope_at(distribution, x) @ axis) == pytest.approx(float(slope), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TwoMoons(0.0), "`noise`"),
        (lambda: Rings(()), "`radii`"),
        (lambda: Rings(std=-1.0), "`std`"),
    ],
)
def test_nonsense_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
