"""The ratios along a ladder and their error, against closed forms and the host's own Bennett."""

import jax
import jax.numpy as jnp
import numpy as np
from agreement import agrees
from scipy.stats import binom, t

from energax.evaluate import bennett_ratio
from energax.learner import bennett_root
from energax.learner.ladder.insertion import APART, Growth, choose_removal, grow
from energax.learner.ladder.log_z import Ratios
from energax.learner.ladder.rollback import keeps_overlap, retreat
from energax.learner.ladder.rungs import Rungs, Walkers
from energax.learner.ladder.swaps import Links

RUNS, ROUNDS, CHAINS, GROUPS = 200, 60, 32, 16
WIDTH = 1.2
TOTAL = 1.5


def test_the_root_is_that_of_the_host(key):
    lower = jax.random.normal(key, (70,)) + 3
    upper = jax.random.normal(jax.random.fold_in(key, 1), (150,)) + 4
    wanted = float(bennett_ratio(np.asarray(lower), np.asarray(upper)).value)
    assert abs(float(bennett_root(lower, upper)) - wanted) < 1e-6


def correlated(key, memory):
    """An AR(1) series of N(0, 1) for every chain, over rounds."""
    noise = jax.random.normal(key, (ROUNDS, CHAINS))

    def step(x, noise):
        x = memory * x + (1 - memory**2) ** 0.5 * noise
        return x, x

    return jax.lax.scan(step, jax.random.normal(key, (CHAINS,)), noise)[1]


@jax.jit
def estimate(key):
    """Two Gaussian links over rounds of AR(.9) chains, with log Z = .5 and 1: the total, its error,
    and the error that forgets that draws are correlated."""
    ks = jax.random.split(key, 4)
    draws = [correlated(k, 0.9) for k in ks]
    # l is Gaussian with mean -+ w^2 / 2 about log Z under the lower and the upper rung.
    half = WIDTH**2 / 2
    lower = jnp.stack([WIDTH * draws[0] - half + 0.5, WIDTH * draws[1] - half + 1.0], 1)
    upper = jnp.stack([WIDTH * draws[2] + half + 0.5, WIDTH * draws[3] + half + 1.0], 1)
    active = jnp.ones(2, bool)

    def step(ratios, values):
        links = Links(jnp.full(2, 0.4), *values)
        return ratios.update(links, active), None

    ratios, _ = jax.lax.scan(step, Ratios.create(2, GROUPS, lower.dtype), (lower, upper))
    value, error = ratios.total(active)
    naive = jnp.sqrt(jnp.sum(1 / ratios.information - 2 / CHAINS) / ROUNDS)
    return value, error, naive


def test_the_error_knows_of_correlated_draws(key):
    """95 % intervals cover; those of independent draws do not."""
    value, error, naive = map(np.asarray, jax.vmap(estimate)(jax.random.split(key, RUNS)))
    quantile = t.isf(0.025, GROUPS - 1)
    covered = np.abs(value - TOTAL) < quantile * error
    assert covered.sum() > binom.ppf(1e-6, RUNS, 0.95)
    assert np.mean(np.abs(value - TOTAL) < 1.96 * naive) < 0.6
    assert agrees(value, TOTAL, margin=0.01)
    assert not agrees(value, TOTAL + 0.1, margin=0.01)


def ladder(acceptance, stage=0, since=0, slots=6):
    """Rungs with one chain a group, whose states and weights name their slot."""
    count = len(acceptance)
    order = [*range(1, count), 0, *range(count, slots)]
    number = jnp.arange(slots, dtype=jnp.int32)
    x = jnp.broadcast_to(number[:, None, None], (slots, GROUPS, 1))
    walkers = Walkers(x, x[:, :, 0], jnp.zeros((slots, GROUPS)))
    places = jnp.asarray(order, jnp.int32), jnp.asarray(count, jnp.int32)
    rungs = Rungs(number.astype(float), walkers, *places)
    full = jnp.asarray([*acceptance, *[0.0] * (slots - count)])
    zeros = jnp.zeros(slots)
    ratios = Ratios(zeros, jnp.zeros((slots, GROUPS)), zeros, full, jnp.full(slots, 50, jnp.int32))
    whole = [jnp.asarray(n, jnp.int32) for n in (stage, since, 0)]
    return rungs, ratios, Growth(*whole)


def now(n):
    return jnp.asarray(n, jnp.int32)


def walk(rungs):
    """Weights, and the state of the chains, by place."""
    order = np.asarray(rungs.order)[: int(rungs.count)]
    assert np.array_equal(np.sort(rungs.order), np.arange(len(rungs.order)))
    return np.asarray(rungs.weights)[order], np.asarray(rungs.walkers.x)[order, 0, 0]


def move_top(rungs, value):
    """The top as training leaves it, with chains of its own."""
    walkers = Walkers(rungs.walkers.x.at[0].set(value), rungs.walkers.stamp, rungs.walkers.lag)
    return Rungs(rungs.weights.at[0].set(value), walkers, rungs.order, rungs.count)


def test_a_rung_is_an_old_copy():
    """T below 2 a*, in the ladder below a*, H in its place below a*: weights and chains of then."""
    start = ladder([0.4, 0.6])
    assert int(grow(*start, now(5), target=0.25)[2].stage) == 0
    rungs, ratios, growth = grow(*ladder([0.4, 0.45]), now(5), target=0.25)
    assert int(growth.stage) == 1
    assert int(rungs.count) == 2
    rungs = move_top(rungs, 77)
    low = ladder([0.4, 0.2])[1]
    young = grow(rungs, low, growth, now(5 + APART - 1), target=0.25)
    assert int(young[0].count) == 2
    assert int(young[2].extra) == APART
    rungs, ratios, growth = grow(rungs, low, growth, now(5 + APART), target=0.25)
    weights, chains = walk(rungs)
    # A copied population of now would be 77 twice: two neighbours that always agree.
    assert weights.tolist() == chains.tolist() == [1, 0, 77]
    assert ratios.rounds[:3].tolist() == [50, 0, 0]
    rungs = move_top(rungs, 99)
    low = ladder([0.4, 0.5, 0.2])[1]
    rungs, ratios, growth = grow(rungs, low, growth, now(5 + 3 * APART), target=0.25)
    weights, chains = walk(rungs)
    assert weights.tolist() == chains.tolist() == [1, 77, 99]
    assert int(growth.stage) == 0


def test_a_full_ladder_drops_the_rung_that_costs_least():
    rungs, ratios, growth = ladder([0.3, 0.8, 0.9, 0.3, 0.2], stage=1)
    rungs = move_top(rungs, 50)
    rungs = Rungs(rungs.weights.at[5].set(49), rungs.walkers, rungs.order, rungs.count)
    assert int(choose_removal(ratios, rungs.count)) == 1
    rungs, ratios, growth = grow(rungs, ratios, growth, now(90), target=0.25)
    assert walk(rungs)[0].tolist() == [1, 3, 4, 49, 50]
    assert ratios.rounds[:5].tolist() == [50, 0, 50, 0, 0]


def test_a_lost_link_takes_training_back():
    """To the checkpoint below it; the links above it start again."""
    rungs, ratios, growth = ladder([0.3, 0.4, 0.05, 0.3], stage=1)
    rungs, ratios, growth, lost = retreat(rungs, ratios, growth, now(90), alarm=0.1)
    assert bool(lost)
    assert [part.tolist() for part in walk(rungs)] == [[1, 2], [1, 2]]
    assert int(growth.stage) == 0
    sound = ladder([0.3, 0.4, 0.15, 0.05], stage=1)
    assert not bool(retreat(*sound, now(90), alarm=0.1)[3])


def test_overlap_after_an_update():
    """w of a = .25 is 1.627, and 2.326 that of .1: what lies between is what an update may add."""
    at = jnp.asarray(0.25)
    assert bool(keeps_overlap(at, jnp.asarray(0.69), 0.1))
    assert not bool(keeps_overlap(at, jnp.asarray(0.71), 0.1))
    assert not bool(keeps_overlap(at, jnp.asarray(jnp.nan), 0.1))
    assert not bool(keeps_overlap(jnp.asarray(0.0), jnp.asarray(0.0), 0.1))
