"""A distribution of three columns that is known exactly, and sums over all its rows."""

import itertools

import jax.numpy as jnp
import numpy as np

from energax.energy import ColumnMixture
from energax.space import Columns

SPACE = Columns((0, 3, 2), (True, False, True))
"""A number with holes, a category of three values, and one of two with holes."""

AXIS = np.linspace(-9.0, 9.0, 241)
"""Where the number is looked at: the trapezoid rule on it is exact to ten digits."""

STEP = AXIS[1] - AXIS[0]


def truth():
    """Two components, so that every column says something of the others."""
    logits = np.zeros((2, 3, 3))
    logits[0] = [[0.0, -2.0, 0.0], [0.0, 1.0, -1.0], [0.5, 0.0, -1.0]]
    logits[1] = [[0.0, -0.5, 0.0], [1.0, -1.0, 0.5], [-1.0, 0.0, 0.3]]
    shares = np.log([[[0.7, 0.3]] * 3, [[0.4, 0.6]] * 3])
    means = np.array([[[-1.0, 0.5]] * 3, [[1.0, 2.0]] * 3])
    stds = np.array([[[0.5, 0.8]] * 3, [[0.6, 0.4]] * 3])
    return ColumnMixture(np.log([0.6, 0.4]), logits, shares, means, stds, SPACE)


def list_rows():
    """Every row of the grid, holes among them, and the volume that it stands for."""
    numbers = np.append(AXIS, np.nan)
    volumes = np.append(np.full(len(AXIS), STEP), 1.0)
    others = list(itertools.product(range(3), (0.0, 1.0, np.nan)))
    rows = [(x, *rest) for x in numbers for rest in others]
    return jnp.array(rows), np.repeat(volumes, len(others))
