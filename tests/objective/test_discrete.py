"""Objectives of bits and categories against enumeration; each planted fault is seen."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from finite_methods import (
    EPS,
    EXACT,
    FINITE_METHODS,
    RANDOM,
    SPACES,
    Point,
    Table,
    discrepancy,
    first_form,
    flips,
    grid,
    neighbours,
    one_by_one,
    probabilities,
    random_table,
)
from scipy.special import logsumexp, softmax

from energax.energy import BernoulliRBM, Gaussian, Neural, Normalised, SiteMixture, draws
from energax.objective import (
    ConcreteScoreMatching,
    ContrastiveDivergence,
    ExactLikelihood,
    NeighbourFlow,
    NoiseContrastiveEstimation,
    PersistentContrastiveDivergence,
    PseudoLikelihood,
    RankingNoiseContrastiveEstimation,
    ShortRun,
    SiteDiscrepancy,
    stream_log_z,
)
from energax.objective.discrete.discrepancy import flip_sites
from energax.objective.likelihood import measure_displacement
from energax.objective.pairs import compare
from energax.sampler import AbstractSampler, Buffer, Info, State
from energax.space import Bits, Categories

spaces = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def truth_of(space):
    """Normalised, as noise-contrastive estimation needs it."""
    values = np.asarray(random_table(space, 5))
    return jnp.asarray(values + logsumexp(-values))


def places(space, count=50):
    """Random energies around the truth."""
    others = np.stack([random_table(space, 100 + n) for n in range(count)])
    return jnp.asarray(np.asarray(truth_of(space))[None] + others)


def largest(gradient):
    return float(np.max(np.abs(gradient)))


@spaces
@pytest.mark.parametrize("name", FINITE_METHODS)
def test_closed_forms_are_least_at_the_distribution_of_the_data(name, space):
    """The mathematics: gradient 0 at the truth, a larger loss at 50 random points."""
    truth, right = truth_of(space), FINITE_METHODS[name].right
    p = probabilities(truth)
    run = jax.jit(jax.vmap(jax.value_and_grad(lambda v: right(v, p, space))))
    values, gradients = map(np.asarray, run(np.concatenate([truth[None], places(space)])))
    assert largest(gradients[0]) < 1e-8
    assert values[1:].min() > values[0] + 1e-4


@spaces
@pytest.mark.parametrize("name", EXACT)
def test_losses_are_those_of_the_closed_form(name, space):
    """Value and gradient, far from the truth; a wrong sign and a wrong factor are seen."""
    method, p = FINITE_METHODS[name], probabilities(truth_of(space))
    place = places(space, 1)[0]

    def both(function):
        run = jax.jit(jax.value_and_grad(lambda v: function(v, p, space)))
        return lambda v: [np.asarray(part) for part in run(v)]

    found = both(method.found)
    value, gradient = found(place)
    right, slope = both(method.right)(place)
    assert float(value) == pytest.approx(float(right), abs=1e-10)
    np.testing.assert_allclose(gradient, slope, atol=1e-10)
    assert largest(gradient) > 1e-3
    negated = -found(-np.asarray(place))[1]
    assert largest(negated - slope) > 1e-3
    assert largest(1.1 * gradient - slope) > 1e-4


def keyed(make, values, p, space, key, seeds=3000):
    """Gradients of the loss, rows weighted by p, for independent keys."""
    points = space.enumerate()

    def loss(values, key):
        keys = jax.random.split(key, space.count)
        each = jax.vmap(lambda x, k: make(Table(values, space), x[None], None, key=k)[0])
        return p @ each(points, keys)

    run = jax.jit(jax.vmap(lambda k: jax.grad(loss)(values, k)))
    return np.asarray(run(jax.random.split(key, seeds)))


@pytest.mark.parametrize("name", RANDOM)
def test_random_losses_have_the_gradient_of_the_closed_form(name, key):
    """Some sites, or random copies: false alarm 1e-6 for each weight. A quarter more is seen."""
    space = SPACES["categories"]
    p, place = probabilities(truth_of(space)), 0.5 * places(space, 1)[0]
    right = jax.jit(jax.grad(lambda v: FINITE_METHODS[name].right(v, p, space)))(place)
    found = keyed(FINITE_METHODS[name].make(), place, p, space, key)
    assert agrees(found, right)
    assert not agrees(-found, right)
    assert not agrees(1.25 * found, right)


@spaces
def test_planted_faults_of_the_mathematics_are_seen(space):
    """A stabiliser of 0.3 moves the minimiser; so does ratio matching by one square, at K = 3."""
    truth = truth_of(space)
    p = probabilities(truth)
    for loss in (discrepancy, grid):
        assert largest(jax.jit(jax.grad(lambda v, f=loss: f(v, p, space, 0.3)))(truth)) > 1e-3
    improper = largest(jax.jit(jax.grad(lambda v: first_form(v, p, space)))(truth))
    assert improper < 1e-8 if space.states == 2 else improper > 1e-3


@spaces
def test_a_stabiliser_other_than_one_is_seen_in_the_objective(space, key):
    truth = truth_of(space)
    p = probabilities(truth)
    objective = SiteDiscrepancy("flip", EPS, copies=2)
    assert agrees(keyed(objective, truth, p, space, key), np.zeros(space.count))
    biased = dataclasses.replace(objective, stabiliser=0.3)
    assert not agrees(keyed(biased, truth, p, space, key), np.zeros(space.count))


@spaces
@pytest.mark.parametrize("make", [NeighbourFlow, ConcreteScoreMatching])
def test_a_bound_on_the_gradient_keeps_the_minimiser(make, space):
    """With most ratios beyond the bound. Beyond it, another power of the ratio is seen."""
    truth = truth_of(space)
    p, found = probabilities(truth), one_by_one(lambda: make(clip=0.4))
    run = jax.jit(jax.vmap(jax.value_and_grad(lambda v: found(v, p, space))))
    start = np.asarray(truth)[None]
    values, gradients = map(np.asarray, run(np.concatenate([start, 1e3 * start, places(space)])))
    assert largest(gradients[0]) < 1e-8
    assert values[1:].min() > values[0] + 1e-4
    assert np.all(np.isfinite(gradients))
    assert largest(gradients[1]) > 1e-3  # far from the truth it is not 0 either
    near = neighbours(space)
    beyond = np.abs(start[0][:, None, None] - start[0][near]) > 0.4
    assert beyond.mean() > 0.3

    def one_sided(v):  # bounded above alone
        gap = v[:, None, None] - v[near]
        return p @ jnp.sum(jnp.exp(jnp.minimum(gap, 0.4) / 2), axis=(1, 2))

    assert largest(jax.jit(jax.grad(one_sided))(truth)) > 1e-3


def test_single_flips_of_conditional_noise_contrast_are_pseudo_likelihood():
    """METHODS2 B13: 2 PL / d for bits."""
    space = SPACES["bits"]
    table, points = Table(places(space, 1)[0], space), space.enumerate()
    flipped = [
        points[neighbours(space)[np.arange(16), site, 1 - points.reshape(16, -1)[:, site]]]
        for site in range(4)
    ]
    keys = jax.random.key(0)
    whole = eqx.filter_jit(PseudoLikelihood())(table, points, None, key=keys)[0]
    compared, _ = compare(table, points, jnp.stack(flipped), lambda gap: 2 * jax.nn.softplus(gap))
    assert float(compared) == pytest.approx(2 * float(whole) / 4, abs=1e-10)
    assert float(compared) != pytest.approx(float(whole) / 4, abs=1e-2)


def test_the_grid_has_the_limit_of_many_copies(key, monkeypatch):
    """Copies that take each state equally often, in place of random ones: exact."""
    space = SPACES["categories"]
    place = places(space, 1)[0]
    draw = jax.random.randint

    def spread(key, shape, low, high, *more):
        return jnp.arange(shape[0]) % high if shape == (6,) else draw(key, shape, low, high, *more)

    monkeypatch.setattr(jax.random, "randint", spread)
    objective = SiteDiscrepancy("grid", copies=6, stabiliser=0.0)
    x = space.points(jnp.array([7]))
    run = jax.jit(jax.vmap(lambda k: objective(Table(place, space), x, None, key=k)[0]))
    found = run(jax.random.split(key, 40))
    around = np.asarray(place)[neighbours(space)[7]]
    right = float(place[7]) + logsumexp(-around, axis=1) - np.log(3)
    assert np.allclose(np.unique(np.round(found, 9)), np.unique(np.round(right, 9)), atol=1e-8)


def gibbs(values, space):
    """The transition matrix of a scan over the sites, by enumeration."""
    near, whole = neighbours(space), np.eye(space.count)
    for site in range(space.sites):
        share = softmax(-np.asarray(values)[near[:, site]], axis=1)
        step = np.zeros((space.count, space.count))
        np.add.at(step, (np.arange(space.count)[:, None], near[:, site]), share)
        whole = whole @ step
    return whole


class Goto(AbstractSampler):
    """A step to a point chosen by hand: sums over the transitions of any kernel are exact."""

    point: jax.Array
    serves = (Bits, Categories)

    def init(self, energy, x, *, key):
        return State(x)

    def step(self, energy, state, *, key):
        one = jnp.ones(())
        return State(self.point), Info(one, energy(self.point), 0 * one)


def mean_gradient(objective_of, place, p, kernel, space):
    """The mean over rows x ~ p and transitions x' -> y, x' ~ p, of the gradient of one update."""
    points, key = space.enumerate(), jax.random.key(0)

    def gradient(x, start, y):
        objective, memory = objective_of(y, start)
        return jax.grad(lambda v: objective(Table(v, space), x[None], memory, key=key)[0])(place)

    over_y = jax.vmap(gradient, (None, None, 0))
    over_starts = jax.vmap(over_y, (None, 0, None))
    if objective_of is persistent:
        each = jax.vmap(over_starts, (0, None, None))(points, points, points)
        return jnp.einsum("x,s,sy,xsyv->v", p, p, kernel, each)
    each = jax.vmap(lambda x: over_y(x, x, points))(points)
    return jnp.einsum("x,xy,xyv->v", p, kernel, each)


def plain(y, start):
    return ContrastiveDivergence(Goto(y), steps=1), None


def persistent(y, start):
    space = next(space for space in SPACES.values() if space.shape == start.shape)
    base = Point(Table(random_table(space, 1), space), start)  # no chain starts again
    objective = PersistentContrastiveDivergence(Goto(y), base, 1, 1, reinit_probability=0.0)
    return objective, Buffer(start[None], jnp.zeros(1, jnp.int32))


@spaces
@pytest.mark.parametrize("make", [plain, persistent])
def test_chains_that_leave_the_model_invariant_pull_nowhere_at_the_truth(make, space):
    """Exact: all rows, all transitions of a Gibbs scan. Another model's scan is seen."""
    truth = truth_of(space)
    p, kernel = probabilities(truth), gibbs(truth, space)
    assert np.allclose(np.asarray(p) @ kernel, p, atol=1e-12)
    run = jax.jit(lambda kernel: mean_gradient(make, truth, p, kernel, space))
    assert largest(run(kernel)) < 1e-8
    assert largest(run(gibbs(places(space, 1)[0], space))) > 1e-3


def test_log_z_and_its_gradient_are_streamed():
    """2,187 points in blocks that do not divide them: the same as all at once, to 1e-9."""
    space = Categories((7,), 3)
    values = random_table(space, 3)

    def streamed(values):
        return stream_log_z(Table(values, space), space, block=500)

    value, gradient = jax.jit(jax.value_and_grad(streamed))(values)
    assert float(value) == pytest.approx(logsumexp(-np.asarray(values)), abs=1e-9)
    np.testing.assert_allclose(gradient, -probabilities(values), atol=1e-12)


def test_memory_of_the_gradient_does_not_grow_with_the_points():
    """Temporary memory of the compiled program; one block of all points is seen."""

    def needed(sites, block):
        space = Bits((sites,))

        def loss(weights):
            network = Neural(lambda e: jnp.sum(jax.nn.softplus(weights @ e)), space)
            return stream_log_z(network, space, block)

        compiled = jax.jit(jax.grad(loss)).lower(jnp.ones((32, sites))).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert needed(16, 2**10) < 1.5 * needed(13, 2**10)
    assert needed(16, 2**16) > 10 * needed(16, 2**10)


def test_a_restricted_boltzmann_machine_feels_the_means_of_its_hidden_units(key):
    """Both terms of contrastive divergence have E[h given v] in them, for any chain."""
    hidden, move = jax.random.split(key)
    weights = jax.random.normal(hidden, (3, 4))
    rbm = BernoulliRBM(weights, jnp.zeros(3), jnp.zeros(4))
    row, end = (jnp.array(bits, jnp.uint8) for bits in ([1, 0, 1], [0, 1, 1]))
    objective = ContrastiveDivergence(Goto(end), steps=1)
    run = jax.jit(jax.grad(lambda e: objective(e, row[None], None, key=move)[0]))
    found = run(rbm).weights
    up, down = (jnp.outer(v.astype(float), rbm.hidden_given_visible(v)) for v in (row, end))
    np.testing.assert_allclose(found, down - up, atol=1e-12)
    assert largest(found) > 0.1


@pytest.mark.parametrize(
    "make", [NoiseContrastiveEstimation, RankingNoiseContrastiveEstimation, ShortRun]
)
def test_a_mixture_of_sites_is_noise_and_start(make, key):
    """Noise that is the model covers the data wholly; float32 as well, as the mixture is."""
    shares = np.array([[[0.8, 0.2], [0.5, 0.5]], [[0.1, 0.9], [0.3, 0.7]]], np.float32)
    mixture = SiteMixture(np.log(np.full(2, 0.5, np.float32)), np.log(shares), Bits((2,)))
    rows = draws(mixture, 8, key=key)
    if make is ShortRun:
        objective = eqx.filter_jit(ShortRun(Goto(rows[0]), mixture, steps=1))
        metrics = objective(mixture, rows, None, key=key)[1].metrics
        assert 0 < float(metrics["displacement"]) < 1
        return
    model = Normalised(mixture, mixture.log_z())
    metrics = eqx.filter_jit(make(mixture))(model, rows, None, key=key)[1].metrics
    assert float(metrics["noise_coverage"]) == pytest.approx(1)


def test_displacement_of_categories_is_the_share_of_changed_sites():
    before = jnp.array([[0, 2], [1, 1]], jnp.uint8)
    after = jnp.array([[2, 2], [1, 0]], jnp.uint8)
    assert float(measure_displacement(before, after)) == 0.5
    moved = measure_displacement(jnp.zeros((1, 2)), jnp.array([[3.0, 4.0]]))
    assert float(moved) == pytest.approx(12.5**0.5)


def test_flips_have_their_distribution(key):
    """False alarm 1e-6 for each point; another probability is seen."""
    space = SPACES["categories"]
    x = np.asarray(space.points(np.array([5])))[0]
    draw = jax.jit(jax.vmap(lambda k: space.number(flip_sites(jnp.asarray(x), space, EPS, key=k))))
    found = draw(jax.random.split(key, 20000))
    seen = np.eye(space.count)[np.asarray(found)]
    assert agrees(seen, flips(space)[5])
    assert not agrees(seen, flips(space, 0.33)[5])


REFUSED = {
    "too many points": (
        lambda: ExactLikelihood(),
        Neural(lambda e: jnp.sum(e), Bits((21,))),
        ValueError,
        r"at most 1048576 points, and this space has 2\^21: use PseudoLikelihood",
    ),
    "a function": (PseudoLikelihood, lambda x: 0.0, TypeError, "a function that names no space"),
    "real numbers": (SiteDiscrepancy, Gaussian(jnp.zeros(21)), TypeError, "an energy of real num"),
    "more sites than there are": (
        lambda: PseudoLikelihood(sites=22),
        Neural(lambda e: jnp.sum(e), Bits((21,))),
        ValueError,
        "`sites` must be at most 21",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name, key):
    make, energy, error, sentence = REFUSED[name]
    with pytest.raises(error, match=sentence):
        make()(energy, jnp.zeros((2, 21), jnp.uint8), None, key=key)


BAD = {
    "`sites` must be at least 1": lambda: PseudoLikelihood(sites=0),
    "`clip` must be above 0": lambda: NeighbourFlow(clip=0.0),
    "`block` must be at least 1": lambda: ExactLikelihood(block=0),
    "`probability` must lie": lambda: SiteDiscrepancy(probability=1.0),
    "`copies` must be at least 1": lambda: SiteDiscrepancy(copies=0),
}


@pytest.mark.parametrize("sentence", BAD)
def test_settings_out_of_range_are_refused(sentence):
    with pytest.raises(ValueError, match=sentence):
        BAD[sentence]()
