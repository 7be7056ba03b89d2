"""log Z of an energy, from one side, from both sides, and with a refusal where none can be had."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import ArrayLike, Float, Int, PRNGKeyArray
from scipy.stats import beta, norm

from energax.energy import AbstractDistribution, AbstractEnergy, draws
from energax.evaluate.base import Estimate

LEAST = 50
"""Fewest effective particles for which the error of a log-mean is near normal."""

SHARE = 0.05
"""Smallest effective share of the particles."""

APART = 0.5
"""Widest gap between the two ends, beyond their errors, that is still called agreement, in nats."""

NEAR = 0.02
"""Widest gap to an estimate by another method, beyond its error, in nats."""

VAGUE = 0.3
"""Standard error, in nats, above which an estimate confirms nothing."""

FROZEN = 0.1
"""Acceptance below which chains hardly move."""

DRIFT = 4.0
"""Standard errors of drift that chains at rest exceed about once in 10,000 runs."""

HIDDEN = 0.03
"""Largest share of the model that the forward run may miss: the upper end is raised for it."""

FEW = 0.01
"""Largest share of rows that it may miss: rows need not be where the model has its mass."""


@dataclasses.dataclass(frozen=True)
class LogZ:
    """log Z in nats, between `lower` and `upper` at confidence `level`, if `certified`.

    `forward` is low on average and `reverse` high; `from_rows` is a second reverse estimate, which
    started from rows, and `bridge` that of another method, bridge sampling: None where it did not
    come to them. `why` says what certifies and what that takes for granted, or what forbids.

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
    from_rows: Estimate | None = None
    bridge: Estimate | None = None

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


def confirm(log_z: LogZ, bridge: Estimate) -> LogZ:
    """The interval, if a reverse run from rows and bridge sampling agree with it; else refused.

    The first must be within `APART` of the interval, the second within `NEAR`, beyond its error.
    """
    found = dataclasses.replace(log_z, bridge=bridge)
    z = float(norm.ppf((1 + log_z.level) / 2))
    ends = {
        "The reverse run from the rows": (found.from_rows, APART),
        "Bridge sampling with a mixture fitted to settled rows and hot starts": (bridge, NEAR),
    }
    for name, (end, slack) in ends.items():
        if end is None:
            continue
        value, error = float(end.value), float(end.error)
        apart = max(log_z.lower - value, value - log_z.upper) - z * error
        said = f"{name} gives log Z {value:.2f} +- {error:.2f}, annealing {log_z.value:.2f}: "
        if not error <= VAGUE:
            return refuse(found, said + "too vague to confirm it. Raise the particles.")
        if apart > slack:
            return refuse(found, said + "they disagree.")
    value, error = float(bridge.value), float(bridge.error)
    why = f"{log_z.why} Bridge sampling agrees: {value:.2f} +- {error:.2f}. {GIVEN}"
    return dataclasses.replace(found, why=why)


def bound_share(found: int, asked: int, level: float) -> float:
    """Upper end of the share of which `found` of `asked` were found (Clopper and Pearson 1934)."""
    return float(beta.ppf((1 + level) / 2, found + 1, asked - found)) if found < asked else 1.0


def hide(log_z: LogZ, share: float) -> LogZ:
    """The interval, its upper end raised as for a share of the mass that annealing misses."""
    return dataclasses.replace(log_z, upper=log_z.upper - math.log1p(-min(share, 1 - 1e-9)))


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


def find_unreached(
    forward: Estimate, values: Float[np.ndarray, " size"]
) -> Int[np.ndarray, " unreached"]:
    """Which chains lie where the forward run does not come, or where nothing is a number.

    Where the log Z that a reverse particle alone would give exceeds log Z by more than the log of
    the number of particles, less than one forward particle is expected (Crooks 1999).

    Args:
        values: log Z as each reverse particle alone would give it.
    """
    return np.flatnonzero(~(values <= float(forward.value) + np.log(len(values))))


def find_missing_mass(share: float) -> str:
    """Why draws of the energy where the forward run does not come forbid to trust it; or nothing.

    Their share of the mass is missing from the forward end, and hidden in the reverse one.
    """
    if share <= HIDDEN:
        return ""
    return (
        f"Annealing misses a part of the model: {share:.1%} of the target chains are where it does "
        "not come. There may be a mode far from the base; look at long chains."
    )


def refuse(log_z: LogZ, why: str) -> LogZ:
    """The same numbers, not certified."""
    return dataclasses.replace(log_z, certified=False, why=why)


GIVEN = "This holds if neither base draws, nor rows, nor hot starts miss a mode."
"""What no estimate can prove."""

WITHIN = "This holds if there is no mass outside the box."

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
    why, certified = f"By quadrature, to {max(error, _FLOOR):.0e} nats. {WITHIN}", error <= APART
    if not np.isfinite(value + error):
        why = "The integral of exp(-energy) over the box is not finite."
    elif not certified:
        why = (
            f"Quadrature is off by up to {error:.2f} nats: the box is too small or the grid coarse."
        )
    return LogZ(estimate, estimate, value - error, value + error, level, certified, why)
