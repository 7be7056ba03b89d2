"""Tempering: swaps leave the product of all levels as it is, the top level is exact, and the levels
that `adapt_ladder` places swap equally often."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees

from energax.energy import BernoulliRBM, Gaussian, Neural
from energax.sampler import (
    BlockGibbs,
    Bridges,
    Gibbs,
    Temperatures,
    Tempering,
    adapt_ladder,
    chains,
    mala,
    run,
    swap_rates,
)
from energax.sampler.tempering import swap
from energax.space import Bits

EXACT = 1e-12
LEVELS = np.array([0.25, 1.0])


def swap_matrix(gaps, wrong=lambda chance: chance):
    """Of two rungs on the same points: the pair (x, y) becomes (y, x), or stays."""
    size = len(gaps)
    found = np.eye(size**2)
    for x, y in itertools.product(range(size), repeat=2):
        pair = jnp.asarray([gaps[x], gaps[y]])
        chance = wrong(float(swap(jnp.asarray(LEVELS), pair, 0, key=jax.random.key(0))[1][0]))
        here, there = x * size + y, y * size + x
        found[here] = 0
        found[here, there] += chance
        found[here, here] += 1 - chance
    return found


def test_a_swap_leaves_the_product_of_two_rungs():
    """B17, on 2 rungs of 2^3 points."""
    gaps = np.random.default_rng(0).normal(size=8)
    one, other = (np.exp(-level * gaps) / np.exp(-level * gaps).sum() for level in LEVELS)
    p = np.outer(one, other).ravel()
    assert np.abs(p @ swap_matrix(gaps) - p).max() < EXACT
    assert np.abs(p @ swap_matrix(gaps, lambda chance: chance**0.5) - p).max() > 1e-3
    assert np.abs(p @ swap_matrix(-gaps) - p).max() > 1e-3  # W(x) - W(y)


def test_pairs_of_a_parity_swap_with_their_chance(key):
    """One false alarm in 1e6 keys for each pair. Every order is a permutation."""
    levels, gaps = jnp.linspace(0.2, 1.0, 5), jnp.array([0.0, -2.0, 1.0, -1.0, 3.0])
    for parity in (0, 1):
        go = jax.vmap(lambda k, parity=parity: swap(levels, gaps, parity, key=k))
        order, chances = map(np.asarray, go(jax.random.split(key, 4000)))
        assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(5), (4000, 1)))
        for pair in range(4):
            taken = order[:, pair] == pair + 1
            if pair % 2 != parity:
                assert not taken.any()
            elif chances[0, pair] == 1:
                assert taken.all()
            else:
                assert agrees(taken, chances[0, pair])


def wells(e):
    """Two far corners of bits, the second three times as likely as the first."""
    return 6 * jnp.sum(e) * (6 - jnp.sum(e)) / 5 - jnp.log(3.0) * jnp.sum(e) / 6


def test_tempering_crosses_where_its_kernel_does_not(key):
    """Frequencies against enumeration, one false alarm in 1e6 keys; Gibbs alone stays behind."""
    space = Bits((6,))
    energy, starts = Neural(wells, space), jnp.zeros((300, 6), jnp.uint8)
    p = np.asarray(jax.nn.softmax(-jax.vmap(energy)(space.enumerate())))
    walk = Tempering(Gibbs(), Temperatures([8.0, 4.0, 2.0, 1.0]))
    keep = 120

    def number(state, info):
        return space.number(state.x)

    found = np.asarray(chains(walk, energy, starts, 160, key=key, keep=number)[1])[:, -keep:]
    ones, right = (found == 63).mean(axis=1), p[63]
    assert agrees(ones, right)
    alone = np.asarray(chains(Gibbs(), energy, starts, 160, key=key, keep=number)[1])[:, -keep:]
    assert not agrees((alone == 63).mean(axis=1), right)  # negative control


def test_levels_from_a_base_with_exact_draws(key):
    """Real numbers: two modes 12 standard deviations apart, by MALA over a bridge."""
    base = Gaussian(jnp.zeros(1), jnp.full(1, 6.0))

    def modes(x):
        return -jnp.sum(
            jnp.logaddexp(jnp.log(0.7) - (x - 6) ** 2 / 2, jnp.log(0.3) - (x + 6) ** 2 / 2)
        )

    walk = Tempering(mala(0.4), Bridges(base, [0.0, 0.2, 0.5, 1.0]), 2)
    _, x = chains(walk, modes, jnp.full((300, 1), -6.0), 200, key=key)
    share = np.asarray(x[:, 60:, 0] > 0).mean(axis=1)
    assert agrees(share, 0.7)
    assert not agrees(share, 0.6)  # negative control


def test_the_ladder_is_placed_for_equal_swap_rates(key):
    """A Gaussian of 12 numbers, badly spaced levels: rates differ by .6 before, by .1 after."""
    energy, starts = Gaussian(jnp.zeros(12)), jnp.zeros((40, 12))
    walk = Tempering(mala(0.2), Temperatures([9.0, 8.0, 7.0, 1.0]))
    tuned = adapt_ladder(walk, energy, starts, steps=120, rounds=4, key=key)

    def rates(sampler):
        swaps = chains(sampler, energy, starts, 120, key=key, keep=swap_rates)[1]
        return np.asarray(swaps[:, 60:]).mean(axis=(0, 1))

    before, after = rates(walk), rates(tuned)
    assert np.ptp(before) > 0.5
    assert np.ptp(after) < 0.1
    assert np.allclose(tuned.levels.levels[jnp.array([0, -1])], [1 / 9, 1])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Temperatures([1.0]), "`temperatures` must fall to 1"),
        (lambda: Temperatures([1.0, 2.0]), "`temperatures` must fall to 1"),
        (lambda: Temperatures([3.0, 2.0]), "`temperatures` must fall to 1"),
        (lambda: Bridges(Gaussian(jnp.zeros(1)), [0.1, 1.0]), "`levels` must rise from 0 to 1"),
        (lambda: Tempering(mala(0.1), Temperatures([2.0, 1.0]), 0), "`moves` must be at least 1"),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_a_kernel_that_does_not_serve_is_named(key):
    walk = Tempering(Gibbs(), Temperatures([2.0, 1.0]))
    with pytest.raises(TypeError, match="wrap a function as"):
        run(walk, lambda x: 0.0 * jnp.sum(x), jnp.zeros(3, jnp.uint8), 1, key=key)
    with pytest.raises(TypeError, match="Gibbs samples bits and categories"):
        run(walk, Gaussian(jnp.zeros(2)), jnp.zeros(2), 1, key=key)
    blocks = Tempering(BlockGibbs(), Temperatures([2.0, 1.0]))
    rbm = BernoulliRBM(jnp.ones((3, 2)), jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(TypeError, match="at temperature 1"):
        run(blocks, rbm, jnp.zeros(3, jnp.uint8), 1, key=key)
