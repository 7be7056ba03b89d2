"""Ising, Boltzmann machine and Potts: changes, conversions, gauge, and the torus that is solved."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import distribution, expected_changes
from scipy.special import logsumexp, softmax

from energax.energy import (
    BoltzmannMachine,
    Ising,
    Potts,
    approximate_changes,
    change_energies,
    colour_sites,
    contact_scores,
    convert_to_boltzmann,
    convert_to_ising,
    lattice_edges,
    zero_sum_gauge,
)
from energax.evaluate import torus, torus_energy, torus_log_z


def normal(seed, *shape):
    """Numbers of a generator of their own, in the precision of the test."""
    return np.random.default_rng(seed).normal(size=shape).astype(jnp.result_type(float))


PAIRS = {
    "ising": lambda: Ising(normal(0, 7), normal(1, 2, 3), lattice_edges((2, 3))[:7]),
    "boltzmann": lambda: BoltzmannMachine(normal(2, 6, 6), normal(3, 2, 3)),
    "potts": lambda: Potts(normal(4, 4, 3, 4, 3), normal(5, 2, 2, 3)),
}
"""Energies on at most 81 points, of entries that are neither symmetric nor without a diagonal."""


def brute_force(energy, x):
    """The energy of an example, by its formula, in plain loops."""
    flat = np.asarray(x).reshape(-1).astype(int)
    sites = range(len(flat))
    match energy:
        case Ising():
            s = 2 * flat - 1
            fields = np.asarray(energy.fields).reshape(-1)
            pairs = zip(np.asarray(energy.couplings), energy.edges, strict=True)
            return -sum(j * s[a] * s[b] for j, (a, b) in pairs) - fields @ s
        case BoltzmannMachine():
            w, b = np.asarray(energy.entries), np.asarray(energy.biases).reshape(-1)
            half = sum((w[i, j] + w[j, i]) / 2 * flat[i] * flat[j] for i in sites for j in range(i))
            return -half - b @ flat
    w, h = np.asarray(energy.entries), np.asarray(energy.fields).reshape(len(flat), -1)
    pairs = [(i, j) for i in sites for j in range(i)]
    both = [(w[i, flat[i], j, flat[j]] + w[j, flat[j], i, flat[i]]) / 2 for i, j in pairs]
    return -sum(both) - sum(h[i, flat[i]] for i in sites)


@jax.jit
def all_changes(energy, x):
    """Changes of all sites, of two of them, and to first order; one program."""
    exact = change_energies(energy, x, energy.space)
    some = change_energies(energy, x, energy.space, jnp.array([3, 1]))
    return exact, some, approximate_changes(energy, x, energy.space)[1]


@pytest.mark.parametrize("name", PAIRS)
def test_an_energy_of_pairs_is_its_formula_and_knows_its_changes(precision, name):
    """Also to first order: it is linear in each site."""
    energy = PAIRS[name]()
    tolerance = 1e-12 if precision == "float64" else 1e-5
    points = np.asarray(energy.space.enumerate())
    values = np.asarray(jax.jit(jax.vmap(energy))(points))
    assert values.dtype == jnp.result_type(float)
    for number in (0, 11, len(points) - 5):
        assert abs(float(values[number]) - brute_force(energy, points[number])) < tolerance * 10
    found, some, nearly = all_changes(energy, points[11])
    expected = expected_changes(energy.space, points[11], values)
    assert np.allclose(found, expected, rtol=0, atol=tolerance * 10)
    assert np.allclose(some, expected[[3, 1]], rtol=0, atol=tolerance * 10)
    assert np.allclose(nearly, expected, rtol=0, atol=tolerance * 10)


@pytest.mark.parametrize("name", ["boltzmann", "potts"])
def test_training_keeps_couplings_symmetric_without_self_coupling(name):
    """A gradient step on the entries, which are not symmetric; negative control on these."""
    energy = PAIRS[name]()
    x = jnp.asarray(np.asarray(energy.space.points(np.array([13])))[0])
    grad = np.asarray(jax.jit(jax.grad(lambda e: e(x)))(energy).entries)
    moved = np.asarray(energy.entries) - 0.3 * grad
    size = moved.size // energy.space.sites
    energy = type(energy)(moved, energy.biases if name == "boltzmann" else energy.fields)
    full = jax.jit(lambda e: e.weights if name == "boltzmann" else e.couplings)(energy)
    flat = np.asarray(full).reshape(size, -1) if name == "boltzmann" else np.asarray(full)
    if name == "potts":
        assert all(np.all(flat[i, :, i] == 0) for i in range(len(flat)))
        flat = flat.reshape(12, 12)
    assert np.array_equal(flat, flat.T)
    assert np.all(np.diag(flat) == 0)
    assert not np.allclose(moved.reshape(flat.shape), moved.reshape(flat.shape).T)
    assert np.allclose(np.diag(np.asarray(grad).reshape(flat.shape)), 0)


def test_ising_and_boltzmann_machine_are_one_distribution():
    """B3: with E_Ising - E_BM = -sum J + sum h. Fault: fields doubled, and no couplings in them."""
    ising = PAIRS["ising"]()
    machine = jax.jit(convert_to_boltzmann)(ising)
    (first, p), (second, q) = distribution(ising), distribution(machine)
    assert np.allclose(p, q, atol=1e-12)
    constant = np.sum(ising.fields) - np.sum(ising.couplings)
    assert np.allclose(first - second, constant, atol=1e-12)
    back = eqx.filter_jit(convert_to_ising)(machine)
    assert np.allclose(distribution(back)[1], p, atol=1e-12)
    assert np.allclose(back.fields, ising.fields, atol=1e-12)
    fault = BoltzmannMachine(machine.entries, 2 * np.asarray(ising.fields))
    assert not np.allclose(distribution(fault)[1], p, atol=1e-2)


def test_the_gauge_changes_numbers_and_no_probability():
    """Fault: fields that do not take up the means."""
    potts, gauge = PAIRS["potts"](), jax.jit(zero_sum_gauge)
    gauged = gauge(potts)
    full, fields = jax.jit(lambda e: e.couplings)(gauged), np.asarray(gauged.fields)
    p = distribution(potts)[1]
    assert np.allclose(distribution(gauged)[1], p, atol=1e-12)
    for axis in (1, 3):
        assert np.allclose(np.sum(np.asarray(full), axis=axis), 0, atol=1e-12)
    assert np.allclose(np.sum(fields, axis=-1), 0, atol=1e-12)
    assert np.allclose(gauge(gauged).entries, gauged.entries, atol=1e-12)
    fault = Potts(gauged.couplings, potts.fields)
    assert not np.allclose(distribution(fault)[1], p, atol=1e-2)


def test_contact_scores_find_the_pair_that_is_coupled():
    """Corrected norms in plain loops; a pair planted among weak ones scores highest."""
    entries = np.random.default_rng(7).normal(size=(5, 3, 5, 3)) * 0.05
    entries[1, :, 4, :] += 2 * np.eye(3)
    potts = Potts(entries, np.zeros((5, 3)))
    scores = np.asarray(jax.jit(contact_scores)(potts))
    assert np.unravel_index(np.argmax(scores), scores.shape) == (1, 4)
    full = np.asarray(jax.jit(lambda e: zero_sum_gauge(e).couplings)(potts))
    norm = np.array([[np.linalg.norm(full[i, :, j]) for j in range(5)] for i in range(5)])
    mean, overall = norm.sum(axis=1) / 4, norm.sum() / 20
    expected = norm - np.outer(mean, mean) / overall
    assert np.allclose(scores, expected * (1 - np.eye(5)), atol=1e-12)
    without = np.asarray(jax.jit(lambda e: contact_scores(e, gap=0))(potts))
    assert not np.allclose(without, scores)
    norm = np.array([[np.linalg.norm(full[i, 1:, j, 1:]) for j in range(5)] for i in range(5)])
    mean, overall = norm.sum(axis=1) / 4, norm.sum() / 20
    assert np.allclose(without[1, 4], norm[1, 4] - mean[1] * mean[4] / overall, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "periodic", "edges", "colours"),
    [
        ((4, 6), True, 48, 2),
        ((3, 4), True, 24, 3),
        ((5, 5), True, 50, 3),
        ((5, 3), False, 22, 2),
        ((2, 4), True, 12, 2),
        ((1, 5), True, 5, 3),
        ((4, 4, 4), True, 192, 2),
        ((1,), True, 0, 1),
    ],
)
def test_lattices_and_their_colours(shape, periodic, edges, colours):
    """Every pair once; no two neighbours of one colour, each site in one group."""
    found = lattice_edges(shape, periodic)
    sites = int(np.prod(shape))
    assert len(found) == len(set(found)) == edges
    groups = colour_sites(found, sites)
    assert sorted(i for group in groups for i in group) == list(range(sites))
    assert not any({i, j} <= set(group) for group in groups for i, j in found)
    assert len(groups) == colours


def test_edges_that_are_none_are_refused():
    for edges, said in (
        ([(0, 0)], "pairs of different sites from 0 to 2"),
        ([(0, 3)], "pairs of different sites from 0 to 2"),
        ([(0, 1), (1, 0)], "each pair once"),
    ):
        with pytest.raises(ValueError, match=said):
            Ising(1.0, np.zeros(3), edges)
    with pytest.raises(ValueError, match=r"`entries` must have shape \(3, 3\)"):
        BoltzmannMachine(np.zeros((2, 2)), np.zeros(3))
    with pytest.raises(ValueError, match=r"`entries` must have shape \(3, 2, 3, 2\)"):
        Potts(np.zeros((2, 2, 2, 2)), np.zeros((3, 2)))


TORI = [(3, 4), (4, 3), (4, 4), (3, 5)]
COUPLINGS = [0.1, 0.3, 0.44068679, 0.5, 1.0]


@pytest.mark.parametrize("shape", TORI)
def test_the_solved_torus_is_its_enumeration(shape):
    """B1 and B2: log Z and the energy per site. Fault: every edge counted twice."""
    edges = lattice_edges(shape)
    values = distribution(Ising(1.0, np.zeros(shape), edges))[0]
    for coupling in COUPLINGS:
        log_z = logsumexp(-coupling * values)
        mean = softmax(-coupling * values) @ values / len(edges) * 2
        assert abs(torus_log_z(coupling, *shape) - log_z) < 1e-9
        assert abs(torus_energy(coupling, *shape) - mean) < 1e-9
        assert abs(torus_log_z(2 * coupling, *shape) - log_z) > 1e-2


def test_a_rate_without_its_sign_is_seen(monkeypatch):
    """B1, planted: the first rate is negative above the critical temperature, and only there."""
    exact = {coupling: torus_log_z(coupling, 3, 4) for coupling in (0.3, 0.5)}
    signed = torus._rates
    monkeypatch.setattr(torus, "_rates", lambda k, n: signed(k, n) * np.sign(signed(k, n).real))
    assert abs(torus_log_z(0.3, 3, 4) - exact[0.3]) > 1e-2
    assert torus_log_z(0.5, 3, 4) == exact[0.5]


def test_the_solved_torus_has_the_values_of_the_literature():
    """Finite sizes, Onsager's infinite lattice away from the critical coupling, and at it."""
    expected = {(10, 0.4): (0.88187701, -1.185101), (32, 0.5): (1.02646971, -1.745564)}
    for (side, coupling), (log_z, energy) in expected.items():
        assert abs(torus_log_z(coupling, side, side) / side**2 - log_z) < 1e-8
        assert abs(torus_energy(coupling, side, side) - energy) < 1e-6
    assert abs(torus_energy(0.2, 64, 64) + 0.428229) < 1e-6
    assert abs(torus_log_z(1.0, 2000, 2000) / 4e6 - 2.0) < 1e-2
    critical = float(np.log1p(np.sqrt(2)) / 2)
    assert abs(torus_energy(critical, 32, 32) + 1.433658) < 1e-5
    with pytest.raises(ValueError, match="at least 3"):
        torus_log_z(0.4, 2, 4)
    with pytest.raises(ValueError, match="`coupling` must be above 0"):
        torus_energy(0.0, 4, 4)
