"""Do energies separate rows outside the data from rows inside? And a baseline without an energy."""

import dataclasses

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.decomposition import PCA
from sklearn.metrics import auc, average_precision_score, roc_curve

FOUND = 0.95
"""Share of the rows from outside that must be found, for the rate of false alarms."""

LEVEL = 0.95
"""How often an interval holds the number that it is about."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A number, and the ends of its 95% interval by bootstrap.

    Example:
        >>> ex.evaluate.Interval(0.9, 0.88, 0.92).lower
        0.88
    """

    value: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class Detection:
    """How well energies find rows outside the data, which are the positives.

    `auroc`: the chance that a row outside has a higher energy than one inside, a tie counted half;
    0.5 by chance. `aupr`: average precision; by chance, the share of rows outside, so compare it
    only at equal shares. `fpr95`: the share of rows inside that are flagged where 95% of those
    outside are; 0.95 by chance, and lower is better.

    Example:
        >>> half = ex.evaluate.Interval(0.5, 0.4, 0.6)
        >>> ex.evaluate.Detection(half, half, half).auroc.value
        0.5
    """

    auroc: Interval
    aupr: Interval
    fpr95: Interval


def detection(
    inside: Shaped[np.ndarray, " m"],
    outside: Shaped[np.ndarray, " n"],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Detection:
    """AUROC, average precision and false alarms of energies of rows inside and outside the data.

    The intervals are percentiles of a bootstrap over rows on both sides; equal `seed` and sizes
    draw the same rows, so that two scores of the same rows are resampled alike. They describe the
    choice of rows, not the training. scikit-learn does the work.

    Args:
        inside: energies of rows inside the data; a high energy means outside, so do not pass
            log-densities.
        outside: energies of rows outside.
        replicates: bootstrap samples, at least 100.

    Raises:
        ValueError: fewer than 2 energies on a side, too few replicates, or energies not finite.

    Trap: some papers call rows inside the positives and give the share of outside that passes where
    95% of inside do. That is `detection(-outside, -inside)`, whose AUROC is the same.
    Source: Hendrycks, Mazeika and Dietterich (2019), section 4.1, for the figures.

    Example:
        >>> inside, outside = np.arange(20.0), np.arange(10.0, 30.0)
        >>> ex.evaluate.detection(inside, outside, replicates=100).auroc.value
        0.875
    """
    if replicates < 100:
        raise ValueError(f"`replicates` must be at least 100; got {replicates}.")
    sides = []
    for name, energies in (("inside", inside), ("outside", outside)):
        if len(energies) < 2:
            raise ValueError(f"`{name}` must hold at least 2 energies; got {len(energies)}.")
        sides.append(_finite(name, energies))
    rng = np.random.default_rng(seed)
    drawn = [
        detection_rates(*(side[rng.integers(len(side), size=len(side))] for side in sides))
        for _ in range(replicates)
    ]
    tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    ends = np.quantile(drawn, tails, axis=0).T
    parts = zip(detection_rates(*sides), ends, strict=True)
    return Detection(*(Interval(float(value), float(a), float(b)) for value, (a, b) in parts))


def detection_rates(
    inside: Float[np.ndarray, " m"], outside: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " 3"]:
    """AUROC, average precision and false alarms at 95% found, without intervals."""
    energies = np.concatenate([inside, outside])
    truth = np.concatenate([np.zeros(len(inside), int), np.ones(len(outside), int)])
    # Points on a slope are kept: with ties, 95% may be reached at one of them.
    alarms, found, _ = roc_curve(truth, energies, drop_intermediate=False)
    precision = average_precision_score(truth, energies)
    return np.array([auc(alarms, found), precision, alarms[np.searchsorted(found, FOUND)]])


def pca_residual(
    train: Shaped[np.ndarray, " size *shape"], rows: Shaped[np.ndarray, " n *other"], parts: int
) -> Float[np.ndarray, " n"]:
    """Distance of `rows` from the plane of the first `parts` principal components of `train`.

    A baseline for `detection` that needs no energy and no training, in the units of the rows.
    scikit-learn does the work.

    Args:
        parts: below the number of axes and of training rows.

    Raises:
        ValueError: `parts` is out of range, shapes differ, or rows are not finite.

    Trap: it cannot see anything that lies in the plane, however far out.

    Example:
        >>> line = np.arange(5.0)[:, None] * np.array([[1.0, 0.0]])
        >>> ex.evaluate.pca_residual(line, np.array([[9.0, 2.0]]), 1).round(6).tolist()
        [2.0]
    """
    if train.shape[1:] != rows.shape[1:]:
        raise ValueError(
            f"`rows` must have the shape of `train`, {train.shape[1:]}; got {rows.shape[1:]}."
        )
    known, asked = (
        _finite(name, part).reshape(len(part), -1)
        for name, part in (("train", train), ("rows", rows))
    )
    if not 1 <= parts < min(known.shape):
        raise ValueError(
            f"`parts` must lie in 1..{min(known.shape) - 1}, below the axes and the rows of "
            f"`train`; got {parts}."
        )
    plane = PCA(parts, svd_solver="full").fit(known)
    return np.linalg.norm(asked - plane.inverse_transform(plane.transform(asked)), axis=1)


def _finite(name: str, rows: Shaped[np.ndarray, " n *shape"]) -> Float[np.ndarray, " n *shape"]:
    """The rows in float64, if all their numbers are finite."""
    good = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
    if not good.all():
        raise ValueError(f"`{name}` must be finite; row {np.flatnonzero(~good)[0]} is not.")
    return rows.astype(np.float64)
