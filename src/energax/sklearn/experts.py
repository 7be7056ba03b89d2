"""Energies that are quickly fitted to rows, each of which sees another kind of unusual row."""

import abc
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

Rows = Float[np.ndarray, " size columns"]
Each = Float[np.ndarray, " size"]
Arrays = dict[str, np.ndarray]

RIDGE = 1e-3
"""Variance added to each axis of a Gaussian, in units of the column."""

LINEAR_RIDGE, USUAL = 1e-2, 0.7
"""Variance added to each axis of a linear regression; the quantile of a usual residual."""

NEAR, AROUND = 5, 20
"""Which neighbour's distance is an energy, and how many neighbours are a neighbourhood."""

ISOTROPIC = 0.1
"""Share of a local covariance that is alike along all axes."""

FLOOR = 1e-6
"""Least variance of a local Gaussian, in units of the column: rows may come twice."""

BLOCK = 500
"""Rows whose neighbourhoods are held in memory at once."""

LAST = 3.5
"""Normal score of the outermost training rows; beyond them it grows in standard deviations."""

ROWS_OF_ONE = 2
"""Rows for each column and Gaussian, at least."""


class AbstractUnits(abc.ABC):
    """Columns brought to comparable units, by what is known of training rows."""

    @abc.abstractmethod
    def __call__(self, rows: Rows) -> Rows:
        """The rows in these units."""


class StandardUnits(AbstractUnits):
    """Mean 0 and standard deviation 1; of a constant column, the mean alone."""

    def __init__(self, rows: Rows):
        spread = rows.std(axis=0)
        self.mean, self.std = rows.mean(axis=0), np.where(spread > 0, spread, 1.0)

    def __call__(self, rows: Rows) -> Rows:
        return (rows - self.mean) / self.std


class NormalScores(AbstractUnits):
    """The quantile of each number among the training rows, as that of N(0, 1).

    Heavy tails, skew and scales no longer matter. Beyond the training rows it goes on linearly.
    """

    def __init__(self, rows: Rows):
        self.sorted = np.sort(rows, axis=0)
        spread = rows.std(axis=0)
        self.std = np.where(spread > 0, spread, 1.0)

    def __call__(self, rows: Rows) -> Rows:
        places = np.linspace(0, 1, len(self.sorted))
        found = np.empty(rows.shape)
        for at, column in enumerate(self.sorted.T):
            # Of a value that many rows share, the middle of its places.
            low = np.interp(rows[:, at], column, places)
            high = -np.interp(-rows[:, at], -column[::-1], -places[::-1])
            found[:, at] = np.clip(norm.ppf((low + high) / 2), -LAST, LAST)
        low, high = self.sorted[0], self.sorted[-1]
        return found + (rows - np.clip(rows, low, high)) / self.std


def fit_mixture(rows: Rows, components: int, seed: int) -> GaussianMixture:
    """A mixture of Gaussians, of fewer where rows are few."""
    most = max(1, len(rows) // (ROWS_OF_ONE * rows.shape[1]))
    found = GaussianMixture(min(components, most), reg_covar=RIDGE, random_state=seed)
    return found.fit(rows)


def save_mixture(mixture: GaussianMixture) -> Arrays:
    """Its arrays by name."""
    parts = {
        "weights": mixture.weights_,
        "means": mixture.means_,
        "factors": mixture.precisions_cholesky_,
    }
    return {name: np.asarray(array) for name, array in parts.items()}


def load_mixture(arrays: Arrays) -> GaussianMixture:
    """The mixture of the arrays."""
    found = GaussianMixture(len(arrays["weights"]))
    found.weights_, found.means_ = arrays["weights"], arrays["means"]
    found.precisions_cholesky_ = arrays["factors"]
    return found


class LinearConditionals:
    """The pseudo-likelihood of linear regressions, each column on all others.

    E(x) = sum_j 2 log(1 + (r_j / s_j)^2 / 3), that of Student t distributions with three degrees of
    freedom around the predictions: r_j = (P (x - mean))_j / P_jj is the residual, P the inverse of
    the covariance plus a ridge, and s_j the 70% quantile of |r_j|. Besag (1975).
    """

    def __init__(self, rows: Rows):
        self.mean = rows.mean(axis=0)
        covariance = np.cov(rows, rowvar=False, ddof=0).reshape(rows.shape[1], -1)
        precision = np.linalg.inv(covariance + LINEAR_RIDGE * np.eye(len(covariance)))
        self.weights = precision / np.diag(precision)
        self.scales = np.quantile(np.abs(self._residuals(rows)), USUAL, axis=0) + RIDGE

    def _residuals(self, rows: Rows) -> Rows:
        return (rows - self.mean) @ self.weights

    def energies(self, rows: Rows) -> Each:
        """A number for each row."""
        return 2 * np.log1p((self._residuals(rows) / self.scales) ** 2 / 3).sum(axis=1)


class Neighbourhoods:
    """Three energies by the nearest training rows.

    The distance to the fifth nearest; the log of the local outlier factor, how much sparser it is
    around a row than around its neighbours (Breunig, Kriegel, Ng and Sander 2000); and -log of a
    sum of Gaussians at the nearest training rows, each with the covariance of its own
    neighbourhood (manifold Parzen windows, Vincent and Bengio 2002), a tenth of which is the same
    along all axes.
    """

    def __init__(self, rows: Rows):
        self.rows = rows
        self.count = min(AROUND, len(rows) - 1)
        self.finder = NearestNeighbors(n_neighbors=self.count).fit(rows)
        self.factor = LocalOutlierFactor(n_neighbors=self.count, novelty=True).fit(rows)
        around = np.asarray(self.finder.kneighbors()[1])
        self._fit_local(rows[around] - rows[:, None])

    def _fit_local(self, steps: Float[np.ndarray, " size near columns"]) -> None:
        """Of each covariance C = a (I + B'B): a, L^-1 B with L L' = I + B B', and log det / 2."""
        near, columns = steps.shape[1:]
        variance = (steps**2).sum(axis=(1, 2)) / (near * columns)
        self.level = ISOTROPIC * variance + FLOOR
        scale = np.sqrt((1 - ISOTROPIC) / near / self.level)
        b = steps * scale[:, None, None]
        factors = np.linalg.cholesky(np.eye(near) + b @ b.transpose(0, 2, 1))
        self.whiteners = np.linalg.solve(factors, b)
        halves = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        self.log_volumes = halves + columns * np.log(self.level) / 2

    def energies(self, rows: Rows) -> Float[np.ndarray, " size 3"]:
        """Distance, log of the outlier factor and local energy of each row."""
        parts = [self._energies(rows[at : at + BLOCK]) for at in range(0, len(rows), BLOCK)]
        return np.concatenate(parts)

    def _energies(self, rows: Rows) -> Float[np.ndarray, " size 3"]:
        found: Any = self.finder.kneighbors(rows)
        distances, near = found
        factors = np.log(-self.factor.score_samples(rows))
        local = self._find_local(rows, near)
        return np.stack([distances[:, min(NEAR, self.count) - 1], factors, local], axis=1)

    def _find_local(self, rows: Rows, near: Int[np.ndarray, " size near"]) -> Each:
        steps = rows[:, None] - self.rows[near]
        inner = np.einsum("nkij,nkj->nki", self.whiteners[near], steps)
        square = (steps**2).sum(axis=-1) - (inner**2).sum(axis=-1)
        parts = -square / self.level[near] / 2 - self.log_volumes[near]
        return -np.asarray(logsumexp(parts, axis=1))
