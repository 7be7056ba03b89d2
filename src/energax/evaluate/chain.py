"""Have the chains mixed? Effective sample size and R-hat of a scalar trace, by ArviZ."""

import dataclasses
import warnings

import numpy as np
from jaxtyping import Float

with warnings.catch_warnings():
    # ArviZ 0.23 announces its own next version at each import: nothing that a user can act on.
    warnings.simplefilter("ignore", FutureWarning)
    import arviz

MIXED = 1.01
"""R-hat below which chains are taken to agree (Vehtari et al. 2021)."""

APART = 1.1
"""R-hat above which they clearly do not."""

ENOUGH = 100
"""Effective draws for which a mean is known to a tenth of a standard deviation."""


@dataclasses.dataclass(frozen=True)
class Health:
    """Effective draws of all chains together, rank-normalised split R-hat, and a verdict.

    `sound`: the verdict holds no warning. `size` and `rhat` are NaN for a trace that is not finite
    or that does not move.

    Example:
        >>> ex.evaluate.Health(400.0, 1.002, True, "The chains agree.").sound
        True
    """

    size: float
    rhat: float
    sound: bool
    verdict: str


def health(trace: Float[np.ndarray, " chains draws"]) -> Health:
    """Judge chains by a scalar trace, for example the energy along each chain.

    Args:
        trace: draws of each chain, in order of time.

    Raises:
        ValueError: fewer than 2 chains or 8 draws, where the numbers mean nothing.

    Trap: chains that all miss the same mode agree with each other, and R-hat is 1.
    Source: Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021).

    Example:
        >>> ex.evaluate.health(np.random.default_rng(0).normal(size=(4, 200))).sound
        True
    """
    trace = np.asarray(trace, np.float64)
    if trace.ndim != 2 or trace.shape[0] < 2 or trace.shape[1] < 8:
        raise ValueError(
            f"`trace` must be at least 2 chains of at least 8 draws; got shape {trace.shape}."
        )
    if not np.all(np.isfinite(trace)):
        return Health(np.nan, np.nan, False, "The trace is not finite: the chains have diverged.")
    frozen = np.mean(np.ptp(trace, axis=1) == 0)
    if frozen > 0.5:
        return Health(
            np.nan, np.nan, False, f"{frozen:.0%} of the chains are frozen: no proposal is taken."
        )
    size, rhat = float(arviz.ess(trace)), float(arviz.rhat(trace))
    return Health(size, rhat, *_verdict(size, rhat))


def _verdict(size: float, rhat: float) -> tuple[bool, str]:
    if rhat > APART:
        return (
            False,
            f"The chains have not mixed (R-hat {rhat:.2f}): run longer or start elsewhere.",
        )
    if size < ENOUGH:
        return False, f"Only {size:.0f} effective draws: run longer."
    if rhat > MIXED:
        return True, f"The chains nearly agree (R-hat {rhat:.3f}); {size:.0f} effective draws."
    return True, f"The chains agree (R-hat {rhat:.3f}); {size:.0f} effective draws."
