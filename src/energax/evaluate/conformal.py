"""Conformal p-values: how rarely a row of the same kind scores as low, without any assumption."""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import false_discovery_control


def conformal_p_values(
    calibration: Shaped[np.ndarray, " n"], scores: Shaped[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """The chance that a row like those of `calibration` scores as low: (1 + #{c <= s}) / (1 + n).

    Where the new row is exchangeable with the n calibration rows, P(p <= a) <= a at every level a,
    whatever the score is: it may be uncalibrated, unnormalised or wrong. Ties count against the
    row, so the bound holds for scores of few values too.

    Args:
        calibration: scores of rows that nothing was fitted to; low is unusual.
        scores: of the new rows.

    Returns:
        Numbers in (0, 1]; none is below 1 / (1 + n).

    Raises:
        ValueError: there is no calibration score, or a score is NaN.

    Trap: scores of the rows that the model was fitted to are higher than those of new rows, so
    p-values from them are too small. And all p-values of one calibration share its luck: the false
    alarms among many new rows vary by Beta(k, n + 1 - k) with k = floor(a (n + 1)).
    Source: Bates, Candes, Lei, Romano and Sesia (2023), eq. 4.

    Example:
        >>> ex.evaluate.conformal_p_values(np.arange(9.0), np.array([-1.0, 4.5])).tolist()
        [0.1, 0.6]
    """
    if not len(calibration):
        raise ValueError("`calibration` must hold at least 1 score; got none.")
    for name, part in (("calibration", calibration), ("scores", scores)):
        if np.isnan(part).any():
            raise ValueError(
                f"`{name}` must be numbers; row {int(np.isnan(part).argmax())} is NaN."
            )
    below = np.searchsorted(np.sort(calibration), scores, side="right")
    return (1.0 + below) / (1.0 + len(calibration))


def reject(p_values: Float[np.ndarray, " m"], level: float) -> Bool[np.ndarray, " m"]:
    """The rows that Benjamini and Hochberg reject: of these, a share `level` at most is expected
    to be false.

    All p-values up to the largest p_(k) with p_(k) <= k level / m are rejected. It holds for
    independent p-values, and for conformal ones of one calibration set, which depend on each other
    positively. SciPy does the work.

    Args:
        level: false discovery rate, in (0, 1).

    Raises:
        ValueError: `level` is out of range.

    Trap: conformal p-values are at least 1 / (1 + n), so with few calibration rows and many new
    ones nothing can be rejected: n must be about m / (level * rejections).
    Source: Benjamini and Hochberg (1995); Bates et al. (2023), theorem 2.

    Example:
        >>> ex.evaluate.reject(np.array([0.001, 0.02, 0.5, 0.9]), 0.05).tolist()
        [True, True, False, False]
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must be between 0 and 1; got {level}.")
    return np.asarray(false_discovery_control(p_values) <= level)
