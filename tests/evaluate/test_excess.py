"""What a column adds to an energy, against the closed form of a Gaussian."""

import numpy as np
import pytest

from energax.evaluate import column_excess

PRECISION = np.array([[2.0, -0.9, 0.0], [-0.9, 1.0, 0.3], [0.0, 0.3, 0.5]])
GRID = np.linspace(-6, 6, 1201)[:, None] * np.ones(3)
ROWS = np.random.default_rng(0).normal(size=(40, 3))


def energy(rows):
    return np.einsum("ni,ij,nj->n", rows, PRECISION, rows) / 2


def test_it_is_that_of_the_conditional_of_a_gaussian():
    """Of exp(-x'Px / 2), the best change of x_j alone gains (Px)_j^2 / (2 P_jj)."""
    found = column_excess(energy, ROWS, GRID, values=1201)
    exact = (ROWS @ PRECISION) ** 2 / (2 * np.diag(PRECISION))
    assert np.allclose(found.excess, exact, atol=1e-4)
    usual = ROWS - ROWS @ PRECISION / np.diag(PRECISION)
    assert np.allclose(found.usual, usual, atol=0.006)


def test_many_rows_are_those_one_by_one(monkeypatch):
    monkeypatch.setattr("energax.evaluate.excess.BLOCK", 200)
    whole = column_excess(energy, ROWS, GRID[::10], values=20)
    parts = [column_excess(energy, ROWS[i : i + 1], GRID[::10], values=20) for i in range(40)]
    assert np.array_equal(whole.excess, np.concatenate([part.excess for part in parts]))


def test_a_column_in_its_best_place_adds_nothing():
    found = column_excess(energy, np.zeros((1, 3)), GRID[:100], values=8)
    assert found.excess.tolist() == [[0.0, 0.0, 0.0]]
    assert found.usual.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((ROWS, GRID[:, :2], 8), "columns of `rows`, 3"), ((ROWS, GRID, 0), "at least 1")],
)
def test_bad_input_is_refused(arguments, words):
    rows, reference, values = arguments
    with pytest.raises(ValueError, match=words):
        column_excess(energy, rows, reference, values=values)
