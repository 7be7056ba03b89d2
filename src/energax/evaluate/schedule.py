"""Times and step sizes of annealing: found by a pilot run, then frozen."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, Shaped

from energax.evaluate.anneal import Protocol, walk
from energax.evaluate.kernel import JITTER, AbstractKernel
from energax.evaluate.path import AbstractPath

ACCEPTANCE = 0.65
"""Share of Hamiltonian proposals to accept: mixes best in many dimensions (Beskos et al. 2013)."""

QUALITY = 0.9
"""Conditional effective share of the particles that a step in time of the pilot run keeps."""

MOVES = 16
"""Moves that find a step size from a blind guess, at either end of the path."""

ROOM = 512
"""Smallest length that protocols are padded to: up to it they all share one program."""

TINY = 0.02
"""Shortest step size, as a part of the usual one, of chains that start anywhere."""

LONGEST = 1e6
"""Longest step size: where all moves are accepted there is no best one."""

LAG = 0.75
"""Variance of the final log-weights, in nats^2, that refining aims at: ESS of about 45%."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Rising times from 0 to 1, and the step size of the moves at each of them."""

    times: np.ndarray
    steps: np.ndarray

    def refine(self, parts: int) -> "Schedule":
        """Cut each interval into `parts` equal ones; step sizes by geometric interpolation."""
        knots = np.arange(len(self.times))
        fine = np.linspace(0, knots[-1], parts * knots[-1] + 1)
        steps = np.exp(np.interp(fine, knots, np.log(self.steps)))
        return Schedule(np.interp(fine, knots, self.times), steps)

    def forward(self, dtype: jnp.dtype) -> Protocol:
        """From t = 0 to t = 1: a move at each time in between."""
        shifts = np.diff(self.times)
        return _protocol(shifts[0], self.times[1:-1], self.steps[1:-1], shifts[1:], dtype)

    def reverse(self, dtype: jnp.dtype) -> Protocol:
        """From t = 1 back to t = 0, through the same times with the same step sizes."""
        shifts = -np.diff(self.times)[::-1]
        times, steps = self.times[1:-1][::-1], self.steps[1:-1][::-1]
        return _protocol(shifts[0], times, steps, shifts[1:], dtype)

    def hold(self, moves: int, dtype: jnp.dtype, *, careful: bool = False) -> Protocol:
        """`moves` moves at t = 1 and no weight. `careful`: no jumps, and steps of all lengths."""
        ones = np.ones(moves)
        return _protocol(0.0, ones, self.steps[-1] * ones, 0 * ones, dtype, careful=careful)


def _protocol(
    first: float,
    times: np.ndarray,
    steps: np.ndarray,
    shifts: np.ndarray,
    dtype: jnp.dtype,
    *,
    careful: bool = False,
) -> Protocol:
    count = len(times)
    room = max(ROOM, 1 << (count - 1).bit_length())
    at, by, after = (
        jnp.asarray(np.pad(a, (0, room - count)), dtype) for a in (times, steps, shifts)
    )
    start, shortest = (jnp.asarray(a, dtype) for a in (first, TINY if careful else 1 - JITTER))
    return Protocol(start, at, by, after, jnp.asarray(count), jnp.asarray(not careful), shortest)


def _log_sum(terms: np.ndarray) -> float:
    # Energies that are not a number make the sum one too: that is the answer, not an accident.
    with np.errstate(invalid="ignore"):
        return float(np.logaddexp.reduce(terms))


def effective_size(log_weight: np.ndarray) -> float:
    """(sum w)^2 / sum w^2 of weights given as logarithms: how many equal ones they are worth."""
    return float(np.exp(2 * _log_sum(log_weight) - _log_sum(2 * log_weight)))


def resample(log_weight: np.ndarray, *, key: PRNGKeyArray) -> np.ndarray:
    """As many indices as weights, each about in proportion to its weight (systematic)."""
    size = len(log_weight)
    ladder = np.cumsum(np.exp(log_weight - _log_sum(log_weight)))
    teeth = (np.arange(size) + float(jax.random.uniform(key))) / size
    return np.minimum(np.searchsorted(ladder, teeth * ladder[-1]), size - 1)


def _adapt(
    path: AbstractPath,
    kernel: AbstractKernel,
    place: tuple[Shaped[Array, " size *shape"], float],
    time: float,
    moves: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Shaped[Array, " size *shape"], float, np.ndarray]:
    """Moves at one time, the step size following the acceptance (Robbins and Monro 1951).

    Returns also the gap of each particle at the end.
    """
    x, step = place
    gap, dtype = np.empty(0), path.precision(x)
    for now in jax.random.split(key, moves):
        once = _protocol(0.0, np.array([time]), np.array([step]), np.zeros(1), dtype)
        moved = walk(path, kernel, once, x, key=now)
        x, gap = moved.x, np.asarray(moved.gap[0], np.float64)
        step = min(step * math.exp(float(moved.acceptance[0]) - ACCEPTANCE), LONGEST)
    return x, step, gap


def _next_time(time: float, log_weight: np.ndarray, gap: np.ndarray) -> float:
    """The furthest time whose increments keep the conditional effective size above `QUALITY`.

    It is (sum W w)^2 / sum W w^2 with W the weights so far, normalised (Zhou et al. 2016, eq. 3).
    """
    log_weight = log_weight - _log_sum(log_weight)

    def enough(shift: float) -> bool:
        once, twice = (_log_sum(log_weight - power * shift * gap) for power in (1, 2))
        return bool(2 * once - twice >= np.log(QUALITY))

    low, high = 0.0, 1 - time
    if enough(high):
        return 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return time + low


def pilot(
    path: AbstractPath,
    kernel: AbstractKernel,
    x: Shaped[Array, " size *shape"],
    limit: int,
    *,
    key: PRNGKeyArray,
) -> Schedule:
    """Times and step sizes for the path, found with particles `x` that start as base draws.

    Particles are resample on the way, so they feel every part of the target that they can reach;
    nothing measured here enters a result. After `limit` times it goes to t = 1 at once.
    """
    first, *keys = jax.random.split(key, 2 * limit + 1)
    step = math.prod(x.shape[1:]) ** -0.25
    x, step, gap = _adapt(path, kernel, (x, step), 0.0, MOVES, key=first)
    times, steps, log_weight = [0.0], [step], np.zeros(len(x))
    for move, draw in zip(keys[::2], keys[1::2], strict=True):
        now = _next_time(times[-1], log_weight, gap) if len(times) < limit else 1.0
        if not now > times[-1]:
            now = 1.0
        log_weight = log_weight - (now - times[-1]) * gap
        if effective_size(log_weight) < len(x) / 2:
            x, log_weight = x[resample(log_weight, key=draw)], np.zeros(len(x))
        # On the way the step size follows its neighbour's: a quarter of the moves is enough.
        moves = MOVES if now == 1.0 else MOVES // 4
        x, step, gap = _adapt(path, kernel, (x, step), now, moves, key=move)
        times.append(now)
        steps.append(step)
        if now == 1.0:
            break
    return Schedule(np.array(times), np.array(steps))


def _lag(log_weight: np.ndarray) -> float:
    """Variance of log-weights in nats^2; for normal ones both terms agree in the long run."""
    return max(np.var(log_weight), np.log(len(log_weight) / effective_size(log_weight)))


def refine_schedule(
    path: AbstractPath,
    kernel: AbstractKernel,
    schedule: Schedule,
    x: Shaped[Array, " size *shape"],
    limit: int,
    *,
    key: PRNGKeyArray,
) -> Schedule:
    """Refine the schedule until the log-weights of trial runs from `x` vary by about `LAG`.

    That variance falls at best as one over the number of times; at most `limit` times are used.
    """
    most = max(1, limit // (len(schedule.times) - 1))
    parts = 1
    while parts < most:
        key, now = jax.random.split(key)
        fine = schedule.refine(parts)
        trial = walk(path, kernel, fine.forward(path.precision(x)), x, key=now)
        lag = _lag(np.asarray(trial.log_weight, np.float64))
        if not lag > LAG:
            return fine
        parts = min(most, max(2 * parts, int(np.ceil(min(parts * lag / LAG, most)))))
    return schedule.refine(most)
