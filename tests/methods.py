"""The table of objectives: how each is made, its exact mean gradient, its exact minimiser."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from cases import Place, place, place_apart_on_one_axis
from scipy.optimize import brentq
from scipy.special import expit

from energax.energy import Gaussian
from energax.objective import (
    AbstractObjective,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    NoiseContrastiveEstimation,
    PersistentContrastiveDivergence,
    ShortRun,
    SlicedScoreMatching,
)
from energax.sampler import Langevin, hmc, mala

STEP, NOISE, RATIO = 0.3, 0.7, 3
BIRTH_MEAN, BIRTH_VARIANCE = 1.0, 0.25


def gaussian(mean, variance):
    return Gaussian(jnp.asarray(mean, float), variance**0.5)


def birth(at: Place):
    """Where short chains start."""
    return gaussian(np.full_like(at.mean, BIRTH_MEAN), BIRTH_VARIANCE)


def ula_variance(precision, step=STEP):
    """Stationary variance of unadjusted Langevin: s / (1 - h / (2 s)) with s = 1 / precision."""
    return 1 / precision / (1 - step * precision / 2)


def biased_precision(variance, step=STEP):
    """The precision whose Langevin chain has this stationary variance: inverse of the above."""
    return (1 - np.sqrt(1 - 2 * step / variance)) / step


def moved(at: Place, steps, mean, variance, step=STEP):
    """Mean and variance after `steps` Langevin steps from N(mean, variance)."""
    shrink = (1 - step * at.precision) ** steps
    still = ula_variance(at.precision, step)
    return at.centre + shrink * (mean - at.centre), still + shrink**2 * (variance - still)


def contrast(at: Place, mean, variance):
    """Gradient of mean E(data) - mean E(chain), chain rows from N(mean, variance)."""
    up = at.variance + (at.mean - at.centre) ** 2
    down = variance + (mean - at.centre) ** 2
    return -at.precision * (at.mean - mean), at.precision * (up - down) / 2, 0.0


def matching(at: Place, extra=0.0):
    """Gradient of the Fisher divergence from data with `extra` added to its variance."""
    up = at.variance + extra + (at.mean - at.centre) ** 2
    k = at.precision
    return -(k**2) * (at.mean - at.centre), k**2 * up - k, 0.0


def noise_law(at: Place):
    """Noise that differs from the data on the first axis alone."""
    first = np.arange(at.mean.size).reshape(at.mean.shape) == 0
    return at.mean - 0.4 * first, at.variance * np.where(first, 1.6, 1.0)


def noise_contrast(at: Place, ratio):
    """Gradient of the classifier's loss by quadrature over the first axis."""
    x = np.linspace(-12, 12, 4001)
    mean, variance = noise_law(at)

    def density(m, v):
        return np.exp(-((x - m) ** 2) / (2 * v)) / np.sqrt(2 * math.pi * v)

    data, noise = (
        density(at.mean.flat[0], at.variance.flat[0]),
        density(mean.flat[0], variance.flat[0]),
    )
    k, m = at.precision.flat[0], at.centre.flat[0]
    posterior = expit(np.log(density(m, 1 / k)) - np.log(noise) - math.log(ratio))
    weight = (data * (1 - posterior) - ratio * noise * posterior) / (1 + ratio) * (x[1] - x[0])
    whole = weight.sum()
    first = np.arange(at.mean.size).reshape(at.mean.shape) == 0
    slope_mean = np.where(first, np.sum(-weight * k * (x - m)), 0.0)
    slope_log = np.where(first, np.sum(weight * k * (x - m) ** 2 / 2), whole / 2)
    return slope_mean, slope_log, whole


def exact(at: Place):
    """The data's own mean and precision."""
    return at.mean, 1 / at.variance


def short_run_optimum(at: Place, steps):
    """Centre and precision at which the law after `steps` steps has the data's two moments."""

    def gap(k, variance):
        shrink = (1 - STEP * k) ** (2 * steps)
        return ula_variance(k) + shrink * (BIRTH_VARIANCE - ula_variance(k)) - variance

    k = np.vectorize(lambda v: brentq(gap, 1e-6, 1 / STEP, (v,)))(at.variance)
    shrink = (1 - STEP * k) ** steps
    return (at.mean - shrink * BIRTH_MEAN) / (1 - shrink), k


class Method(NamedTuple):
    """`best` is None where the gradient law says all. `trained`: as made for a training run."""

    make: Callable[[Place], AbstractObjective]
    slope: Callable[[Place], tuple]
    best: Callable[[Place], tuple] | None = None
    trained: Callable[[Place], AbstractObjective] | None = None
    at: Callable[[tuple], Place] = place


METHODS = {
    "cd": Method(
        lambda at: ContrastiveDivergence(Langevin(STEP), steps=2),
        lambda at: contrast(at, *moved(at, 2, at.mean, at.variance)),
        lambda at: (at.mean, biased_precision(at.variance)),
    ),
    "cd-exact": Method(
        lambda at: ContrastiveDivergence(hmc(0.4, 4, jnp.ones(at.mean.shape)), steps=6),
        lambda at: contrast(at, at.centre, 1 / at.precision),
    ),
    "short-run": Method(
        lambda at: ShortRun(Langevin(STEP), birth(at), steps=4),
        lambda at: contrast(at, *moved(at, 4, BIRTH_MEAN, BIRTH_VARIANCE)),
        lambda at: short_run_optimum(at, 4),
    ),
    "pcd": Method(
        lambda at: PersistentContrastiveDivergence(
            Langevin(STEP), gaussian(at.centre, ula_variance(at.precision)), steps=2, size=32
        ),
        lambda at: contrast(at, at.centre, ula_variance(at.precision)),
        lambda at: (at.mean, biased_precision(at.variance)),
        lambda at: PersistentContrastiveDivergence(
            Langevin(STEP), birth(at), steps=2, size=128, fresh=0.0
        ),
    ),
    "pcd-mala": Method(
        lambda at: PersistentContrastiveDivergence(
            mala(0.3), gaussian(at.centre, 1 / at.precision), steps=2, size=32
        ),
        lambda at: contrast(at, at.centre, 1 / at.precision),
        exact,
        lambda at: PersistentContrastiveDivergence(
            mala(0.3), birth(at), steps=2, size=128, fresh=0.0
        ),
    ),
    "dsm": Method(
        lambda at: DenoisingScoreMatching(NOISE),
        lambda at: matching(at, NOISE**2),
        lambda at: (at.mean, 1 / (at.variance + NOISE**2)),
    ),
    "ssm": Method(lambda at: SlicedScoreMatching(), matching, exact),
    "ssm-plain": Method(
        lambda at: SlicedScoreMatching(2, variance_reduced=False, direction="gaussian"),
        matching,
        exact,
    ),
    "nce": Method(
        lambda at: NoiseContrastiveEstimation(gaussian(*noise_law(at)), RATIO),
        lambda at: noise_contrast(at, RATIO),
        exact,
        at=place_apart_on_one_axis,
    ),
}
