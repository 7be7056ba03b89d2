"""Every distribution is normalised and its draws follow it; energies made of energies obey their
algebra."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, Bowl
from scipy.stats import multivariate_normal, norm

from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    Bridge,
    Gaussian,
    GaussianMixture,
    Neural,
    Normalised,
    Sum,
    Tempered,
    Tilt,
    UniformBox,
    fit_mixture,
    log_density,
    score,
)
from energax.energy import draws as uncompiled
from energax.network import MLP

draws = eqx.filter_jit(uncompiled)


def mixture():
    factors = jnp.asarray([[[0.6, 0.0], [0.3, 0.4]], [[0.5, 0.0], [-0.2, 0.7]]])
    return GaussianMixture(jnp.arange(2.0), jnp.asarray([[1.0, -0.5], [-1.0, 0.8]]), factors)


def gaussian():
    return Gaussian(jnp.asarray([0.3, -0.7]), jnp.asarray([0.5, 1.2]))


DISTRIBUTIONS = {  # built inside the test, under the precision of the test
    "gaussian": gaussian,
    "mixture": mixture,
    "box": lambda: UniformBox((2,), -1.6, 0.4),
    "line": lambda: Gaussian(jnp.asarray([0.4]), 0.8),
    "tilted by nothing": lambda: Tilt(mixture(), lambda x: jnp.zeros((), x.dtype)),
}
HALF, CELLS = 8.0, 1600


def grid(dim):
    """Midpoints of a grid on [-8, 8]^dim, and the volume of a cell."""
    count = CELLS if dim == 1 else CELLS // 4
    width = 2 * HALF / count
    axis = -HALF + width * (np.arange(count) + 0.5)
    return np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim), width**dim


def masses(energy, log_z):
    """Midpoints, and the probability of each cell by the midpoint rule."""
    points, volume = grid(energy.shape[0])
    return points, np.exp(-np.asarray(jax.jit(jax.vmap(energy))(points)) - float(log_z)) * volume


def log_z_of(energy):
    """By quadrature."""
    return np.log(masses(energy, 0.0)[1].sum())


EXACT = [name for name in DISTRIBUTIONS if name != "tilted by nothing"]


@pytest.mark.parametrize("name", EXACT)
def test_a_distribution_integrates_to_its_log_z(name):
    distribution = DISTRIBUTIONS[name]()
    assert log_z_of(distribution) == pytest.approx(float(distribution.log_z()), abs=1e-9)


@pytest.mark.parametrize("name", EXACT)
def test_draws_have_the_moments_of_the_density(name, precision, key):
    distribution = DISTRIBUTIONS[name]()
    rows = draws(distribution, 20_000, key=key)
    assert rows.dtype == precision
    points, mass = masses(distribution, distribution.log_z())

    def moments(x):
        x = np.asarray(x, np.float64)
        return np.column_stack([x, x**2, x[:, :1] * x])

    right = mass @ moments(points)
    assert agrees(moments(rows), right)
    assert not agrees(moments(rows + 0.05), right)
    assert not agrees(moments(1.05 * rows), right)


@pytest.mark.parametrize("shape", SHAPES)
def test_draws_of_a_gaussian_have_its_moments_on_each_axis(shape, key):
    ramp = np.linspace(0, 1, np.prod(SHAPES[shape])).reshape(SHAPES[shape])
    rows = np.asarray(draws(Gaussian(jnp.asarray(ramp), 0.5 + ramp), 4000, key=key))
    assert agrees(rows, ramp)
    assert agrees((rows - ramp) ** 2, (0.5 + ramp) ** 2)
    assert not agrees((rows - ramp) ** 2, 1.2 * (0.5 + ramp) ** 2)


def test_log_density_is_that_of_scipy():
    x = jnp.asarray([0.3, -1.1])
    distribution = gaussian()
    assert float(log_density(distribution, x)) == pytest.approx(
        norm.logpdf(x, distribution.mean, distribution.std).sum(), rel=1e-12
    )
    shares, distribution = np.array([1, np.e]) / (1 + np.e), mixture()
    weighed = [
        np.log(share) + multivariate_normal.logpdf(x, mean, factor @ factor.T)
        for share, mean, factor in zip(
            shares, distribution.means, distribution.factors, strict=True
        )
    ]
    assert float(log_density(mixture(), x)) == pytest.approx(np.logaddexp(*weighed), rel=1e-12)
    assert float(log_density(UniformBox((2,), -1.6, 0.4), x)) == pytest.approx(-2 * np.log(2))
    assert float(log_density(UniformBox((2,)), x)) == -np.inf


def test_a_full_covariance_is_for_images_too(key):
    shape = (1, 4, 4)
    noise = np.random.default_rng(3).normal(size=(16, 16))
    covariance = noise @ noise.T / 16 + np.eye(16)
    mean = np.linspace(-1, 1, 16)
    factor = np.linalg.cholesky(covariance)
    distribution = GaussianMixture(np.zeros(1), mean.reshape(1, *shape), factor[None])
    rows = np.asarray(draws(distribution, 3000, key=key))
    assert rows.shape == (3000, *shape)
    flat = rows.reshape(3000, 16) - mean
    assert agrees(flat[:, :, None] * flat[:, None, :], covariance)
    assert not agrees(flat[:, :, None] * flat[:, None, :], factor)
    assert np.allclose(
        jax.vmap(lambda x: log_density(distribution, x))(rows[:5]),
        multivariate_normal.logpdf(rows[:5].reshape(5, 16), mean, covariance),
    )


def test_low_energy_is_likely_and_the_score_climbs():
    """The sign, pinned once: p = exp(-E) / Z."""
    distribution, x = Gaussian(jnp.asarray([1.0, 2.0]), 0.5), jnp.asarray([3.0, 1.0])
    assert np.allclose(score(distribution, x), (distribution.mean - x) / 0.25)
    assert float(distribution(distribution.mean)) < float(distribution(x))
    assert float(log_density(distribution, distribution.mean)) > float(log_density(distribution, x))
    assert np.allclose(score(lambda y: jnp.sum(y**2) / 2, x), -x)


def bump(x):
    return jnp.sum(jnp.cos(x)) / 2


X = np.array([0.3, -1.1])


def test_tilt_is_the_normalised_base_times_the_exponential():
    distribution = gaussian()
    tilt, x = Tilt(distribution, bump), jnp.asarray(X)
    assert float(tilt(x)) == pytest.approx(float(-log_density(distribution, x) + bump(x)))
    assert tilt.distribution is distribution
    assert tilt.shape == (2,)
    leaned = Tilt(distribution, lambda x: jnp.sum(x) / 2)
    right = float(jnp.sum(distribution.std**2 / 8 - distribution.mean / 2))
    assert log_z_of(leaned) == pytest.approx(right, abs=1e-6)
    assert log_z_of(DISTRIBUTIONS["tilted by nothing"]()) == pytest.approx(0, abs=1e-9)


def test_sum_temperature_bridge_and_constant_obey_their_formulas():
    first, second = gaussian(), mixture()
    x = jnp.asarray(X)
    a, b = float(first(x)), float(second(x))
    assert float(Sum(first, second, first)(x)) == pytest.approx(2 * a + b)
    assert float(Tempered(first, 4.0)(x)) == pytest.approx(a / 4)
    assert float(Normalised(first, 1.5)(x)) == pytest.approx(a + 1.5)
    for time, value in {0.0: a, 1.0: b, 0.25: 0.75 * a + 0.25 * b}.items():
        assert float(Bridge(first, second, time)(x)) == pytest.approx(value)
    assert np.allclose(
        jax.vmap(lambda t: Bridge(first, second, t)(x))(jnp.asarray([0.0, 1.0])), [a, b]
    )


def test_a_product_of_gaussians_is_the_gaussian_of_summed_precisions():
    one, two = Gaussian(jnp.asarray([1.0]), 0.5), Gaussian(jnp.asarray([-1.0]), 1.0)
    points, mass = masses(Sum(one, two), log_z_of(Sum(one, two)))
    assert mass @ points == pytest.approx([(4 * 1 + 1 * -1) / 5])
    assert mass @ (points[:, 0] - 0.6) ** 2 == pytest.approx(1 / 5)


def test_temperature_multiplies_the_variance_of_a_gaussian():
    hot = Tempered(Gaussian(jnp.asarray([0.0]), 0.5), 3.0)
    points, mass = masses(hot, log_z_of(hot))
    assert mass @ points[:, 0] ** 2 == pytest.approx(0.25 * 3)


ENERGIES = DISTRIBUTIONS | {
    "sum": lambda: Sum(mixture(), mixture()),
    "tempered": lambda: Tempered(mixture(), 2.0),
    "bridge": lambda: Bridge(gaussian(), mixture(), 0.3),
    "normalised": lambda: Normalised(mixture(), 1.0),
    "neural": lambda: Neural(MLP((2,), 4, 1, key=jax.random.key(0)), (2,)),
    "bowl": lambda: Bowl(jnp.zeros(2), jnp.ones(2)),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_value_and_score_keep_the_precision(name, precision):
    energy = ENERGIES[name]()
    value = jax.eval_shape(energy, jnp.zeros(energy.shape))
    slope = jax.eval_shape(lambda x: score(energy, x), jnp.zeros(energy.shape))
    assert (value.shape, str(value.dtype)) == ((), precision)
    assert (slope.shape, str(slope.dtype)) == (energy.shape, precision)


@pytest.mark.parametrize("name", ["box", "bridge", "tempered", "normalised"])
def test_a_number_given_in_python_does_not_raise_the_precision_of_the_rest(name):
    """float32 examples in a session that has float64 on."""
    energy = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if leaf.ndim else leaf, ENERGIES[name]()
    )
    assert jax.eval_shape(energy, jnp.zeros(2, jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize("abstract", [AbstractEnergy, AbstractDistribution])
def test_a_contract_cannot_be_made(abstract):
    with pytest.raises(TypeError, match=r"abstract|instantiate"):
        abstract()


PAIR = (Gaussian(jnp.zeros(2, jnp.float64)), Gaussian(jnp.zeros(3, jnp.float64)))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Gaussian(jnp.zeros(2), 0.0), "`std` must be above 0 everywhere; got 0.0"),
        (lambda: Gaussian(jnp.zeros(2), np.array([1.0, -1.0])), "`std` must be above 0 everywhere"),
        (lambda: Gaussian(jnp.zeros(2), float("nan")), "`std` must be above 0 everywhere; got nan"),
        (lambda: UniformBox((2,), 1.0, 1.0), "`low` must be below `high`; got 1.0 and 1.0"),
        (
            lambda: GaussianMixture(np.zeros(1), jnp.zeros((1, 2)), jnp.ones((2, 2, 2))),
            r"`factors` must have shape \(1, 2, 2\)",
        ),
        (
            lambda: GaussianMixture(np.zeros(1), jnp.zeros((1, 2)), jnp.zeros((1, 2, 2))),
            "lower triangular with a positive diagonal",
        ),
        (
            lambda: GaussianMixture(np.zeros(1), jnp.zeros((1, 2)), jnp.ones((1, 2, 2))),
            "lower triangular with a positive diagonal",
        ),
        (
            lambda: GaussianMixture(np.zeros(3), jnp.zeros((1, 2)), jnp.eye(2)[None]),
            r"`log_weights` must have shape \(1,\)",
        ),
        (lambda: Tempered(PAIR[0], 0.0), "`temperature` must be above 0; got 0.0"),
        (lambda: Sum(), "`terms` must be at least one energy"),
        (lambda: Sum(*PAIR), r"all of one shape; got shapes \[\(2,\), \(3,\)\]"),
        (lambda: Bridge(*PAIR, 0.5), r"Shapes must agree; got \(2,\) and \(3,\)"),
        (lambda: fit_mixture(np.zeros((3, 2)), 4), "4 components cannot be fitted to 3 rows"),
        (lambda: fit_mixture(np.zeros((1, 2))), "1 components cannot be fitted to 1 rows"),
    ],
)
def test_bad_arguments_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
