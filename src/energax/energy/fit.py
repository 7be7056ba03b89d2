"""Gaussian mixtures fitted to rows by maximum likelihood: base and noise distributions."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from sklearn.mixture import GaussianMixture as SklearnMixture

from energax.energy.distributions import GaussianMixture

Covariance = Literal["full", "tied", "diag"]

COMPONENTS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30)
RIDGES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""What `choose_mixture` tries."""

STARTS = (1, 10)
"""Numbers of components from which it climbs."""

STEPS = ((0, 1), (1, 0), (-1, 0), (0, 2), (0, -1), (1, 1))
"""Neighbours of a ridge and a number of components, in places of the tables above."""

MOST, FOLDED = 5000, 1500
"""Rows that it looks at; rows from which on one fold of five is held out, of fewer rows more."""

FOLDS = 5


@dataclasses.dataclass(frozen=True)
class MixtureChoice:
    """Which mixture of Gaussians suits rows that it was not fitted to.

    Args:
        components: how many Gaussians.
        covariance: "full" or "diag" covariances, or one that all share ("tied").
        ridge: added to each variance.
        value: mean log-likelihood of held-out rows, nats; minus infinity where none could be
            fitted.

    Example:
        >>> ex.energy.MixtureChoice(3, "full", 1e-3, -2.5).components
        3
    """

    components: int
    covariance: Covariance
    ridge: float
    value: float


def fit_mixture(
    rows: Float[np.ndarray, " size *shape"],
    components: int = 1,
    *,
    covariance: Covariance = "full",
    ridge: float = 1e-4,
    seed: int = 0,
) -> GaussianMixture:
    """Fit a mixture of `components` Gaussians by EM in float64.

    Args:
        covariance: "full" or "diag" covariances, or one that all share ("tied").
        ridge: added to each variance, in squared units of the rows. Without it a constant column
            makes a covariance singular.
        seed: of the initial assignment of rows to components.

    Raises:
        ValueError: for fewer rows than components, or fewer than 2.

    Source: scikit-learn's `GaussianMixture`.

    Example:
        >>> rows = np.array([[0.0], [2.0], [4.0]])
        >>> ex.energy.fit_mixture(rows).means.round(6).tolist()
        [[2.0]]
    """
    if len(rows) < max(components, 2):
        raise ValueError(f"{components} components cannot be fitted to {len(rows)} rows.")
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    found = SklearnMixture(
        components, covariance_type=covariance, reg_covar=ridge, random_state=seed
    ).fit(flat)
    means = np.asarray(found.means_).reshape(components, *rows.shape[1:])
    factors = np.linalg.cholesky(_spread(np.asarray(found.covariances_), components, covariance))
    log_weights = np.log(np.asarray(found.weights_))
    return GaussianMixture(*(a.astype(rows.dtype) for a in (log_weights, means, factors)))


def _spread(found: np.ndarray, components: int, covariance: Covariance) -> np.ndarray:
    """The full covariance matrix of each component."""
    match covariance:
        case "tied":
            return np.tile(found, (components, 1, 1))
        case "diag":
            return found[:, :, None] * np.eye(found.shape[1])
    return found


def choose_mixture(
    rows: Float[np.ndarray, " size *shape"],
    *,
    components: int | None = None,
    covariance: Covariance | None = None,
    ridge: float | None = None,
    seed: int = 0,
) -> MixtureChoice:
    """The mixture of 1 to 30 Gaussians that does best on rows held out: all folds of few rows.

    A climb over ridges and numbers of components, for each kind of covariance, from one Gaussian
    and from ten. At most 5,000 rows are looked at.

    Args:
        components, covariance, ridge: where given, they are not chosen.
        seed: of the folds, and of each fit.

    Raises:
        ValueError: for fewer than 3 rows.

    Example:
        >>> rows = np.concatenate([np.linspace(0, 1, 30), np.linspace(9, 10, 30)])[:, None]
        >>> ex.energy.choose_mixture(rows, covariance="tied", ridge=1e-2).components > 1
        True
    """
    if len(rows) < 3:
        raise ValueError(f"A mixture cannot be chosen on {len(rows)} rows: give 3 or more.")
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    flat = flat[np.random.default_rng((seed, 2)).permutation(len(flat))[:MOST]]
    parts = list(_split(flat))
    most = min(len(train) for train, _ in parts)
    sizes = [count for count in COMPONENTS if count <= max(most // 2, 1)]
    grid = (
        RIDGES if ridge is None else (ridge,),
        tuple(sizes) if components is None else (components,),
    )
    kinds = get_args(Covariance) if covariance is None else (covariance,)
    choices = [_climb(parts, kind, grid, seed) for kind in kinds]
    return max(choices, key=lambda choice: choice.value)


def _split(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit to and rows held out, of each fold."""
    folds = min(FOLDS, len(rows))
    fold = np.arange(len(rows)) % folds
    for held in range(min(max(FOLDED // len(rows), 1), folds)):
        yield rows[fold != held], rows[fold == held]


def _climb(
    parts: list[tuple[np.ndarray, np.ndarray]],
    covariance: Covariance,
    grid: tuple[tuple[float, ...], tuple[int, ...]],
    seed: int,
) -> MixtureChoice:
    """The best place of a grid of ridges and numbers of components that climbing finds."""
    known: dict[tuple[int, int], float] = {}

    def value(place: tuple[int, int]) -> float:
        if any(not 0 <= at < len(axis) for at, axis in zip(place, grid, strict=True)):
            return -math.inf
        if place not in known:
            ridge, count = grid[0][place[0]], grid[1][place[1]]
            known[place] = _score(parts, covariance, ridge, count, seed)
        return known[place]

    for count in STARTS:
        here = len(grid[0]) // 2, _nearest(grid[1], count)
        while True:
            around = ((here[0] + i, here[1] + j) for i, j in STEPS)
            there = next((place for place in around if value(place) > value(here)), None)
            if there is None:
                break
            here = there
    best = max(known, key=lambda place: known[place])
    return MixtureChoice(grid[1][best[1]], covariance, grid[0][best[0]], known[best])


def _nearest(counts: tuple[int, ...], count: int) -> int:
    return min(range(len(counts)), key=lambda at: abs(counts[at] - count))


def _score(
    parts: list[tuple[np.ndarray, np.ndarray]],
    covariance: Covariance,
    ridge: float,
    count: int,
    seed: int,
) -> float:
    """The mean log-likelihood of held-out rows; minus infinity where EM fails."""
    total = 0.0
    for train, held in parts:
        if count > len(train):
            return -math.inf
        try:
            found = SklearnMixture(
                count, covariance_type=covariance, reg_covar=ridge, random_state=seed, max_iter=50
            ).fit(train)
        except ValueError:
            # A covariance that is singular up to rounding: too little ridge.
            return -math.inf
        total += float(found.score(held))
    return total / len(parts)
