"""Annealed importance sampling against distributions whose log Z is exact, from both ends."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from blackjax.mcmc.metrics import gaussian_euclidean
from jaxtyping import Array, Float

from energax.energy import (
    Gaussian,
    GaussianMixture,
    Normalised,
    Sum,
    Tilt,
    draws,
)
from energax.evaluate import annealed_log_z
from energax.evaluate.ends import Annealing
from energax.evaluate.hamilton import HamiltonianKernel, make_kernel
from energax.evaluate.log_z import LEAST
from energax.evaluate.path import AbstractPath, LinearPath, TiltPath, make_path
from energax.evaluate.schedule import Schedule, effective_size, pilot, resample

SIZE = 256


def mixture(dim, components):
    rng = np.random.default_rng(dim)
    factors = rng.uniform(0.8, 1.1, components)[:, None, None] * np.eye(dim)
    means = 0.5 * rng.normal(size=(components, dim))
    return GaussianMixture(np.arange(components) / 3, means, factors)


class Scaled(AbstractPath):
    """A path that lies about one thing: the factor of its gap, or the time it moves at."""

    base: Gaussian
    true: LinearPath
    sign: Float[Array, ""]
    speed: Float[Array, ""]

    def at(self, time):
        return self.true.at(self.speed * time)

    def gap(self, x):
        return self.sign * self.true.gap(x)


def plane():
    """The base and the target of most tests, of the same types and shapes: compiled once."""
    return Gaussian(jnp.zeros(2), 2.0), mixture(2, 2)


def ratios(path, log_z, *, key):
    """Weights of both directions over their exact mean: independent, with mean 1."""
    schedule = Schedule(np.linspace(0, 1, 13), np.full(13, 0.7))
    target = plane()[1]
    first, second, go, back = jax.random.split(key, 4)
    start, end = draws(path.base, SIZE, key=first), draws(target, SIZE, key=second)
    annealing = Annealing(path, make_kernel(path, start, 5, 2), schedule)
    _, gone = annealing.forward(start, key=go)
    _, alone = annealing.reverse(end, np.arange(SIZE), key=back)
    truth = float(log_z - path.base.log_z())
    return np.exp(np.asarray(gone.log_weight) - truth), np.exp(float(log_z) - alone)


def test_weights_average_to_the_ratio_of_constants_both_ways(key, precision):
    base, target = plane()
    there, back = ratios(LinearPath(base, target), target.log_z(), key=key)
    assert agrees(there, 1.0)
    assert agrees(back, 1.0)
    assert max(np.std(there), np.std(back)) < 1.0  # the smallest fault seen: 0.31 in Z


FAULTS = {  # name -> (sign of the gap, speed of the moves, error in log Z of the base)
    "wrong sign of the weight": (-1.0, 1.0, 0.0),
    "base without its log Z": (1.0, 1.0, 1.0),
    "moves that stay at the base": (1.0, 0.0, 0.0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault, key):
    sign, speed, missing = FAULTS[fault]
    base, target = plane()
    path = Scaled(base, LinearPath(base, target), jnp.asarray(sign), jnp.asarray(speed))
    there, back = ratios(path, target.log_z() + missing * base.log_z(), key=key)
    assert not (agrees(there, 1.0) and agrees(back, 1.0))


def test_intervals_cover_and_are_certified(key):
    """Over 8 runs a 95% interval may fail; a hull of two ends hardly ever does."""
    base, target = plane()
    rows = draws(target, SIZE, key=key)
    found = [
        annealed_log_z(target, base, rows, particles=SIZE, settle=16, key=k)
        for k in jax.random.split(key, 8)
    ]
    assert sum(f.lower <= 0 <= f.upper for f in found) >= 7
    assert sum(f.certified for f in found) >= 7
    assert all(f.upper - f.lower < 0.6 for f in found)


def test_32_axes_are_certified_within_a_third_of_a_nat_in_float32(key):
    with jax.enable_x64(False):
        base, target = Gaussian(jnp.zeros(32), 1.1), mixture(32, 3)
        rows = draws(target, 4 * SIZE, key=key)
        found = annealed_log_z(target, base, rows, particles=SIZE, limit=128, settle=48, key=key)
    assert found.certified, found.why
    assert found.lower <= 0 <= found.upper
    assert abs(found.value) < 0.3


def narrow(centre, std):
    return GaussianMixture(np.zeros(2), np.full((2, 2), centre), std * np.stack([np.eye(2)] * 2))


def test_a_base_too_far_away_is_refused(key):
    base, far = plane()[0], narrow(40.0, 0.01)
    rows = draws(far, SIZE, key=key)
    found = annealed_log_z(far, base, rows, particles=SIZE, limit=4, settle=16, key=key)
    assert not found.certified
    assert "Effective sample size" in found.why


def test_an_energy_without_numbers_is_refused(key):
    base, rows = plane()[0], np.zeros((1, 2))
    broken = narrow(np.nan, 1.0)
    found = annealed_log_z(broken, base, rows, particles=SIZE, limit=4, settle=16, key=key)
    assert not found.certified
    assert "not finite" in found.why


def test_frozen_chains_are_seen(key):
    """Steps too small to move leave plain importance sampling, whose size has collapsed."""
    base, target = plane()[0], narrow(0.0, 0.02)
    path, start = make_path(base, target), draws(base, SIZE, key=key)
    kernel = make_kernel(path, start, 5, 2)
    good = pilot(path, kernel, start, 100, key=key).refine(16)
    frozen = dataclasses.replace(good, steps=np.full(len(good.times), 1e-9))
    sizes = [
        float(Annealing(path, kernel, schedule).forward(start, key=key)[0].size)
        for schedule in (good, frozen)
    ]
    assert sizes[1] < LEAST < sizes[0]


def test_paths_agree_on_what_a_tilt_is(key):
    base = mixture(2, 3)
    tilt = Normalised(Tilt(base, lambda x: jnp.sum(jnp.sin(x))), 0.7)
    short, long = make_path(base, tilt), LinearPath(base, tilt)
    assert isinstance(short, TiltPath)
    assert isinstance(
        make_path(mixture(2, 3), tilt), LinearPath
    )  # another distribution, though equal
    assert isinstance(make_path(base, Sum(tilt)), LinearPath)
    x, time = jnp.array([0.3, -1.2]), jnp.asarray(0.4)
    assert np.isclose(float(short.gap(x)), float(long.gap(x)))
    assert np.isclose(float(short.at(time)(x)), float(long.at(time)(x)))


def test_moves_leave_their_distribution_as_it_is(key):
    """From exact draws, moments stay: the kernel with jumps and Hamiltonian steps, at t = 1."""
    target = mixture(2, 2)
    path = LinearPath(Gaussian(jnp.zeros(2), 2.0), target)
    first, second = jax.random.split(key)
    x = draws(target, 4096, key=first)
    kernel = make_kernel(path, draws(path.base, 512, key=second), 5, 2)
    one = jnp.ones((), x.dtype)

    @eqx.filter_jit
    def moved(time, key):
        def body(index, x):
            usual = jnp.asarray(True), 0.8 * one
            return kernel(path, time, 0.6 * one, x, *usual, key=jax.random.fold_in(key, index))[0].x

        return jax.lax.fori_loop(0, 6, body, x)

    share = np.exp(np.asarray(target.log_weights, np.float64))
    means, factors = (np.asarray(a, np.float64) for a in (target.means, target.factors))
    mean = share @ means
    square = share @ (means**2 + np.einsum("kij,kij->ki", factors, factors))
    still, elsewhere = (np.asarray(moved(time, second), np.float64) for time in (one, 0.7 * one))
    assert agrees(still, mean)
    assert agrees(still**2, square)
    # Negative control: moves at another time lead to another distribution.
    assert not agrees(elsewhere**2, square)


def test_schedules_refine_reverse_and_stop_at_the_limit(key):
    rough = Schedule(np.array([0, 0.1, 0.5, 1.0]), np.array([1.0, 0.8, 0.6, 0.5]))
    fine = rough.refine(4)
    assert np.allclose(fine.times[::4], rough.times)
    assert np.allclose(fine.steps[::4], rough.steps)
    for made, total in ((fine.forward(jnp.dtype(float)), 1), (fine.reverse(jnp.dtype(float)), -1)):
        assert np.isclose(float(made.first + jnp.sum(made.shifts)), total)
        assert int(made.count) == 11
    base, target = Gaussian(jnp.zeros(2)), Gaussian(jnp.full(2, 9.0), 0.1)
    path = make_path(base, target)
    x = draws(base, 64, key=key)
    found = pilot(path, make_kernel(path, x, 2, 1), x, 5, key=key)
    assert len(found.times) <= 6
    assert found.times[0] == 0
    assert found.times[-1] == 1
    assert np.all(np.diff(found.times) > 0)


def test_resampling_is_in_proportion(key):
    log_weight = np.log(np.array([0.1, 0.2, 0.7, 1e-9]))
    found = np.bincount(resample(np.tile(log_weight, 25), key=key) % 4, minlength=4)
    assert np.all(np.abs(found - [10, 20, 70, 0]) <= 25)
    assert found[3] == 0
    assert np.isclose(effective_size(np.zeros(7)), 7)
    assert np.isclose(effective_size(np.array([0.0, -np.inf])), 1)


def test_the_reverse_run_starts_from_resampled_particles(key):
    """Where moves cannot balance two modes, only resampling can: half of the particles come to the
    mode that holds 10%, and would put the reverse end a nat too low."""
    means, factors = np.array([[-4.0, 0.0], [4.0, 0.0]]), 0.03 * np.stack([np.eye(2)] * 2)
    target = GaussianMixture(np.log([0.9, 0.1]), means, factors)
    base, rows = Gaussian(jnp.zeros(2), 4.0), draws(target, SIZE, key=key)
    found = annealed_log_z(target, base, rows, particles=512, settle=16, key=key)
    assert found.certified, found.why
    assert abs(float(found.reverse.value)) < 0.5


BAD = {
    "`particles` must be at least 2": {"particles": 1},
    "`limit` must be at least 2": {"limit": 0},
    "`settle` must be at least 8": {"settle": 7},
    "`leaps` and `tries` must be at least 1": {"leaps": 0},
    r"`rows` must be one or more rows of shape \(2,\)": {"rows": np.zeros((4, 3))},
    "got shape \\(0, 2\\)": {"rows": np.zeros((0, 2))},
}


@pytest.mark.parametrize("message", BAD)
def test_nonsense_is_refused(message, key):
    normal = Gaussian(jnp.zeros(2))
    with pytest.raises(ValueError, match=message):
        annealed_log_z(normal, normal, **{"rows": np.zeros((4, 2))} | BAD[message], key=key)


def test_shapes_must_agree(key):
    with pytest.raises(ValueError, match="must have one shape"):
        annealed_log_z(Gaussian(jnp.zeros(2)), Gaussian(jnp.zeros(3)), np.zeros((4, 2)), key=key)


def test_the_kinetic_energy_of_an_endless_trajectory_is_infinite():
    """As p'M^-1 p it can overflow to minus infinity in float32, and the proposal is accepted."""
    rng = np.random.default_rng(0)
    momenta = rng.choice([-1, 1], (1000, 2)) * 10 ** rng.uniform(20, 30, (1000, 2))
    with jax.enable_x64(False):
        kernel = HamiltonianKernel(jnp.array([[1.0, 0.3], [0.3, 1.2]], jnp.float32), 5, 1)
        ours, plain = kernel.metric(), gaussian_euclidean(kernel.inverse_mass)
        found, control = (
            jax.jit(jax.vmap(m.kinetic_energy))(jnp.asarray(momenta, jnp.float32))
            for m in (ours, plain)
        )
        assert bool(jnp.all(found > 1e38))
        assert not bool(jnp.all(control > 1e38))
        small = jnp.array([0.3, -0.7], jnp.float32)
        assert np.isclose(float(ours.kinetic_energy(small)), float(plain.kinetic_energy(small)))
