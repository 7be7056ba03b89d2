"""log Z of an energy, from one side, from both sides, and with a refusal where none can be had."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import ArrayLike, Float, Int, PRNGKeyArray
from scipy.stats import norm

from energax.energy import AbstractDistribution, AbstractEnergy, draws
from energax.evaluate.base import Estimate

LEAST = 50
"""Fewest effective particles for which the error of a log-mean is near normal."""

SHARE = 0.05
"""Smallest effective share of the particles."""

APART = 0.5
"""Widest gap between the two ends, beyond their errors, that is still called agreement, in nats."""

FROZEN = 0.1
"""Acceptance below which chains hardly move."""

DRIFT = 4.0
"""Standard errors of drift that chains at rest exceed about once in 10,000 runs."""

HIDDEN = 0.01
"""Share of the model, unseen by the forward run, that is forgiven: log Z is then 0.01 too low."""


@dataclasses.dataclass(frozen=True)
class LogZ:
    """log Z in nats, between `lower` and `upper` at confidence `level`, if `certified`.

    `forward` is low on average and `reverse` high; `why` says what certifies or what forbids.

    Trap: an interval that is not certified is there to explain the refusal, not to be quoted.

    Example:
        >>> end = ex.evaluate.Estimate(*jnp.array([0.9, 0.01, 400.0]))
        >>> ex.evaluate.LogZ(end, end, 0.88, 0.92, 0.95, True, "Both ends agree.").value
        0.9
    """

    forward: Estimate
    reverse: Estimate
    lower: float
    upper: float
    level: float
    certified: bool
    why: str

    @property
    def value(self) -> float:
        """Midway between the two ends: their biases are about equal and opposite."""
        return (float(self.forward.value) + float(self.reverse.value)) / 2


@eqx.filter_jit
def importance_log_z(
    energy: AbstractEnergy, distribution: AbstractDistribution, count: int, *, key: PRNGKeyArray
) -> Estimate:
    """log Z from `count` exact draws of a distribution: the log of the mean weight, in nats.

    Low on average (Jensen), and by much where `size` is a small part of `count`.

    Trap: a part of the energy where no draw fell is not in the error; `annealed_log_z` looks for
    it.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(1))
        >>> round(float(ex.evaluate.importance_log_z(normal, normal, 10, key=key).value), 4)
        0.9189
    """
    x = draws(distribution, count, key=key)
    log_weight = jax.vmap(lambda y: distribution(y) - energy(y))(x)
    size = jnp.exp(2 * logsumexp(log_weight) - logsumexp(2 * log_weight))
    value = distribution.log_z() + logsumexp(log_weight) - math.log(count)
    return Estimate(value, jnp.sqrt(jnp.maximum(1 / size - 1 / count, 0)), size)


def log_mean(log_weight: Float[ArrayLike, " size"], family: Int[np.ndarray, " size"]) -> Estimate:
    """Log of the mean weight, in nats, with its error by the delta method.

    The weights of a `family` (a number for each) are not independent and count as one draw: error^2
    = sum over families (sum of w - mean)^2 / (sum of w)^2, which is 1/ESS - 1/count where each
    family has one member; `size` = 1 / (error^2 + 1/count) is the effective count.

    Source: Liang and Zeger (1986), the variance of clustered data.
    """
    log_weight = np.asarray(log_weight, np.float64)
    top = log_weight.max()
    # With every weight zero or not a number the answer is NaN, and says so.
    with np.errstate(invalid="ignore"):
        weight = np.exp(log_weight - top)
        variance = np.sum(np.bincount(family, weight - weight.mean()) ** 2) / weight.sum() ** 2
    numbers = (top + np.log(weight.mean()), np.sqrt(variance), 1 / (variance + 1 / len(weight)))
    return Estimate(*(jnp.asarray(number, jnp.result_type(float)) for number in numbers))


def combine_ends(
    forward: Estimate, reverse: Estimate, particles: int, trouble: str = "", *, level: float
) -> LogZ:
    """The interval that holds both ends with their errors, or the reason why it cannot be trusted.

    It is the hull of value +- z error of both: at least as wide as either end's own interval.

    Args:
        trouble: what is wrong with the draws that the reverse run started from; empty if nothing.
    """
    z = float(norm.ppf((1 + level) / 2))
    values = np.array([float(end.value) for end in (forward, reverse)])
    reach = z * np.array([float(end.error) for end in (forward, reverse)])
    lower, upper = float(np.min(values - reach)), float(np.max(values + reach))
    why = _refusal(forward, reverse, particles) or trouble
    if not why and np.max(values - reach) - np.min(values + reach) > APART:
        gap = abs(values[0] - values[1])
        why = f"The forward and the reverse end are {gap:.1f} nats apart, more than errors explain."
    good = (
        f"Both ends agree, with {float(forward.size):.0f} and {float(reverse.size):.0f} effective "
        f"particles of {particles}."
    )
    return LogZ(forward, reverse, lower, upper, level, not why, why or good)


def _refusal(forward: Estimate, reverse: Estimate, particles: int) -> str:
    least = max(LEAST, SHARE * particles)
    for name, end in {"forward": forward, "reverse": reverse}.items():
        if not np.isfinite(float(end.value) + float(end.error)):
            return f"The {name} estimate is not finite: nor is the energy, where particles went."
        if float(end.size) < least:
            return (
                f"Effective sample size {float(end.size):.1f} of {particles} in the {name} run, "
                f"below {least:.0f}: raise the limit of temperatures or the particles, or choose a "
                "base nearer to the model."
            )
    return ""


def find_drift(
    traces: dict[str, Float[np.ndarray, " moves size"]],
    acceptance: Float[np.ndarray, " moves"],
    family: Int[np.ndarray, " size"],
) -> str:
    """What shows that chains are not in equilibrium at their target; empty if nothing does.

    The mean of the last quarter of each trace is compared with that of the first, chain by chain, a
    family counting as one. R-hat is no test here: the chains are many and short, and resampling,
    not mixing, has put them in their modes.
    """
    if np.mean(acceptance) < FROZEN:
        return f"The target chains are frozen: acceptance {np.mean(acceptance):.3f}."
    for name, trace in traces.items():
        quarter = max(len(trace) // 4, 1)
        moved = trace[-quarter:].mean(axis=0) - trace[:quarter].mean(axis=0)
        error = np.sqrt(np.sum(np.bincount(family, moved - moved.mean()) ** 2)) / len(moved)
        if not abs(moved.mean()) <= DRIFT * error:
            return (
                f"The target chains are not at rest: their mean {name} moved by "
                f"{moved.mean():.2f} +- {error:.2f} nats in {len(trace)} moves."
            )
    return ""


def find_missing_mass(forward: Estimate, values: Float[np.ndarray, " size"]) -> str:
    """Whether target draws lie where the forward run does not come; empty if they do not.

    Where the log Z that a reverse particle alone would give exceeds log Z by more than the log of
    the number of particles, less than one forward particle is expected (Crooks 1999): that share of
    the mass is missing from the forward end, and hidden in the reverse one.

    Args:
        values: log Z as each reverse particle alone would give it.
    """
    share = float(np.mean(values > float(forward.value) + np.log(len(values))))
    if share <= HIDDEN:
        return ""
    return (
        f"Annealing misses a part of the model: {share:.1%} of the target chains are where it does "
        "not come. There may be a mode far from the base; look at long chains."
    )


_FLOOR = 1e-6
"""No figure made of energies in single precision is reported to be nearer than this."""


def certify(estimate: Estimate, *, level: float = 0.95) -> LogZ:
    """A `LogZ` from a number that is exact up to its error, such as one from `quadrature`.

    Refused where the error is above 0.5 nats or not finite.

    Example:
        >>> found = ex.evaluate.quadrature(ex.energy.Gaussian(jnp.zeros(1)), -8.0, 8.0, points=100)
        >>> ex.evaluate.certify(found).certified
        True
    """
    value, error = float(estimate.value), float(estimate.error)
    why, certified = f"By quadrature, to {max(error, _FLOOR):.0e} nats.", error <= APART
    if not np.isfinite(value + error):
        why = "The integral of exp(-energy) over the box is not finite."
    elif not certified:
        why = (
            f"Quadrature is off by up to {error:.2f} nats: the box is too small or the grid coarse."
        )
    return LogZ(estimate, estimate, value - error, value + error, level, certified, why)
