"""Swaps leave the product of two distributions invariant; stamps follow their states."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from ladders import Coins, Magnet
from scipy.stats import norm

from energax.energy import Gaussian, weights
from energax.learner.ladder.rungs import Rungs, Walkers, remove_place
from energax.learner.ladder.swaps import shuffle, swap, swap_all

BITS = 3
LOWER = Coins(jnp.asarray([0.4, -0.3, 0.9]))
UPPER = Magnet(jnp.asarray(1.7), jnp.asarray(-0.8), (BITS,))


def whole(n):
    return jnp.asarray(n, jnp.int32)


def walkers(x):
    return Walkers(x, jnp.arange(len(x), dtype=jnp.int32), jnp.zeros(len(x)))


def swap_pairs(x, y, key):
    """Every pair a population of its own: the states after, and the probability of each swap."""

    def one(x, y, key):
        low = walkers(x[None]), LOWER(x)[None]
        down, up, found = swap((LOWER, UPPER), low, walkers(y[None]), key=key)
        return down.x[0], up[0].x[0], found[0]

    return jax.vmap(one)(x, y, jax.random.split(key, len(x)))


def test_swaps_leave_the_product_invariant(key):
    """P T = P on 2 rungs of 2^3 states, T made of what `swap` does."""
    points = np.asarray(LOWER.space.enumerate())
    lower, upper = np.divmod(np.arange(64), 8)
    p, q = (np.asarray(jax.nn.softmax(-jax.vmap(e)(points))) for e in (LOWER, UPPER))
    product = p[lower] * q[upper]

    @jax.jit
    def sample(key):
        return swap_pairs(points[lower], points[upper], key)

    low, up, chance = (np.asarray(part) for part in sample(key))
    exchanged = np.all(low == points[upper], 1) & np.all(up == points[lower], 1)
    stayed = np.all(low == points[lower], 1) & np.all(up == points[upper], 1)
    assert np.all(exchanged | stayed)

    def push(chance):
        return np.bincount(8 * upper + lower, product * chance, 64) + product * (1 - chance)

    assert np.allclose(push(chance), product, atol=1e-14)
    # What it does agrees with the probability that it says, at 1 false alarm in 1e6 per pair.
    runs = jax.vmap(sample)(jax.random.split(key, 2000))
    swapped = np.all(np.asarray(runs[0]) == points[upper], 2) & np.any(
        points[upper] != points[lower], 1
    )
    right = np.where(np.any(points[upper] != points[lower], 1), chance, 0)
    sure = (right == 0) | (right == 1)
    assert np.all(swapped[:, sure].mean(0) == right[sure])
    assert agrees(swapped[:, ~sure] - right[~sure], 0)
    # Negative controls: the sign, and the upper energy alone.
    w = np.asarray(jax.vmap(UPPER)(points) - jax.vmap(LOWER)(points))
    wrong = np.minimum(1, np.exp(w[lower] - w[upper]))
    assert np.abs(push(wrong) - product).max() > 0.01
    e = np.asarray(jax.vmap(UPPER)(points))
    assert np.abs(push(np.minimum(1, np.exp(e[upper] - e[lower]))) - product).max() > 0.003


@pytest.mark.parametrize("width", [0.954, 1.627])
def test_acceptance_for_gaussian_work(width, key):
    """a = 2 Phi(-w / sqrt 2): .5 and .25."""
    one, other, toss = jax.random.split(key, 3)
    below, above = Gaussian(jnp.zeros(1)), Gaussian(jnp.full(1, width))
    x = jax.random.normal(one, (40_000, 1))
    y = jax.random.normal(other, (40_000, 1)) + width
    _, _, (chance, *_) = swap((below, above), (walkers(x), x[:, 0] ** 2 / 2), walkers(y), key=toss)
    assert float(chance) == pytest.approx(2 * norm.cdf(-width / 2**0.5), abs=0.01)


def rungs_of(count, chains, odds=0.0):
    """A ladder of `count` equal rungs whose states are all ones, drawn in round 0."""
    top = Coins(jnp.full(4, odds))
    moving, still = weights(top)
    start = Walkers.create(jnp.ones((chains, 4), jnp.uint8), jnp.zeros((), jnp.int32))
    rungs = Rungs.create(moving, start, count + 1)
    order = jnp.asarray([*range(1, count), 0, count], jnp.int32)
    return eqx.tree_at(
        lambda r: (r.order, r.count), rungs, (order, jnp.asarray(count, jnp.int32))
    ), still


def test_fresh_states_climb_with_their_stamps(key):
    """Equal rungs: one round brings every draw of the base to the top, and all others down."""
    rungs, still = rungs_of(3, 32)
    stamps = jnp.arange(4 * 32, dtype=jnp.int32).reshape(4, 32) - 200
    rungs = eqx.tree_at(lambda r: r.walkers.stamp, rungs, stamps)
    base, now = Coins(jnp.zeros(4)), whole(7)
    after, links = jax.jit(lambda r: swap_all(base, still, r, now, groups=16, key=key))(rungs)
    assert np.all(after.walkers.stamp[0] == 7)
    for slot, source in ((2, 0), (1, 2)):
        assert sorted(after.walkers.stamp[slot].tolist()) == stamps[source].tolist()
        assert np.all(after.walkers.x[slot] == 1)
    assert np.all(after.walkers.stamp[3] == stamps[3])
    assert np.allclose(links.acceptance, [1, 1, 1, 0])


def test_the_old_never_become_more(key):
    """G falls with every round; where no swap is accepted it stays 1."""
    for odds, start, fresh in ((0.3, 0.0, True), (1e4, -50.0, False)):
        base = Coins(jnp.full(4, start))
        rungs, still = rungs_of(3, 32, odds)
        step = jax.jit(functools.partial(swap_all, base, still, groups=16))
        shares = [1.0]
        for now in range(1, 6):
            rungs, _ = step(rungs, whole(now), key=jax.random.fold_in(key, now))
            shares.append(float(jnp.mean(rungs.walkers.stamp[:3] == 0)))
        assert np.all(np.diff(shares) <= 0)
        assert (shares[-1] < 0.5) == fresh


def test_groups_never_mix(key):
    group = jnp.repeat(jnp.arange(16), 4)
    first, second = shuffle((group, jnp.arange(64)), 16, key=key)
    assert np.all(first == group)
    assert sorted(second.tolist()) == list(range(64))
    assert np.any(second != jnp.arange(64))


def test_places_and_slots():
    """Rungs enter, are replaced, leave and come back: order, count and free slots."""
    rungs, _ = rungs_of(1, 16)
    rungs = Rungs(rungs.weights, rungs.walkers, whole([3, 1, 0, 2, 4]), whole(3))
    yes, no = jnp.asarray(True), jnp.asarray(False)
    assert rungs.insert(yes).order.tolist() == [3, 1, 2, 0, 4]
    assert int(rungs.insert(yes).count) == 4
    assert rungs.insert(no).order.tolist() == [3, 1, 0, 2, 4]
    assert rungs.replace(yes).order.tolist() == [3, 2, 0, 1, 4]
    assert rungs.remove(whole(0), yes).order.tolist() == [1, 0, 3, 2, 4]
    assert int(rungs.remove(whole(0), yes).count) == 2
    assert remove_place(jnp.arange(5), whole(1), whole(3)).tolist() == [0, 2, 1, 3, 4]


def test_retreat_restores_weights_and_chains(key):
    """The bits of the rung: weights alone would leave chains of another energy on the top."""
    rungs, _ = rungs_of(1, 16)
    shapes = [rungs.weights.odds.shape, rungs.walkers.x.shape]
    odds = jax.random.normal(key, (5, 4))
    x = jax.random.bernoulli(key, 0.5, (5, *shapes[1][1:])).astype(jnp.uint8)
    stamp = jnp.arange(80, dtype=jnp.int32).reshape(5, 16)
    moving = eqx.tree_at(lambda w: w.odds, rungs.weights, odds)
    rungs = Rungs(
        moving, Walkers(x, stamp, jnp.zeros(stamp.shape)), whole([3, 1, 0, 2, 4]), whole(3)
    )
    back = rungs.retreat(whole(0), jnp.asarray(True))
    assert np.array_equal(back.weights.odds[0], odds[3])
    assert np.array_equal(back.walkers.x[0], x[3])
    assert np.array_equal(back.walkers.stamp[0], stamp[3])
    assert int(back.count) == 1
    assert back.order.tolist() == [0, 3, 1, 2, 4]
    still = rungs.retreat(whole(0), jnp.asarray(False))
    assert eqx.tree_equal(still, rungs)
