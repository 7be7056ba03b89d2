"""Rows of bits and categories with known distributions are draws of them."""

import numpy as np
import pytest
from agreement import agrees
from enumeration import distribution

from energax.data import ising, potts
from energax.energy import contact_scores
from energax.evaluate import torus_energy


@pytest.mark.parametrize("data", [ising, potts])
def test_rows_are_draws_of_the_distribution(data):
    """Mean and spread of the energy of rows; `agrees` states the rate. Negative control: 0.9 E."""
    rows = data()
    energies, p = distribution(rows.distribution)
    powers = rows.space.states ** np.arange(rows.space.sites - 1, -1, -1)
    both = np.concatenate([rows.train, rows.test]).reshape(-1, rows.space.sites)
    found = energies[both.astype(int) @ powers]
    mean = p @ energies
    assert agrees(found, mean)
    assert agrees((found - mean) ** 2, p @ (energies - mean) ** 2)
    flatter = np.exp(-0.9 * energies) / np.exp(-0.9 * energies).sum()
    assert not agrees(found, flatter @ energies)
    assert not np.array_equal(data(seed=1).train, rows.train)


def test_the_answers_are_known():
    """The energy per site of the torus in closed form; the pairs that are coupled."""
    rows = ising(0.3)
    energies, p = distribution(rows.distribution)
    assert abs(p @ energies / 16 / 0.3 - torus_energy(0.3, 4, 4)) < 1e-9
    scores = np.triu(contact_scores(potts().distribution.energy))
    best = np.argsort(scores, axis=None)[-6:]
    found = {tuple(int(i) for i in np.unravel_index(one, scores.shape)) for one in best}
    assert found == {(0, 5), (1, 8), (2, 3), (2, 7), (4, 9), (6, 9)}
