"""The likelihood of test rows, with two ends and in every unit that people ask for."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from energax.evaluate.log_z import LogZ


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """Mean log-density of the test rows in nats, between `lower` and `upper` if `certified`.

    Where rows have weights it is their weighted mean.

    The interval covers the uncertainty of log Z and of the dequantisation average, for these very
    rows. `error` is another thing: the standard error of the mean over rows, if they were drawn
    again. `rows`: the log-density of each. `why` says what certifies or what forbids.

    Example:
        >>> found = ex.evaluate.Likelihood(-1.0, -1.1, -0.9, 0.05, True, "", np.array([-1.0]))
        >>> found.value
        -1.0
    """

    value: float
    lower: float
    upper: float
    error: float
    certified: bool
    why: str
    rows: Float[np.ndarray, " rows"]


def log_likelihood(
    energies: Float[np.ndarray, " copies rows"],
    log_dets: Float[np.ndarray, " copies rows"],
    log_z: LogZ,
    weights: Float[np.ndarray, " _"] | None = None,
) -> Likelihood:
    """mean of log|dy/dx| - E(y) - log Z over rows, averaged over fixed dequantisations.

    With u uniform, the mean over u of log p(x + u) is a lower bound on log P(x) (Theis et al.
    2016).

    Args:
        energies: a line for each dequantisation of the same rows; one where nothing is random.
        log_dets: log|dy/dx| of the transform to model units, of the same shape.
        log_z: of the energy.
        weights: how much each row counts; None: all alike.

    Example:
        >>> log_z = ex.evaluate.certify(ex.evaluate.Estimate(*jnp.array([2.0, 0.0, 1.0])))
        >>> ex.evaluate.log_likelihood(np.ones((1, 4)), np.zeros((1, 4)), log_z).value
        -3.0
    """
    exact = np.asarray(log_dets, np.float64) - np.asarray(energies, np.float64)
    rows = exact.mean(axis=0)
    copies, shares = len(exact), np.full(len(rows), 1 / len(rows))
    if weights is not None:
        shares = weights / weights.sum()
    # Each row has noise of its own, so the spread over copies is pooled over rows.
    spread = exact.var(axis=0, ddof=1).mean() if copies > 1 else 0.0
    reach = float(norm.ppf((1 + log_z.level) / 2)) * math.sqrt(spread * (shares**2).sum() / copies)
    mean, error = weigh_mean(rows, shares)
    return Likelihood(
        mean - log_z.value,
        mean - log_z.upper - reach,
        mean - log_z.lower + reach,
        error,
        log_z.certified,
        log_z.why,
        rows - log_z.value,
    )


def weigh_mean(
    values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"]
) -> tuple[float, float]:
    """The weighted mean, and its standard error if the rows were drawn again; NaN for one row.

    The error is that of a ratio of two means, as of a sum over rows; with equal weights that of a
    plain mean.

    Example:
        >>> value, error = ex.evaluate.weigh_mean(np.array([0.0, 3.0]), np.array([2.0, 1.0]))
        >>> value, round(error, 3)
        (1.0, 1.333)
    """
    shares, count = weights / weights.sum(), len(values)
    mean = float(shares @ values)
    if count < 2:
        return mean, math.nan
    return mean, math.sqrt((shares**2) @ (values - mean) ** 2 * count / (count - 1))


def bits_per_dim(log_likelihood: float, dim: int, levels: int | None) -> float:
    """Code length of a row in bits for each of its `dim` axes: -log_2 p / dim.

    Args:
        log_likelihood: of the row, in nats.
        levels: whole numbers of so many values were scaled to the unit box, so a cell has volume
            levels^-dim and -log_2 P = -log_2 p + dim log_2 levels. None: real numbers.

    Example:
        >>> ex.evaluate.bits_per_dim(0.0, 64, 256)
        8.0
    """
    return -log_likelihood / (dim * math.log(2)) + (math.log2(levels) if levels else 0.0)
