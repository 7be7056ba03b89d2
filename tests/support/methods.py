"""The table of objectives: how each is made, its exact mean gradient, its exact minimiser."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from cases import SHAPES, Place, place, place_apart_on_one_axis
from mean_gradients import (
    BATCH,
    BIRTH_MEAN,
    BIRTH_VARIANCE,
    CENTRE,
    LEVELS,
    NOISE,
    RATIO,
    STEP,
    WIDTH,
    Everywhere,
    biased_precision,
    birth,
    contrast,
    exact,
    gaussian,
    improved,
    improved_optimum,
    levels,
    matching,
    mirrored,
    mobility,
    moved,
    near,
    noise_contrast,
    noise_distribution,
    pair_contrast,
    ranking,
    recovery,
    round_place,
    short_run_optimum,
    stein,
    ula_variance,
    velocity,
    with_entropy,
)
from scipy.special import expit

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
        lambda at: NoiseContrastiveEstimation(gaussian(*noise_distribution(at)), RATIO),
        lambda at: noise_contrast(at, RATIO),
        exact,
        at=place_apart_on_one_axis,
        normalises=True,
    ),
    "nce-kl": Method(
        lambda at: NoiseContrastiveEstimation(gaussian(*noise_distribution(at)), RATIO, "kl"),
        lambda at: noise_contrast(at, RATIO, "kl"),
        exact,
        at=place_apart_on_one_axis,
        normalises=True,
    ),
    "nce-squared": Method(
        lambda at: NoiseContrastiveEstimation(gaussian(*noise_distribution(at)), RATIO, "squared"),
        lambda at: noise_contrast(at, RATIO, "squared"),
        at=place_apart_on_one_axis,
        normalises=True,
    ),
    "nce-ranking": Method(
        lambda at: RankingNoiseContrastiveEstimation(gaussian(*noise_distribution(at))),
        ranking,
        exact,
        lambda at: RankingNoiseContrastiveEstimation(gaussian(*noise_distribution(at)), RATIO),
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
