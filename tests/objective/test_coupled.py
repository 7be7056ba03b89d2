"""Pairs of chains that meet: expectations without bias, from chains far too short to be right."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, place
from mean_gradients import contrast, gaussian
from scipy.stats import norm
from tests.objective.test_objective import gradients

from energax.energy import AbstractDistribution, Gaussian, GaussianMixture, draws
from energax.objective import CoupledLikelihood
from energax.sampler import CoupledLangevin, run_coupled
from energax.sampler.coupled import Pair, reflect

PAIRS, BURN, LAST, LIMIT = 4000, 1, 4, 45


class Case(NamedTuple):
    """A distribution to draw from, its first two moments, and chains that start elsewhere."""

    distribution: AbstractDistribution
    first: np.ndarray
    second: np.ndarray
    kernel: CoupledLangevin


def bell(shape, step_size, jump):
    """A Gaussian that differs on each axis; chains start too far to the right, and too narrow."""
    at = place(shape)
    variance = 1 / at.precision
    distribution = gaussian(at.centre, variance)
    kernel = CoupledLangevin(gaussian(np.full(shape, 1.0), 0.25), step_size, jump)
    return Case(distribution, at.centre, at.centre**2 + variance, kernel)


def two(shares, spread):
    means = np.array([[-2.0], [2.0]])
    return GaussianMixture(np.log(shares), means, np.tile(spread * np.eye(1), (2, 1, 1)))


CASES = {
    "vector": lambda: bell(SHAPES["vector"], 0.6, 0.3),
    "vector without jumps": lambda: bell(SHAPES["vector"], 0.6, 0.0),
    "image": lambda: bell(SHAPES["image"], 0.3, 0.0),
    "two modes": lambda: Case(
        two([0.75, 0.25], 0.5),
        np.array([-1.0]),
        np.array([4.25]),
        CoupledLangevin(two([0.4, 0.6], 0.8), 0.3, 0.5),
    ),
}


@eqx.filter_jit
def walked(case, key, limit=LIMIT):
    """Points of each pair, their weights, and how the pairs met."""
    keys = jax.random.split(key, PAIRS)
    return jax.vmap(
        lambda k: run_coupled(case.kernel, case.distribution, BURN, LAST, limit, key=k)
    )(keys)


def moments(points, weight):
    """The signed sums of x and of x^2, for each pair."""
    points, weight = np.asarray(points, np.float64), np.asarray(weight, np.float64)
    sums = [np.einsum("np,np...->n...", weight, part) for part in (points, points**2)]
    return np.concatenate([part.reshape(len(part), -1) for part in sums], axis=1)


def truth(case):
    return np.concatenate([case.first.ravel(), case.second.ravel()])


def plain(weight):
    """The weights of the short chain alone: its mean from `BURN` to `LAST`."""
    alone = np.zeros(weight.shape)
    alone[:, : LAST - BURN + 1] = 1 / (LAST - BURN + 1)
    return alone


@pytest.mark.parametrize("name", CASES)
def test_signed_sums_have_the_moments_of_the_distribution(name, key):
    """Negative controls: the short chain alone, and corrections of the wrong sign, are biased."""
    case = CASES[name]()
    signed, meeting = walked(case, key)
    assert bool(jnp.all(meeting.met))
    assert int(jnp.max(meeting.time)) <= LIMIT + 1
    np.testing.assert_allclose(jnp.sum(signed.weight, axis=1), 1, atol=1e-12)
    weight = np.asarray(signed.weight)
    assert agrees(moments(signed.x, weight), truth(case))
    assert not agrees(moments(signed.x, plain(weight)), truth(case))
    assert not agrees(moments(signed.x, 2 * plain(weight) - weight), truth(case))


@pytest.mark.parametrize("precision", ["float32"], indirect=True)
def test_pairs_in_single_precision_are_right_too(precision, key):
    case = CASES["two modes"]()
    case = jax.tree.map(lambda a: a.astype(precision) if eqx.is_inexact_array(a) else a, case)
    signed, _ = walked(case, key)
    assert signed.x.dtype == signed.weight.dtype == precision
    assert agrees(moments(signed.x, signed.weight), truth(case))


def test_pairs_cut_off_before_they_meet_are_biased_and_say_so(key):
    """The limit is a choice between bias and time; the share that it cuts off is reported."""
    case = CASES["two modes"]()
    signed, meeting = walked(case, key, LAST)
    assert float(jnp.mean(meeting.met)) < 0.9
    assert np.all(np.asarray(meeting.time)[~np.asarray(meeting.met)] == LAST + 1)
    assert not agrees(moments(signed.x, signed.weight), truth(case))


def unturned(first, second, width, *, key):
    """A planted fault: the second draw keeps the noise of the first instead of its mirror image."""
    draw, coin = jax.random.split(key)
    noise = jax.random.normal(draw, first.shape, first.dtype)
    gap = (first - second) / width
    reach = -(jnp.sum(gap * noise) + jnp.sum(gap**2) / 2)
    same = jnp.log(jax.random.uniform(coin, (), first.dtype)) < reach
    x = first + width * noise
    return x, jnp.where(same, x, second + width * noise)


def parted(coupling, distance, key):
    """Many draws of N(0, I) and N(distance on one axis, I) in units of the width, and the means."""
    width, first = jnp.asarray(0.7), jnp.asarray([0.2, -0.1, 0.4])
    second = first + jnp.asarray([0.0, 0.7 * distance, 0.0])
    keys = jax.random.split(key, 20000)
    pairs = jax.vmap(lambda k: coupling(first, second, width, key=k))(keys)
    return *(np.asarray(part) for part in pairs), np.asarray(first), np.asarray(second)


def is_distribution(found, mean):
    return agrees(found, mean) and agrees((found - mean) ** 2, np.full(3, 0.49))


@pytest.mark.parametrize("distance", [0.3, 2.0, 6.0])
def test_mirrored_draws_are_equal_as_often_as_their_distributions_overlap(distance, key):
    """P(equal) = 2 Phi(-distance / 2), the most there can be; each draw keeps its own
    distribution."""
    x, y, first, second = parted(reflect, distance, key)
    assert agrees(np.all(x == y, axis=1), 2 * norm.cdf(-distance / 2))
    assert is_distribution(x, first)
    assert is_distribution(y, second)


def test_draws_from_one_distribution_are_equal_in_every_bit(key):
    x, y, _, _ = parted(reflect, 0.0, key)
    assert np.array_equal(x, y)


def test_draws_that_are_not_mirrored_are_seen(key):
    """Negative control."""
    x, y, first, second = parted(unturned, 2.0, key)
    assert is_distribution(x, first)
    assert not is_distribution(y, second)


def after(case, steps, key):
    """Moments of both chains, each started at draws of the distribution itself."""
    kernel, begin = case.kernel, jax.random.split(key, 2 * PAIRS)

    def one(born, key):
        places = (kernel.at(case.distribution, x) for x in draws(case.distribution, 2, key=born))
        pair = Pair(*places, jnp.zeros((), bool))

        def body(pair, now):
            return kernel.step(case.distribution, pair, key=now)[0], None

        return jax.lax.scan(body, pair, jax.random.split(key, steps))[0]

    pair = eqx.filter_jit(jax.vmap(one))(begin[:PAIRS], begin[PAIRS:])
    ones = np.ones((PAIRS, 1))
    return [moments(place.x[:, None], ones) for place in (pair.ahead, pair.behind)]


@pytest.mark.parametrize("name", CASES)
def test_each_chain_alone_leaves_the_distribution_as_it_is(name, key):
    case = CASES[name]()
    for found in after(case, 3, key):
        assert agrees(found, truth(case))


def test_a_jump_whose_own_distribution_is_forgotten_is_seen(key):
    """Negative control: jumps as if `distribution` were flat."""

    class Forgetful(AbstractDistribution):
        distribution: AbstractDistribution
        shape: tuple = eqx.field(static=True)

        def __call__(self, x):
            return jnp.zeros((), x.dtype)

        def log_z(self):
            return self.distribution.log_z()

        def sample(self, *, key):
            return self.distribution.sample(key=key)

    case = CASES["vector"]()
    kernel = CoupledLangevin(Forgetful(case.kernel.distribution, (3,)), 0.6, 0.3)
    for found in after(case._replace(kernel=kernel), 3, key):
        assert not agrees(found, truth(case))


COUPLED = {  # shape -> step size, jump, burn, last, batches
    "vector": (0.6, 0.3, 2, 4, 2000),
    "image": (0.3, 0.0, 8, 12, 1000),
}


@pytest.mark.parametrize("shape", COUPLED)
def test_mean_gradient_is_that_of_the_likelihood(shape, key):
    """Negative controls: sign, scale, and chains that are cut off at the very first steps."""
    step_size, jump, burn, last, batches = COUPLED[shape]
    at = place(SHAPES[shape])
    distribution = gaussian(np.full_like(at.mean, 1.0), 0.25)
    kernel = CoupledLangevin(distribution, step_size, jump)
    mean, log_precision, log_z = contrast(at, at.centre, 1 / at.precision)
    right = np.concatenate([mean.ravel(), log_precision.ravel(), [log_z]])
    values = gradients(CoupledLikelihood(kernel, burn, last, 40, pairs=16), at, key, batches)
    # The constant's own slope is 1 - 1 up to rounding, which has no distribution.
    assert np.all(np.abs(values[:, -1]) < 1e-12)
    values, right = values[:, :-1], right[:-1]
    assert agrees(values, right)
    assert not agrees(-values, right)
    assert not agrees(1.1 * values, right)
    short = gradients(CoupledLikelihood(kernel, 2, 2, 2, pairs=16), at, key, batches)
    assert not agrees(short[:, :-1], right)


def half_square(x):
    return jnp.sum(x**2) / 2


def test_metrics_say_how_the_pairs_met(key):
    kernel = CoupledLangevin(Gaussian(jnp.zeros(2), 1.5), 0.3, 0.2)

    def metrics(limit):
        objective = CoupledLikelihood(kernel, 1, 1, limit, pairs=32)
        # A key that is no argument is a constant, which the compiler would draw from itself.
        found = eqx.filter_jit(objective)(half_square, jnp.ones((4, 2)), None, key=key)[1]
        return {name: float(value) for name, value in found.metrics.items()}

    long, short = metrics(45), metrics(1)
    assert long["unmet"] == 0 < short["unmet"] < 1
    assert 1 <= short["meeting"] <= 2 < long["meeting"]
    assert long["energy_data"] == pytest.approx(1.0)


def test_precision_is_kept(precision):
    kernel = CoupledLangevin(Gaussian(jnp.zeros(SHAPES["image"]), 1.5), 0.3, 0.2)
    objective, rows = CoupledLikelihood(kernel), jnp.zeros((4, *SHAPES["image"]))
    loss, aux = eqx.filter_eval_shape(
        lambda key: objective(half_square, rows, None, key=key), jax.random.key(0)
    )
    assert {str(value.dtype) for value in [loss, *aux.metrics.values()]} == {precision}


KERNEL = CoupledLangevin(Gaussian(jnp.zeros(2), 1.0), 0.1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: CoupledLangevin(KERNEL.distribution, 0.0), "`step_size` must be above 0; got 0.0"),
        (
            lambda: CoupledLangevin(KERNEL.distribution, 0.1, 1.0),
            r"`jump` must lie in \[0, 1\); got 1.0",
        ),
        (lambda: CoupledLikelihood(KERNEL, 0), "1 <= burn <= last <= limit; got 0, 12 and 30"),
        (lambda: CoupledLikelihood(KERNEL, 5, 4), "got 5, 4 and 30"),
        (lambda: CoupledLikelihood(KERNEL, 5, 40, 30), "got 5, 40 and 30"),
        (lambda: CoupledLikelihood(KERNEL, pairs=0), "`pairs` must be at least 1; got 0"),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
