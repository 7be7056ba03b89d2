"""Each sampler draws from the distribution that theory gives it, bias included; `run` is a plain
loop."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, Bowl, place
from scipy.stats import norm

from energax.energy import Gaussian
from energax.sampler import (
    AbstractSampler,
    Info,
    Langevin,
    State,
    adapt,
    chains,
    hmc,
    mala,
    nuts,
    preconditioned_langevin,
    run,
    trace,
    underdamped_langevin,
)

CHAINS, STEPS, BURN = 200, 240, 40
STEP = 0.4
BOX = (-0.5, 1.0)


def exact(centre, k):
    """Mean and second moment about the centre of N(centre, 1 / k)."""
    return np.zeros_like(k), 1 / k


def unadjusted(temperature=1.0):
    """T s^2 / (1 - h / (2 s^2)): Langevin's own variance, larger than the target's."""
    return lambda centre, k: (np.zeros_like(k), temperature / k / (1 - STEP * k / 2))


def by_matrix(clip=np.inf, box=(-np.inf, np.inf)):
    """Moments of the stationary distribution of one axis, from its transition matrix on a fine
    grid."""

    def one(centre, k):
        low, high = max(box[0], centre - 11), min(box[1], centre + 11)
        edges = np.linspace(low, high, 251)
        x = np.concatenate([[low], (edges[1:] + edges[:-1]) / 2, [high]])
        mean = x - STEP * np.clip(k * (x - centre), -clip, clip)
        below = norm.cdf(edges, mean[:, None], (2 * STEP) ** 0.5)
        matrix = np.column_stack([below[:, 0], np.diff(below, axis=1), 1 - below[:, -1]])
        distribution = functools.reduce(
            lambda distribution, _: distribution @ matrix, range(200), np.full(len(x), 1 / len(x))
        )
        return distribution @ (x - centre), distribution @ (x - centre) ** 2

    return np.vectorize(one)


DISTRIBUTIONS = {  # name -> (sampler for an example of this shape, its stationary moments)
    "langevin": (lambda shape: Langevin(STEP), unadjusted()),
    "langevin, cold": (
        lambda shape: Langevin(STEP, noise=0.5 * (2 * STEP) ** 0.5),
        unadjusted(0.25),
    ),
    "langevin, clipped": (lambda shape: Langevin(STEP, clip=1.2), by_matrix(clip=1.2)),
    "langevin, in a box": (lambda shape: Langevin(STEP, box=BOX), by_matrix(box=BOX)),
    "mala": (lambda shape: mala(0.3), exact),
    "hmc": (lambda shape: hmc(0.4, 4, jnp.ones(shape)), exact),
    "hmc, with a scale": (
        lambda shape: hmc(0.4, 4, np.linspace(0.8, 1.2, np.prod(shape)).reshape(shape)),
        exact,
    ),
    "nuts": (lambda shape: nuts(0.6, jnp.ones(shape), doublings=4), exact),
    "underdamped": (lambda shape: underdamped_langevin(0.6, 0.8, jnp.ones(shape)), exact),
    "preconditioned": (
        lambda shape: preconditioned_langevin(0.3, np.linspace(0.8, 1.2, np.prod(shape))),
        exact,
    ),
    "preconditioned, dense": (
        lambda shape: preconditioned_langevin(0.3, np.eye(np.prod(shape)) + 0.1),
        exact,
    ),
}


def moments(sampler, shape, key):
    """First and second moment about the centre along each of many chains, after burn-in."""
    at = place(shape)
    energy = Bowl(jnp.asarray(at.centre, float), jnp.asarray(at.precision, float))
    starts = jnp.ones((CHAINS, *shape))
    _, x = chains(sampler, energy, starts, STEPS, key=key, thin=2)
    shift = np.asarray(x[:, BURN // 2 :], np.float64) - at.centre
    both = shift.mean(1), (shift**2).mean(1)
    return np.concatenate([part.reshape(CHAINS, -1) for part in both], 1)


def expected(distribution, shape):
    at = place(shape)
    return np.concatenate([np.ravel(part) for part in distribution(at.centre, at.precision)])


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(
    ("shape", "precision"),
    [
        pytest.param("vector", "float64", marks=pytest.mark.slow),
        ("image", "float32"),
        pytest.param("vector", "float32", marks=pytest.mark.slow),
        pytest.param("image", "float64", marks=pytest.mark.slow),
    ],
    indirect=["precision"],
)
def test_the_stationary_distribution_is_the_one_of_theory(name, shape, precision, key):
    """False alarm 1e-6 for each moment; a variance 15% off is seen."""
    build, distribution = DISTRIBUTIONS[name]
    values, right = (
        moments(build(SHAPES[shape]), SHAPES[shape], key),
        expected(distribution, SHAPES[shape]),
    )
    half = right.size // 2
    assert agrees(values, right)
    assert not agrees(values, np.concatenate([right[:half], 1.15 * right[half:]]))


def test_the_matrix_knows_the_variance_of_plain_langevin():
    """The oracle against a closed form."""
    centre, k = np.array([0.2, -0.4]), np.array([0.8, 1.4])
    assert np.allclose(by_matrix()(centre, k)[1], unadjusted()(centre, k)[1], rtol=1e-3)


class Broken(AbstractSampler):
    """Langevin with one planted fault: the wrong slope, or noise that lacks a factor."""

    slope: float
    noise: float

    def init(self, energy, x, *, key):
        return State(x)

    def step(self, energy, state, *, key):
        value, slope = jax.value_and_grad(energy)(state.x)
        noise = jax.random.normal(key, state.x.shape, state.x.dtype)
        x = state.x - STEP * self.slope * slope + (2 * STEP) ** 0.5 * self.noise * noise
        return State(x), Info(jnp.ones_like(value), value, jnp.zeros_like(value))


class Unmoved(AbstractSampler):
    """A sampler that never leaves."""

    def init(self, energy, x, *, key):
        return State(x)

    def step(self, energy, state, *, key):
        return state, Info(jnp.ones(()), energy(state.x), jnp.zeros(()))


FAULTS = {  # fault -> (sampler, the distribution that it claims)
    "the slope has the wrong sign": (Broken(-1.0, 1.0), unadjusted()),
    "the slope is a tenth too steep": (Broken(1.1, 1.0), unadjusted()),
    "the noise is a twentieth too large": (Broken(1.0, 1.05), unadjusted()),
    "unadjusted is sold as exact": (Langevin(STEP), exact),
    "the temperature is not what was asked": (Langevin(STEP), unadjusted(0.25)),
    "the box is not applied": (Langevin(STEP), by_matrix(box=BOX)),
    "the clip is not applied": (Langevin(STEP), by_matrix(clip=1.2)),
    "the chain does not move": (Unmoved(), exact),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, key):
    """Negative control."""
    sampler, distribution = FAULTS[fault]
    shape = SHAPES["vector"]
    assert not agrees(moments(sampler, shape, key), expected(distribution, shape))


@pytest.mark.parametrize("name", ["mala", "hmc", "nuts", "underdamped", "preconditioned"])
def test_adjusted_samplers_are_exact_on_two_wells(name, key):
    """E(x) = 2 (x^2 - 1)^2 + x / 2, moments by quadrature; a temperature of 1.3 is seen."""

    def well(x):
        return jnp.sum(2 * (x**2 - 1) ** 2 + x / 2)

    def right(temperature):
        x = np.linspace(-3, 3, 2001)
        mass = np.exp(-(2 * (x**2 - 1) ** 2 + x / 2) / temperature)
        return np.array([mass @ x, mass @ x**2]) / mass.sum()

    starts = jnp.linspace(-1.5, 1.5, CHAINS)[:, None]
    _, x = chains(DISTRIBUTIONS[name][0]((1,)), well, starts, 4 * STEPS, key=key, thin=4)
    x = np.asarray(x[:, 60:, 0])
    values = np.stack([x.mean(1), (x**2).mean(1)], 1)
    assert agrees(values, right(1.0))
    assert not agrees(values, right(1.3))


def test_temperature_is_that_of_step_and_noise():
    """A3: T = n^2 / (2 h), which is (n / s)^2 in the letters h = s^2 / 2."""
    assert float(Langevin(0.3).temperature) == pytest.approx(1)
    s, n = 0.8, 0.2
    assert float(Langevin(s**2 / 2, noise=n).temperature) == pytest.approx((n / s) ** 2)
    assert float(Langevin(0.1, noise=0.0).temperature) == 0


def test_langevin_without_noise_is_gradient_descent_and_reports_it(key):
    energy, x = Bowl(jnp.ones(2), jnp.full(2, 1.5)), jnp.asarray([0.0, 3.0])
    sampler = Langevin(0.1, noise=0.0)
    state, info = sampler.step(energy, sampler.init(energy, x, key=key), key=key)
    assert np.allclose(state.x, x - 0.1 * 1.5 * (x - 1))
    assert float(info.energy) == pytest.approx(float(energy(x)))
    assert float(info.grad_norm) == pytest.approx(float(jnp.linalg.norm(1.5 * (x - 1))))
    assert float(info.acceptance) == 1


def test_acceptance_is_a_probability_and_falls_with_the_step(key):
    energy = Gaussian(jnp.zeros(3))

    def rate(step_size):
        _, info = chains(mala(step_size), energy, jnp.zeros((20, 3)), 40, key=key, keep=trace)
        assert bool(jnp.all((info.acceptance >= 0) & (info.acceptance <= 1)))
        return float(info.acceptance.mean())

    assert rate(0.05) > 0.95 > rate(0.5) > rate(1.5)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_plain_python_function_is_an_energy_and_precision_is_kept(name, precision, key):
    def energy(x):
        return jnp.sum(jnp.cosh(x))

    def walk(x):
        return run(
            DISTRIBUTIONS[name][0]((1, 4, 4)), energy, x, 3, key=key, keep=lambda s, i: (s.x, i)
        )

    state, kept = jax.eval_shape(walk, jnp.zeros((1, 4, 4)))
    assert state.x.shape == (1, 4, 4)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves((state.x, kept))} == {precision}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Langevin(0.0), "`step_size` must be above 0; got 0.0"),
        (lambda: Langevin(float("nan")), "`step_size` must be above 0; got nan"),
        (lambda: Langevin(0.1, noise=-1.0), "`noise` must be at least 0; got -1.0"),
        (lambda: Langevin(0.1, clip=0.0), "`clip` must be above 0; got 0.0"),
        (lambda: Langevin(0.1, box=(1.0, 1.0)), r"`box` must be \(low, high\) with low < high"),
        (lambda: mala(-0.1), "`step_size` must be above 0; got -0.1"),
        (lambda: hmc(0.0, 3, jnp.ones(2)), "`step_size` must be above 0; got 0.0"),
        (lambda: hmc(0.1, 0, jnp.ones(2)), "`leaps` must be at least 1; got 0"),
        (lambda: nuts(0.1, jnp.ones(2), doublings=0), "`doublings` must be at least 1; got 0"),
        (
            lambda: underdamped_langevin(0.1, 0.0, jnp.ones(2)),
            "`friction` must be above 0; got 0.0",
        ),
        (
            lambda: preconditioned_langevin(0.1, jnp.ones((2, 3))),
            r"`covariance` must be \(dim,\) or",
        ),
        (
            lambda: adapt(
                underdamped_langevin(0.1, 1.0, jnp.ones(1)),
                jnp.sum,
                jnp.ones(1),
                key=jax.random.key(0),
            ),
            "`sampler` must be one of mala, preconditioned_langevin, hmc and nuts",
        ),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_the_scale_of_hmc_is_a_standard_deviation(key):
    """Without a force a leap moves x by step size x scale x a standard normal number."""
    sampler = hmc(0.3, 1, jnp.array([0.5, 4.0]))

    def flat(x):
        return 0.0 * jnp.sum(x)

    def go(key):
        return sampler.step(flat, sampler.init(flat, jnp.zeros(2), key=key), key=key)[0].x

    ends = jax.jit(jax.vmap(go))(jax.random.split(key, 4000))
    squares = np.asarray(ends) ** 2 / (0.3 * np.array([0.5, 4.0])) ** 2
    assert agrees(squares, 1.0)
    assert not agrees(squares * np.array([0.5, 4.0]), 1.0)  # the scale as a variance
