"""Annealed importance sampling from below and from above."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from energax.energy import AbstractDistribution, AbstractEnergy, draws
from energax.evaluate.anneal import Kernel, Walk, make_kernel, walk
from energax.evaluate.base import Estimate
from energax.evaluate.log_z import LogZ, combine_ends, find_drift, find_missing_mass, log_mean
from energax.evaluate.path import AbstractPath, make_path
from energax.evaluate.schedule import Schedule, pilot, refine_schedule, resample


def forward_end(
    path: AbstractPath,
    kernel: Kernel,
    schedule: Schedule,
    start: Float[Array, " size *shape"],
    *,
    key: PRNGKeyArray,
) -> tuple[Estimate, Walk]:
    """log Z from exact base draws `start` led to the target: low on average; and their walk."""
    gone = walk(path, kernel, schedule.forward(start.dtype), start, key=key)
    mean = log_mean(gone.log_weight, np.arange(len(start)))
    return Estimate(path.base.log_z() + mean.value, mean.error, mean.size), gone


def reverse_end(
    path: AbstractPath,
    kernel: Kernel,
    schedule: Schedule,
    start: Float[Array, " size *shape"],
    family: Int[np.ndarray, " size"],
    *,
    key: PRNGKeyArray,
) -> tuple[Estimate, Walk]:
    """log Z from draws `start` of the target led back to the base, high on average; and their walk.

    Draws of one `family` are not independent of each other.
    """
    gone = walk(path, kernel, schedule.reverse(start.dtype), start, key=key)
    mean = log_mean(gone.log_weight, family)
    return Estimate(path.base.log_z() - mean.value, mean.error, mean.size), gone


def annealed_log_z(
    energy: AbstractEnergy,
    base: AbstractDistribution,
    *,
    particles: int = 512,
    level: float = 0.95,
    limit: int = 512,
    leaps: int = 5,
    tries: int = 2,
    settle: int = 96,
    key: PRNGKeyArray,
) -> LogZ:
    """log Z of an energy by annealed importance sampling from `base`, from below and from above.

    Forward: exact draws of `base` are moved to the energy; the mean weight is Z / Z_base exactly,
    so its log is low on average. Reverse: draws of the energy are moved back; high on average.
    Those draws are forward particles resampled by weight and moved `settle` times at t = 1:
    approximate, so they must be in equilibrium, and copies of one particle count as one in the
    error. Times and step sizes come from pilot runs with other draws, and are frozen before
    anything is measured.

    Args:
        base: its log Z is known; the nearer to the energy, the better.
        particles: at least 2.
        level: confidence of the interval.
        limit: largest number of times between base and energy, at least 2.
        leaps: leapfrog steps of a Hamiltonian move.
        tries: base draws that are offered to each particle at each time.
        settle: moves at the energy before the reverse run, at least 2.

    Returns:
        A `LogZ`, whose `certified` and `why` say whether to trust it.

    Raises:
        ValueError: a count is too small, or `base` and `energy` differ in shape.

    Trap: a part of the energy that no particle ever meets is in neither end. The jumps to base
    draws look for one, but cannot prove that there is none.
    Source: Neal (2001); both directions, Grosse, Ghahramani and Adams (2015).

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(1))
        >>> found = ex.evaluate.annealed_log_z(normal, normal, particles=64, settle=8, key=key)
        >>> round(found.value, 3)
        0.919
    """
    for name, count in {"particles": particles, "limit": limit, "settle": settle}.items():
        if count < 2:
            raise ValueError(f"`{name}` must be at least 2; got {count}.")
    path = make_path(base, energy)
    fresh, tune, trial, go, pick, rest, back = jax.random.split(key, 7)
    shaping, piloting, trying, start = (
        draws(base, particles, key=k) for k in jax.random.split(fresh, 4)
    )
    kernel = make_kernel(path, shaping, leaps, tries)
    schedule = pilot(path, kernel, piloting, limit, key=tune)
    schedule = refine_schedule(path, kernel, schedule, trying, limit, key=trial)
    forward, gone = forward_end(path, kernel, schedule, start, key=go)
    if not jnp.isfinite(forward.value):
        return combine_ends(forward, forward, particles, level=level)
    family = resample(np.asarray(gone.log_weight, np.float64), key=pick)
    still = schedule.hold(settle, start.dtype)
    moved = walk(path, kernel, still, gone.x[family], key=rest)
    reverse, back_walk = reverse_end(path, kernel, schedule, moved.x, family, key=back)
    trouble = find_drift(
        {"energy": np.asarray(moved.energy[:settle]), "gap": np.asarray(moved.gap[:settle])},
        np.asarray(moved.acceptance[:settle]),
        family,
    )
    alone = np.asarray(base.log_z() - back_walk.log_weight)
    trouble = trouble or find_missing_mass(forward, alone)
    return combine_ends(forward, reverse, particles, trouble, level=level)
