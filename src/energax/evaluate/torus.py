"""The Ising model on a torus, solved: what chains on a lattice are checked against."""

import math

import numpy as np
from jaxtyping import Shaped

STEP = 1e-30
"""Of the complex step, whose square is lost beside 1."""


def torus_log_z(coupling: float, rows: int, columns: int) -> float:
    """log Z of the Ising model without fields on a torus of `rows` x `columns` sites, in nats.

    E(s) = -coupling sum_edges s_i s_j, each edge once: `energy.Ising(coupling, zeros, edges)` with
    `energy.lattice_edges((rows, columns))`. In float64, whatever JAX's own precision is.

    Args:
        coupling: J over temperature; above 0.
        rows, columns: at least 3 each; on a side of 2 the formula counts edges twice.

    Raises:
        ValueError: outside these ranges.

    Source: Kaufman (1949), the sum of four products; the first rate is signed, negative above the
    critical temperature.

    Example:
        >>> round(ex.evaluate.torus_log_z(0.4, 4, 4) / 16, 8)
        0.91006831
    """
    _check(coupling, rows, columns)
    return float(_log_z(complex(coupling), rows, columns).real)


def torus_energy(coupling: float, rows: int, columns: int) -> float:
    """The mean of -sum_edges s_i s_j per site on the torus of `torus_log_z`, exactly.

    It is -(d log Z / d coupling) / sites, by a complex step.

    Args:
        coupling: J over temperature; above 0.
        rows, columns: at least 3 each.

    Raises:
        ValueError: outside these ranges.

    Source: Kaufman (1949).

    Example:
        >>> round(ex.evaluate.torus_energy(0.4, 4, 4), 6)
        -1.379116
    """
    _check(coupling, rows, columns)
    return float(-_log_z(complex(coupling, STEP), rows, columns).imag / STEP / (rows * columns))


def _check(coupling: float, rows: int, columns: int) -> None:
    if not coupling > 0:
        raise ValueError(f"`coupling` must be above 0; got {coupling}.")
    if min(rows, columns) < 3:
        raise ValueError(f"`rows` and `columns` must be at least 3; got {rows} and {columns}.")


def _log_z(coupling: complex, rows: int, columns: int) -> complex:
    """Analytic in the coupling, so that a complex step gives its derivative."""
    rates = _rates(coupling, columns)
    parts = []
    for chosen in (rates[1::2], rates[::2]):
        exponents = rows * chosen / 2
        # 2 cosh y = e^y (1 + e^-2y) and 2 sinh y = e^y (1 - e^-2y), for y turned to its right side.
        side = np.where(exponents.real < 0, -1, 1)
        turned = side * exponents
        parts.append((1, np.sum(turned + np.log1p(np.exp(-2 * turned)))))
        with np.errstate(divide="ignore"):  # a rate of 0, at the critical coupling: a product of 0
            sizes = np.sum(turned + np.log(-np.expm1(-2 * turned)))
        parts.append((np.prod(side), sizes))
    highest = max(size.real for _, size in parts)
    total = sum(sign * np.exp(size - highest) for sign, size in parts)
    whole = highest + np.log(total) - math.log(2)
    return whole + rows * columns / 2 * np.log(2 * np.sinh(2 * coupling))


def _rates(coupling: complex, columns: int) -> Shaped[np.ndarray, " rates"]:
    """The numbers g_l of the source, l from 0 to 2 columns - 1: above 0, but for the first."""
    ratio = np.cosh(2 * coupling) ** 2 / np.sinh(2 * coupling)
    cosines = ratio - np.cos(np.arange(1, 2 * columns) * math.pi / columns)
    later = np.log(cosines + np.sqrt(cosines**2 - 1))
    return np.append(2 * coupling + np.log(np.tanh(coupling)), later)
