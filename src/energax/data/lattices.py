"""Rows of bits and of categories with exactly known distributions."""

import numpy as np
from jaxtyping import Float, UInt8

from energax.data.base import Dataset
from energax.energy import AbstractDistribution, Enumerated, Ising, Potts, lattice_edges

SIDE = 4
"""Of the torus of spins, whose 2^16 states can be enumerated."""

SITES, STATES = 10, 3
"""Of the Potts model, whose 3^10 states can be enumerated."""

CONTACTS = ((0, 5), (1, 8), (2, 3), (2, 7), (4, 9), (6, 9))
"""Its pairs that are coupled."""


def ising(coupling: float = 0.4, *, train: int = 8192, test: int = 4000, seed: int = 0) -> Dataset:
    """Independent exact draws of the Ising model without fields on a 4 x 4 torus, as bits.

    `distribution` knows log Z; `evaluate.torus_log_z` has it in closed form.

    Args:
        coupling: J over temperature; 0.4407 is critical on an infinite lattice.
        train, test: how many rows.
        seed: of the draws.

    Example:
        >>> rows = ex.data.ising(train=100, test=50)
        >>> rows.train.shape, rows.train.dtype.name, rows.space.states
        ((100, 4, 4), 'uint8', 2)
    """
    edges = lattice_edges((SIDE, SIDE))
    points = _points(2, SIDE**2)
    spins = 2 * points.astype(np.int64) - 1
    energies = -coupling * sum(spins[:, i] * spins[:, j] for i, j in edges)
    exact = Enumerated(Ising(coupling, np.zeros((SIDE, SIDE)), edges))
    return _draw("ising", points.reshape(-1, SIDE, SIDE), energies, exact, (train, test, seed))


def potts(strength: float = 1.0, *, train: int = 8192, test: int = 4000, seed: int = 0) -> Dataset:
    """Independent exact draws of a Potts model of 10 sites and 3 states with 6 coupled pairs.

    `distribution.energy` holds the couplings that a fit should find: `CONTACTS` of this file.

    Args:
        strength: the standard deviation of couplings; those of fields is 0.5.
        train, test: how many rows.
        seed: of the draws; the model is always the same.

    Example:
        >>> rows = ex.data.potts(train=100, test=50)
        >>> rows.train.shape, rows.space.states
        ((100, 10), 3)
    """
    rng = np.random.default_rng(11)
    fields = 0.5 * rng.standard_normal((SITES, STATES))
    entries = np.zeros((SITES, STATES, SITES, STATES))
    for i, j in CONTACTS:
        entries[i, :, j] = strength * rng.standard_normal((STATES, STATES))
        entries[j, :, i] = entries[i, :, j].T
    points = _points(STATES, SITES)
    energies = -sum(fields[i, points[:, i]] for i in range(SITES))
    energies = energies - sum(entries[i, points[:, i], j, points[:, j]] for i, j in CONTACTS)
    return _draw("potts", points, energies, Enumerated(Potts(entries, fields)), (train, test, seed))


def _points(states: int, sites: int) -> UInt8[np.ndarray, " count sites"]:
    powers = states ** np.arange(sites - 1, -1, -1)
    return (np.arange(states**sites)[:, None] // powers[None] % states).astype(np.uint8)


def _draw(
    name: str,
    points: UInt8[np.ndarray, " count *shape"],
    energies: Float[np.ndarray, " count"],
    distribution: AbstractDistribution,
    sizes: tuple[int, int, int],
) -> Dataset:
    train, test, seed = sizes
    weights = np.exp(energies.min() - energies)
    rng = np.random.default_rng(seed)
    rows = points[rng.choice(len(points), train + test, p=weights / weights.sum())]
    states = distribution.space.states
    return Dataset(name, rows[:train], rows[train:], distribution=distribution, states=states)
