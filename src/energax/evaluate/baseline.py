"""What a simple density model reaches on the same rows: what an energy must exceed."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

VALID = 0.2
"""Share of the training rows on which settings are chosen."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Mean test log-density in nats, its standard error over `size` rows, and the setting chosen.

    `rows`: the log-density of each.

    Example:
        >>> ex.evaluate.Baseline(-1.9, 0.02, 500, "full covariance", np.zeros(500)).value
        -1.9
    """

    value: float
    error: float
    size: int
    setting: str
    rows: Float[np.ndarray, " size"]


Rows = Float[np.ndarray, " size dim"]
Fit = Callable[[Rows], Callable[[Rows], Float[np.ndarray, " size"]]]


def fit_baselines(
    train: Float[np.ndarray, " size dim"], tests: Float[np.ndarray, " copies rows dim"]
) -> dict[str, Baseline]:
    """Fit a Gaussian, mixtures of Gaussians, full and diagonal, and a kernel density to rows.

    Numbers of components and bandwidths are chosen on the last fifth of `train` in a fixed order,
    then fitted to all of it. scikit-learn does the work.

    Args:
        train: rows in one space for all; to compare with an energy in another space, count the
            log-determinant of the transform.
        tests: several dequantisations of the same test rows, averaged row by row; one where nothing
            is random.

    Returns:
        The name of a model to its `Baseline`.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(100, 2))
        >>> found = ex.evaluate.fit_baselines(rows[:80], rows[None, 80:])
        >>> sorted(found)[0]
        'Gaussian'
    """
    order = np.random.default_rng(0).permutation(len(train))
    shuffled = np.asarray(train, np.float64)[order]
    cut = max(1, round(len(train) * (1 - VALID)))
    fitting, valid = shuffled[:cut], shuffled[cut:]
    found = {}
    for name, candidates in _families(len(fitting), shuffled.var(axis=0).mean()):
        # A lone candidate needs no choosing.
        scores = {
            setting: fit(fitting)(valid).mean() if len(candidates) > 1 else 0.0
            for setting, fit in candidates.items()
        }
        best = max(scores, key=lambda setting: scores[setting])
        density = candidates[best](shuffled)
        rows = np.mean([density(np.asarray(copy, np.float64)) for copy in tests], axis=0)
        error = rows.std(ddof=1) / np.sqrt(len(rows))
        found[name] = Baseline(float(rows.mean()), float(error), len(rows), best, rows)
    return found


def _families(size: int, variance: float) -> Iterator[tuple[str, dict[str, Fit]]]:
    """Each family of models, with its settings that `size` rows can carry."""
    yield "Gaussian", {"full covariance": _mixture(1, "full", 1e-6 * variance)}
    for kind, counts in {"full": (5, 10, 20), "diag": (10, 30, 100)}.items():
        word = {"full": "full", "diag": "diagonal"}[kind]
        yield (
            f"mixture, {word} covariances",
            {
                f"{count} components": _mixture(count, kind, 1e-3 * variance)
                for count in counts
                if 10 * count <= size
            }
            or {"1 component": _mixture(1, kind, 1e-3 * variance)},
        )
    widths = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.4]) * np.sqrt(variance)
    yield "kernel density", {f"bandwidth {width:.3g}": _kernel(float(width)) for width in widths}


def _mixture(count: int, kind: str, ridge: float) -> Fit:
    def fit(rows: Rows) -> Callable[[Rows], Float[np.ndarray, " size"]]:
        model = GaussianMixture(count, covariance_type=kind, reg_covar=ridge, random_state=0)
        return model.fit(rows).score_samples

    return fit


def _kernel(width: float) -> Fit:
    return lambda rows: KernelDensity(bandwidth=width).fit(rows).score_samples
