"""The table of objectives: how each is made, its exact mean gradient, its exact minimiser."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from cases import SHAPES, Place, place, place_apart_on_one_axis
from scipy.optimize import brentq
from scipy.special import expit

from energax.energy import Gaussian, NoisyEnergy
from energax.objective import (
    AbstractObjective,
    ConditionalNoiseContrastiveEstimation,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    FiniteDifferenceScoreMatching,
    ImplicitScoreMatching,
    ImprovedContrastiveDivergence,
    KernelStein,
    MinimumKLContraction,
    MinimumProbabilityFlow,
    MinimumVelocity,
    MultiLevelDenoising,
    NoiseContrastiveEstimation,
    PersistentContrastiveDivergence,
    RankingNoiseContrastiveEstimation,
    RecoveryLikelihood,
    SelfPerturbedNoiseContrastiveEstimation,
    ShortRun,
    SlicedScoreMatching,
)
from energax.sampler import Langevin, hmc, mala

STEP, NOISE, RATIO = 0.3, 0.7, 3
BIRTH_MEAN, BIRTH_VARIANCE = 1.0, 0.25
BATCH, TRAINED_BATCH, WIDTH, CENTRE = 16, 32, 1.3, 0.3


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


def bell(x, mean, variance):
    """The density of N(mean, variance)."""
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * math.pi * variance)


WEIGHTS = {  # divergence -> what a data row and a noise row weigh, u = model / (ratio noise) there
    "logistic": lambda u: (1 / (1 + u), u / (1 + u)),
    "kl": lambda u: (np.ones_like(u), u),
    "squared": lambda u: (u, u**2),
}


def noise_contrast(at: Place, ratio, divergence="logistic"):
    """Gradient of the classifier's loss by quadrature over the first axis."""
    x = np.linspace(-12, 12, 4001)
    mean, variance = noise_law(at)
    data = bell(x, at.mean.flat[0], at.variance.flat[0])
    noise = bell(x, mean.flat[0], variance.flat[0])
    k, m = at.precision.flat[0], at.centre.flat[0]
    up, down = WEIGHTS[divergence](bell(x, m, 1 / k) / (ratio * noise))
    weight = (data * up - ratio * noise * down) / (1 + ratio) * (x[1] - x[0])
    whole = weight.sum()
    first = np.arange(at.mean.size).reshape(at.mean.shape) == 0
    slope_mean = np.where(first, np.sum(-weight * k * (x - m)), 0.0)
    slope_log = np.where(first, np.sum(weight * k * (x - m) ** 2 / 2), whole / 2)
    return slope_mean, slope_log, whole


def pair_contrast(at: Place, slope_of_cost, others, log_weight=np.zeros_like):
    """Gradient of mean cost(E(x) - E(y)) by quadrature over the first axis of x and of y.

    `others(x, y)` is the density of y given x; `log_weight` is added to the energy.
    """
    x = np.linspace(-9, 9, 1201)
    k, m = at.precision.flat[0], at.centre.flat[0]
    energy = k * (x - m) ** 2 / 2 + log_weight(x)
    joint = bell(x, at.mean.flat[0], at.variance.flat[0])[:, None] * others(x[:, None], x[None])
    weight = joint * slope_of_cost(energy[:, None] - energy[None]) * (x[1] - x[0]) ** 2
    each = weight.sum(axis=1) - weight.sum(axis=0)
    first = np.arange(at.mean.size).reshape(at.mean.shape) == 0
    slope_log = np.sum(each * k * (x - m) ** 2 / 2)
    return first * np.sum(-each * k * (x - m)), first * slope_log, 0.0


def ranking(at: Place):
    """One noise row beside each data row."""
    mean, variance = (part.flat[0] for part in noise_law(at))
    return pair_contrast(
        at, expit, lambda x, y: bell(y, mean, variance), lambda x: np.log(bell(x, mean, variance))
    )


def near(noise):
    """Others that are the row with noise added."""
    return lambda x, y: bell(y, x, noise**2)


def mirrored(x, y):
    """Others 2 c - x with c from N(CENTRE, 1)."""
    return bell(y, 2 * CENTRE - x, 4.0)


def stein(at: Place, kernel, diagonal=0.0):
    """Gradient of the kernel Stein discrepancy, by quadrature over both arguments, in one axis.

    `diagonal`: the share of pairs of a row with itself.
    """
    x = np.linspace(-9, 9, 1201)
    k, m = at.precision[0], at.centre[0]
    data = bell(x, at.mean[0], at.variance[0]) * (x[1] - x[0])
    gap = x[:, None] - x[None]
    if kernel == "gaussian":
        value = np.exp(-(gap**2) / (2 * WIDTH**2))
        bent = value * gap / WIDTH**2
    else:
        value = (1 + gap**2 / WIDTH**2) ** -0.5
        bent = value**3 * gap / WIDTH**2
    score = -k * (x - m)
    pull = 2 * data * ((value * score + bent) @ data) * (1 - diagonal)
    pull += 2 * data * score * diagonal
    return np.array([np.sum(pull * k)]), np.array([np.sum(pull * score)]), 0.0


def recovery(at: Place, noise):
    """The chains' mean and variance, once at the distribution of the clean row given the noisy
    one."""
    precision = at.precision + 1 / noise**2
    mean = (at.precision * at.centre + at.mean / noise**2) / precision
    variance = 1 / precision + (at.variance + noise**2) / (noise**2 * precision) ** 2
    return contrast(at, mean, variance)


class Everywhere(eqx.Module):
    """An objective for a model of many levels, given one that is the same at all of them."""

    objective: AbstractObjective

    def init(self, energy, rows, *, key):
        return None

    def __call__(self, energy, batch, memory, *, key):
        model = NoisyEnergy(lambda x, noise: energy(x), batch.shape[1:])
        return self.objective(model, batch, memory, key=key)


LEVELS = np.array([0.3, 0.5, 0.8])


def levels(at: Place, preserving=False):
    """Mean over the levels of s^2 times score matching on the noisy, and perhaps shrunk, data."""
    parts = []
    for noise in LEVELS:
        shrink = 1 - noise**2 if preserving else 1.0
        distribution = dataclasses.replace(
            at, mean=math.sqrt(shrink) * at.mean, variance=shrink * at.variance + noise**2
        )
        parts.append([noise**2 * part for part in matching(distribution)[:2]])
    return *np.mean(parts, axis=0), 0.0


def through_last(at: Place, steps, entropy, step=STEP):
    """The frozen energy of the chains less `entropy` times theirs, seen through the last step."""
    mean, variance = moved(at, steps - 1, at.mean, at.variance, step)
    k, shrink = at.precision, 1 - step * at.precision
    last = moved(at, steps, at.mean, at.variance, step)[1]
    by_mean = step * k**2 * shrink * (mean - at.centre)
    by_log = -step * k**2 * shrink * (variance + (mean - at.centre) ** 2)
    return by_mean, by_log + entropy * step * k * shrink * variance / last, 0.0


def improved(at: Place, steps=2, entropy=0.0, step=STEP):
    """Contrastive divergence, and the distribution of the chains seen through their last step."""
    parts = contrast(at, *moved(at, steps, at.mean, at.variance, step))
    extra = through_last(at, steps, entropy, step)
    return parts[0] + extra[0], parts[1] + extra[1], 0.0


def with_entropy(at: Place):
    """Two steps and the entropy: its slope along a scaling is exact for a batch of any size."""
    return improved(at, entropy=1.0)


def improved_optimum(at: Place, steps):
    """The precision at which the gradient vanishes: the mean is then right."""

    def pull(k, variance):
        one = Place(*(np.array([v]) for v in (0.0, variance, 0.0, k)))
        return improved(one, steps, 1.0)[1][0]

    return at.mean, np.vectorize(lambda v: brentq(pull, 0.5 / v, 2.5 / v, (v,)))(at.variance)


def round_place(shape):
    """Data and model apart, with the same variance on every axis: the chains' distribution is
    round."""
    whole = place(shape)
    return Place(whole.mean, np.full(shape, 1.2), whole.centre, np.full(shape, 1.1))


def mobility(at: Place):
    """Another one on each axis."""
    return 1 + 0.5 * np.linspace(-1, 1, at.mean.size).reshape(at.mean.shape)


def velocity(at: Place):
    """Twice score matching, axis by axis times the mobility."""
    slope = matching(at)
    return 2 * mobility(at) * slope[0], 2 * mobility(at) * slope[1], 0.0


def exact(at: Place):
    """The data's own mean and precision."""
    return at.mean, 1 / at.variance


def short_run_optimum(at: Place, steps):
    """Centre and precision at which the distribution after `steps` steps has the data's two
    moments."""

    def gap(k, variance):
        shrink = (1 - STEP * k) ** (2 * steps)
        return ula_variance(k) + shrink * (BIRTH_VARIANCE - ula_variance(k)) - variance

    k = np.vectorize(lambda v: brentq(gap, 1e-6, 1 / STEP, (v,)))(at.variance)
    shrink = (1 - STEP * k) ** steps
    return (at.mean - shrink * BIRTH_MEAN) / (1 - shrink), k


class Method(NamedTuple):
    """`best` is None where the gradient distribution says all. `trained`: as made for a training
    run.

    `shape`: where the gradient is known. `normalises`: does it learn the constant?
    `seeds`: batches that the gradient is averaged over, enough to see a scale a tenth off.
    `trains`: False where the gradient of a small batch is so skewed that Adam drifts.
    """

    make: Callable[[Place], AbstractObjective]
    slope: Callable[[Place], tuple]
    best: Callable[[Place], tuple] | None = None
    trained: Callable[[Place], AbstractObjective] | None = None
    at: Callable[[tuple], Place] = place
    shape: tuple[int, ...] = SHAPES["vector"]
    normalises: bool = False
    seeds: int = 2000
    trains: bool = True


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
            Langevin(STEP), birth(at), steps=2, size=128, reinit_probability=0.0
        ),
    ),
    "pcd-mala": Method(
        lambda at: PersistentContrastiveDivergence(
            mala(0.3), gaussian(at.centre, 1 / at.precision), steps=2, size=32
        ),
        lambda at: contrast(at, at.centre, 1 / at.precision),
        exact,
        lambda at: PersistentContrastiveDivergence(
            mala(0.3), birth(at), steps=2, size=128, reinit_probability=0.0
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
        normalises=True,
    ),
    "nce-kl": Method(
        lambda at: NoiseContrastiveEstimation(gaussian(*noise_law(at)), RATIO, "kl"),
        lambda at: noise_contrast(at, RATIO, "kl"),
        exact,
        at=place_apart_on_one_axis,
        normalises=True,
    ),
    "nce-squared": Method(
        lambda at: NoiseContrastiveEstimation(gaussian(*noise_law(at)), RATIO, "squared"),
        lambda at: noise_contrast(at, RATIO, "squared"),
        at=place_apart_on_one_axis,
        normalises=True,
    ),
    "nce-ranking": Method(
        lambda at: RankingNoiseContrastiveEstimation(gaussian(*noise_law(at))),
        ranking,
        exact,
        lambda at: RankingNoiseContrastiveEstimation(gaussian(*noise_law(at)), RATIO),
        at=place_apart_on_one_axis,
        seeds=12000,
    ),
    "nce-conditional": Method(
        lambda at: ConditionalNoiseContrastiveEstimation(NOISE, 2),
        lambda at: pair_contrast(at, lambda gap: 2 * expit(gap), near(NOISE)),
        exact,
        shape=(1,),
        seeds=12000,
    ),
    "nce-self": Method(
        lambda at: SelfPerturbedNoiseContrastiveEstimation(NOISE),
        lambda at: pair_contrast(at, lambda gap: 2 * expit(gap), near(NOISE)),
        exact,
        shape=(1,),
    ),
    "dsm-variate": Method(
        lambda at: DenoisingScoreMatching(NOISE, control_variate=True),
        lambda at: matching(at, NOISE**2),
        lambda at: (at.mean, 1 / (at.variance + NOISE**2)),
    ),
    "dsm-levels": Method(lambda at: Everywhere(MultiLevelDenoising(LEVELS)), levels),
    "dsm-levels-antithetic": Method(
        lambda at: Everywhere(MultiLevelDenoising(LEVELS, antithetic=True)), levels
    ),
    "dsm-levels-preserving": Method(
        lambda at: Everywhere(MultiLevelDenoising(LEVELS, variance_preserving=True)),
        lambda at: levels(at, preserving=True),
    ),
    "sm": Method(lambda at: ImplicitScoreMatching(), matching, exact),
    "ssm-sphere": Method(
        lambda at: SlicedScoreMatching(variance_reduced=False, direction="sphere"), matching
    ),
    "ssm-finite": Method(lambda at: FiniteDifferenceScoreMatching(0.3, 2), matching, exact),
    "velocity": Method(lambda at: MinimumVelocity(mobility(at)), velocity, exact),
    "contraction": Method(
        lambda at: MinimumKLContraction(gaussian(np.full_like(at.mean, CENTRE), 1.0)),
        lambda at: pair_contrast(at, expit, mirrored),
        exact,
        shape=(1,),
    ),
    "flow": Method(
        lambda at: MinimumProbabilityFlow(NOISE, 2),
        lambda at: pair_contrast(at, lambda gap: np.exp(gap / 2) / 2, near(NOISE)),
        exact,
        shape=(1,),
        seeds=12000,
    ),
    "stein": Method(
        lambda at: KernelStein(bandwidth=WIDTH),
        lambda at: stein(at, "multiquadric"),
        exact,
        shape=(1,),
        trains=False,
    ),
    "stein-gaussian-v": Method(
        lambda at: KernelStein("gaussian", "v", WIDTH),
        lambda at: stein(at, "gaussian", 1 / BATCH),
        shape=(1,),
    ),
    "recovery": Method(
        lambda at: RecoveryLikelihood(hmc(0.25, 4, jnp.ones(at.mean.shape)), NOISE, steps=6),
        lambda at: recovery(at, NOISE),
        exact,
    ),
    "discrepancy": Method(
        lambda at: EnergyDiscrepancy(NOISE, copies=1),
        lambda at: pair_contrast(at, expit, near(NOISE * math.sqrt(2))),
        exact,
        lambda at: EnergyDiscrepancy(NOISE, copies=16),
        shape=(1,),
        seeds=12000,
    ),
    "cd-improved": Method(
        lambda at: ImprovedContrastiveDivergence(Langevin(STEP), steps=2),
        with_entropy,
        lambda at: improved_optimum(at, 4),
        lambda at: ImprovedContrastiveDivergence(Langevin(STEP), steps=4),
        at=round_place,
        seeds=12000,
    ),
    "cd-improved-through": Method(
        lambda at: ImprovedContrastiveDivergence(Langevin(STEP), steps=2, entropy_weight=0.0),
        improved,
        seeds=12000,
    ),
}
