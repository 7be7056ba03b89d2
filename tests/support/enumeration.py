"""Sums over all points of a small space: energies, probabilities, changes of one site."""

import equinox as eqx
import jax
import numpy as np
from scipy.special import softmax

_energies = eqx.filter_jit(lambda energy, points: jax.vmap(energy)(points))


def distribution(energy):
    """The energy and the probability of each point of the space of an energy, in float64."""
    energies = np.asarray(_energies(energy, energy.space.enumerate()), np.float64)
    return energies, softmax(-energies)


def expected_changes(space, x, energies):
    """E(x with a site set to a value) - E(x) for each site and value, from all energies."""
    flat = np.asarray(x).reshape(-1).astype(int)
    powers = space.states ** np.arange(space.sites - 1, -1, -1)
    here = int(flat @ powers)
    moved = here + (np.arange(space.states)[None] - flat[:, None]) * powers[:, None]
    return np.asarray(energies, np.float64)[moved] - float(energies[here])
