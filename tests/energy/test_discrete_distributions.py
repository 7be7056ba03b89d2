"""Distributions of bits and categories: normalised whatever they hold, exact draws, fits."""

import gzip

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import distribution, expected_changes
from real_files import REAL_FILES, needs

from energax.energy import (
    BoltzmannMachine,
    ChowLiuTree,
    Enumerated,
    IndependentSites,
    SiteMixture,
    Tilt,
    change_energies,
    draws,
    fit_site_mixture,
    fit_sites,
    fit_tree,
    log_density,
)
from energax.energy.discrete.counts import count_pairs
from energax.space import Bits, Categories


def normal(seed, *shape):
    return jnp.asarray(2 * np.random.default_rng(seed).normal(size=shape), jnp.result_type(float))


BITS, THREES = Bits((2, 3)), Categories((4,), 3)
EXACT = {
    "sites of bits": lambda: IndependentSites(normal(0, 6, 2), BITS),
    "sites of categories": lambda: IndependentSites(normal(1, 4, 3), THREES),
    "mixture of bits": lambda: SiteMixture(normal(2, 3), normal(3, 3, 6, 2), BITS),
    "mixture of categories": lambda: SiteMixture(normal(4, 3), normal(5, 3, 4, 3), THREES),
    "enumerated bits": lambda: Enumerated(BoltzmannMachine(normal(8, 6, 6), normal(9, 2, 3))),
    "tree of bits": lambda: ChowLiuTree(normal(6, 6, 2, 2), (2, 0, -1, 2, 1, 4), BITS),
    "tree of categories": lambda: ChowLiuTree(normal(7, 4, 3, 3), (-1, 0, 1, -1), THREES),
}
"""Of any numbers, as training might leave them; the trees with branches, depth, and two roots."""


@pytest.mark.parametrize("name", EXACT)
def test_probabilities_sum_to_1_and_changes_are_differences(precision, name):
    energy = EXACT[name]()
    tolerance = 1e-12 if precision == "float64" else 2e-5
    energies, _ = distribution(energy)
    log_z = float(jax.jit(lambda: energy.log_z())())
    assert abs(np.log(np.sum(np.exp(-energies))) - log_z) < tolerance
    assert (log_z == 0) != isinstance(energy, Enumerated)
    x = energy.space.points(jnp.array([37]))[0]
    found = jax.jit(lambda x: change_energies(energy, x, energy.space))(x)
    assert found.dtype == jnp.result_type(float)
    expected = expected_changes(energy.space, x, energies)
    assert np.allclose(found, expected, rtol=0, atol=10 * tolerance)


def excess(energy, found):
    """Chi-square of draws against the enumeration, in its standard deviations."""
    p = distribution(energy)[1]
    counts = np.bincount(np.asarray(jax.vmap(energy.space.number)(found)), minlength=len(p))
    expected = len(found) * p
    rare = expected < 10
    joined = np.append(expected[~rare], expected[rare].sum())
    seen = np.append(counts[~rare], counts[rare].sum())
    freedom = len(joined) - 1
    return float((np.sum((seen - joined) ** 2 / joined) - freedom) / np.sqrt(2 * freedom))


@pytest.mark.parametrize("name", EXACT)
def test_draws_are_those_of_the_distribution(key, name):
    """20,000 draws, cells of at least 10; below 8: one false alarm in more than 1e6 keys.

    Negative control: draws with two sites exchanged.
    """
    energy = EXACT[name]()
    found = jax.jit(lambda k: draws(energy, 20_000, key=k))(key)
    assert found.dtype == jnp.uint8
    assert excess(energy, found) < 8
    flat = found.reshape(len(found), -1)
    wrong = flat[:, jnp.array([1, 0, *range(2, flat.shape[1])])].reshape(found.shape)
    assert excess(energy, wrong) > 20


def test_a_tree_is_a_base_of_a_tilt():
    """Changes of the tilt are those of its sum, and training moves its network alone."""
    base = EXACT["tree of bits"]()
    tilt = Tilt(base, lambda e: jnp.sum(e[0]) * e[1, 1])
    x = BITS.points(jnp.array([37]))[0]
    found = jax.jit(lambda x: change_energies(tilt, x, BITS))(x)
    expected = expected_changes(BITS, x, distribution(tilt)[0])
    assert np.allclose(found, expected, rtol=0, atol=1e-11)


def rows_of(space, size, seed=0):
    """Rows of a mixture with strong pairs, so that a fit has something to find."""
    rng = np.random.default_rng(seed)
    half = rng.integers(0, space.states, (size, space.sites // 2))
    noise = rng.integers(0, space.states, half.shape)
    other = np.where(rng.random(half.shape) < 0.3, noise, half)
    return np.concatenate([half, other], axis=1).reshape(size, *space.shape).astype(np.uint8)


@pytest.mark.parametrize("space", [Bits((10,)), Categories((2, 3), 3)], ids=["bits", "categories"])
def test_a_fitted_tree_is_one_distribution_for_every_root(space):
    """B6: sums to 1, any root. Fault: marginals smoothed apart from the pairs."""
    rows = rows_of(space, 60)
    first = distribution(fit_tree(rows, space, pseudocount=2.0))
    assert abs(np.exp(-first[0]).sum() - 1) < 1e-10
    other = fit_tree(rows, space, pseudocount=2.0, root=4)
    assert other.parents[4] == -1
    assert np.allclose(distribution(other)[1], first[1], rtol=0, atol=1e-12)
    marginal = np.zeros(space.states)
    values = np.asarray(space.enumerate()).reshape(space.count, -1)[:, 3]
    np.add.at(marginal, values, first[1])
    smoothed = np.exp(fit_sites(rows, space, pseudocount=2.0).log_probabilities[3])
    assert np.allclose(marginal, smoothed, atol=1e-10)
    apart = jnp.log((marginal_counts(rows, 4, space) + 0.5) / (60 + 0.5 * space.states))
    fault = ChowLiuTree(other.logits.at[4].set(apart), other.parents, space)
    assert not np.allclose(distribution(fault)[1], first[1], rtol=0, atol=1e-6)


def marginal_counts(rows, site, space):
    """How many rows have each value at a site."""
    return np.bincount(rows.reshape(len(rows), -1)[:, site], minlength=space.states)


def test_a_fitted_tree_has_the_edges_that_matter():
    """Each site of the second half hangs on its own of the first, in rows made so."""
    space = Bits((10,))
    parents = fit_tree(rows_of(space, 2000), space).parents
    pairs = {frozenset((i, p)) for i, p in enumerate(parents.tolist()) if p >= 0}
    assert {frozenset((i, i + 5)) for i in range(5)} <= pairs
    assert len(pairs) == 9


def test_a_fitted_mixture_finds_the_components():
    """Two components far apart; also the count of pairs against plain loops."""
    space = Categories((4,), 3)
    rng = np.random.default_rng(3)
    label = rng.random(3000) < 0.3
    rows = np.where(label[:, None], 0, 2) + (rng.random((3000, 4)) < 0.2) * np.where(
        label[:, None], 1, -1
    )
    rows = rows.astype(np.uint8)
    mixture = fit_site_mixture(rows, space, 2, seed=1)
    weights = np.sort(np.asarray(jax.nn.softmax(mixture.log_weights)))
    assert np.allclose(weights, [0.3, 0.7], atol=0.05)  # 6 standard errors
    gain = mean_log_density(mixture, rows) - mean_log_density(fit_sites(rows, space), rows)
    assert gain > 1
    pairs = count_pairs(rows[:9], space, np.ones(9))
    assert pairs[1, 2, 3, 1] == sum(row[1] == 2 and row[3] == 1 for row in rows[:9])


def mean_log_density(energy, rows):
    """Of all rows, in nats."""
    return float(jax.jit(lambda r: jnp.mean(jax.vmap(lambda x: log_density(energy, x))(r)))(rows))


def test_what_is_no_distribution_is_refused():
    space = Bits((2,))
    good = np.zeros((3, 2), np.uint8)
    for fit in (fit_sites, fit_tree, lambda r, s, **k: fit_site_mixture(r, s, 1, **k)):
        with pytest.raises(ValueError, match="row 1 holds 2"):
            fit(np.array([[0, 1], [0, 2]]), space)
        with pytest.raises(ValueError, match="numbers of type float64"):
            fit(good.astype(float), space)
        with pytest.raises(ValueError, match=r"of shape \(2,\)"):
            fit(good[:, :1], space)
        with pytest.raises(ValueError, match="`pseudocount` must be above 0"):
            fit(good, space, pseudocount=0.0)
    with pytest.raises(ValueError, match="4 components cannot be fitted to 3 rows"):
        fit_site_mixture(good, space, 4)
    with pytest.raises(ValueError, match="without a cycle"):
        ChowLiuTree(np.zeros((2, 2, 2)), (1, 0), space)
    with pytest.raises(ValueError, match=r"`logits` must have shape \(2, 2\)"):
        IndependentSites(np.zeros((2, 3)), space)


@needs("debd_binary")
def test_fits_of_nltcs_have_the_published_likelihoods():
    """Test rows in nats: -6.76 for the best tree; -9.23 for independent sites."""
    parts = {}
    for part in ("train", "test"):
        with gzip.open(REAL_FILES / "debd_binary" / f"nltcs.{part}.data.gz", "rt") as file:
            parts[part] = np.loadtxt(file, np.uint8, delimiter=",")
    space = Bits((16,))
    tree, sites = fit_tree(parts["train"], space), fit_sites(parts["train"], space)
    assert abs(mean_log_density(tree, parts["test"]) + 6.76) < 0.01
    assert abs(mean_log_density(sites, parts["test"]) + 9.23) < 0.01
