"""Some numbers of an example given the others: chains of the free ones have the distribution of
Bayes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import conditional, have

from energax.energy import Clamped, Gaussian, GaussianMixture, free_axes
from energax.sampler import Langevin, chains, mala

H, STEPS, COUNT = 0.1, 150, 4000
SHAPES = {"vector": (4,), "image": (1, 2, 2)}
HIDDEN = np.array([True, False, True, False])
KNOWN = np.array([9.0, 1.5, 9.0, -2.0])
"""What it says of the hidden numbers is not to be read."""
FACTOR = np.array([[1.0, 0.3, -0.2, 0.1], [0.2, 0.8, 0.4, 0], [0, -0.5, 1.2, 0.3], [0.4, 0, 0, 1]])
"""From rows to the units of an energy, all mixed."""


def distribution(shape):
    """Any Gaussian of full covariance: its mean and covariance, flat, and the energy."""
    rng = np.random.default_rng(3)
    mean, root = rng.normal(size=4), np.tril(rng.normal(size=(4, 4)) / 3) + 0.7 * np.eye(4)
    np.fill_diagonal(root, np.abs(np.diagonal(root)))
    energy = GaussianMixture(np.zeros(1), mean.reshape(1, *shape), root[None])
    return mean, root @ root.T, energy


def walked(energy, sampler=None, steps=STEPS):
    """Where chains of the free numbers end that start at 0."""
    starts = jnp.zeros((COUNT, *energy.shape))
    sampler = Langevin(H) if sampler is None else sampler
    return np.asarray(
        chains(sampler, energy, starts, steps, key=jax.random.key(0), thin=steps)[0].x
    )


def langevins(precision):
    """The covariance that Langevin's own steps settle at, bias and all."""
    size = len(precision)
    return np.linalg.inv(precision @ (np.eye(size) - H / 2 * precision))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_free_numbers_have_their_conditional_distribution(shape):
    mean, covariance, energy = distribution(shape)
    known, hidden = jnp.asarray(KNOWN.reshape(shape)), HIDDEN.reshape(shape)
    clamped = Clamped(energy, known, jnp.asarray(free_axes(hidden)))
    u = walked(clamped)
    centre, precision = conditional(mean, covariance, HIDDEN, KNOWN)
    assert have(u, centre, langevins(precision))
    # Planted: nothing is held; the wrong numbers are; a chain without its bias.
    assert not have(u, mean[HIDDEN], covariance[np.ix_(HIDDEN, HIDDEN)])
    assert not have(u, centre, np.linalg.inv(precision))
    wrong = walked(Clamped(energy, known, jnp.asarray(free_axes(~hidden))))
    assert not have(wrong, centre, langevins(precision))


def test_numbers_that_a_factor_mixes_are_held_as_they_were_before():
    """The energy is of y = F x: the directions are no axes, the distribution of x is the same."""
    mean, covariance, _ = distribution((4,))
    root = np.linalg.cholesky(FACTOR @ covariance @ FACTOR.T)
    energy = GaussianMixture(np.zeros(1), (FACTOR @ mean)[None], root[None])
    known = jnp.asarray(FACTOR @ KNOWN)
    clamped = Clamped(energy, known, jnp.asarray(free_axes(HIDDEN, FACTOR)))
    y = jax.vmap(clamped.whole)(jnp.asarray(walked(clamped, mala(0.4), 100)))
    x = np.linalg.solve(FACTOR, np.asarray(y).T).T
    np.testing.assert_allclose(x[:, ~HIDDEN], np.tile(KNOWN[~HIDDEN], (COUNT, 1)), atol=1e-12)
    centre, precision = conditional(mean, covariance, HIDDEN, KNOWN)
    assert have(x[:, HIDDEN], centre, np.linalg.inv(precision))
    axes = Clamped(energy, known, jnp.asarray(free_axes(HIDDEN)))  # planted: y held, not x
    y = jax.vmap(axes.whole)(jnp.asarray(walked(axes, mala(0.4), 100)))
    assert not have(np.linalg.solve(FACTOR, np.asarray(y).T).T[:, HIDDEN], centre,
                    np.linalg.inv(precision))  # fmt: skip


def test_under_a_product_the_held_numbers_say_nothing():
    """To the bit; under a distribution that ties numbers together they do."""
    tied, loose = distribution((4,))[2], Gaussian(jnp.arange(4.0), jnp.array([1.0, 2.0, 0.5, 1.0]))
    ends = {}
    for name, energy in (("tied", tied), ("loose", loose)):
        for shift in (0.0, 1.0):
            axes = jnp.asarray(free_axes(HIDDEN))
            ends[name, shift] = walked(Clamped(energy, jnp.asarray(KNOWN + shift), axes), steps=20)
    assert np.array_equal(ends["loose", 0.0], ends["loose", 1.0])
    assert not np.array_equal(ends["tied", 0.0], ends["tied", 1.0]), "planted"


def test_held_numbers_stay_to_the_bit_and_hidden_ones_are_not_read(precision):
    axes = jnp.asarray(free_axes(HIDDEN), float)
    clamped = Clamped(Gaussian(jnp.zeros(4)), jnp.asarray(KNOWN, float), axes)
    u = jnp.asarray([0.1, -0.7], float)
    assert np.array_equal(clamped.whole(u), jnp.asarray([0.1, 1.5, -0.7, -2.0], float))
    assert np.array_equal(clamped.part(clamped.whole(u)), u)
    assert clamped.shape == (2,)
    assert float(clamped(u)) == pytest.approx((0.1**2 + 1.5**2 + 0.7**2 + 2**2) / 2)
