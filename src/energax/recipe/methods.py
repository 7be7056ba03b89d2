"""From the word for a method to what trains it: objectives, chains, optimisers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree

from energax import network, objective, sampler
from energax.data import AbstractTransform, Dataset, Labelled
from energax.energy import AbstractDistribution, Flat, Tilt, fit_flow, flow
from energax.learner import (
    AbstractLearner,
    AdversarialGenerator,
    AdversarialLikelihood,
    Descent,
    DualTraining,
    FDivergence,
    FlowContrastive,
    FromDistribution,
    Game,
    LearnedStein,
    Neurons,
    Players,
    Teaching,
    VariationBall,
)
from energax.learner.game import AbstractRules
from energax.objective import AbstractObjective
from energax.recipe import optimise, teach
from energax.recipe.build import BOX, energy, fitting_rows
from energax.recipe.settings import F_DIVERGENCES, GAMES, TAUGHT, Settings

FLOWS = ("adversarial", "flow-contrastive")
"""Games whose rival is a flow, fitted to the rows before training."""

PAIRED = 2
"""Rows of a batch for each pair of coupled chains."""


def chain(settings: Settings) -> sampler.Langevin:
    """The chains of training."""
    return sampler.Langevin(
        settings.step_size,
        settings.chain_noise,
        clip=settings.chain_clip or None,
        box=BOX if settings.base == "box" else None,
    )


def loss(settings: Settings, distribution: AbstractDistribution) -> AbstractObjective:
    """The objective by its word on the command line."""
    steps, penalty = settings.chain_steps, settings.energy_penalty
    noise, ratio = settings.noise, settings.noise_ratio
    makers = {
        "cd": lambda: objective.ContrastiveDivergence(chain(settings), steps, penalty),
        "cd-improved": lambda: objective.ImprovedContrastiveDivergence(
            chain(settings), steps, penalty
        ),
        "shortrun": lambda: objective.ShortRun(chain(settings), distribution, steps, penalty),
        "pcd": lambda: objective.PersistentContrastiveDivergence(
            chain(settings), distribution, steps, settings.buffer_size, settings.fresh, penalty
        ),
        "recovery": lambda: objective.RecoveryLikelihood(chain(settings), noise, steps),
        "sm": objective.ImplicitScoreMatching,
        "ssm": lambda: objective.SlicedScoreMatching(
            settings.projections, not settings.plain, settings.direction
        ),
        "ssm-finite": lambda: objective.FiniteDifferenceScoreMatching(
            projections=settings.projections, direction=settings.direction
        ),
        "dsm": lambda: objective.DenoisingScoreMatching(noise, settings.control_variate),
        "nce": lambda: objective.NoiseContrastiveEstimation(
            distribution, ratio, settings.divergence
        ),
        "nce-ranking": lambda: objective.RankingNoiseContrastiveEstimation(distribution, ratio),
        "nce-conditional": lambda: objective.ConditionalNoiseContrastiveEstimation(noise, ratio),
        "nce-self": lambda: objective.SelfPerturbedNoiseContrastiveEstimation(noise),
        "discrepancy": lambda: objective.EnergyDiscrepancy(noise, ratio),
        "velocity": objective.MinimumVelocity,
        "contraction": lambda: objective.MinimumKLContraction(distribution, ratio),
        "flow": lambda: objective.MinimumProbabilityFlow(noise, ratio),
        "stein": lambda: objective.KernelStein(
            settings.kernel, bandwidth=settings.bandwidth or None
        ),
        "coupled": lambda: objective.CoupledLikelihood(
            sampler.CoupledLangevin(distribution, settings.step_size),
            *_span(steps),
            pairs=max(1, settings.batch_size // PAIRED),
        ),
        "joint": lambda: objective.JointLikelihood(
            objective.NoiseContrastiveEstimation(distribution, ratio, settings.divergence),
            settings.label_weight,
        ),
        "dsm-levels": lambda: objective.MultiLevelDenoising(noises(settings), antithetic=True),
        "recovery-levels": lambda: objective.MultiLevelRecovery(
            sampler.mala(settings.step_size), noises(settings), steps
        ),
    }
    return makers[settings.objective]()


def _span(limit: int) -> tuple[int, int, int]:
    """First step that counts, last of the plain mean, and last of all, of a pair of chains."""
    return max(1, limit // 5), max(1, 2 * limit // 5), limit


def noises(settings: Settings) -> np.ndarray:
    """The levels of noise, broadest first."""
    return sampler.geometric_levels(settings.broadest, settings.finest, settings.levels)


def rules(settings: Settings, distribution: AbstractDistribution) -> AbstractRules:
    """The game by its word on the command line."""
    penalty, proposals = settings.energy_penalty, settings.noise_ratio
    if settings.objective in F_DIVERGENCES:
        source = FromDistribution(distribution, settings.noise_ratio)
        return FDivergence(source, F_DIVERGENCES[settings.objective])
    makers = {
        "adversarial": lambda: AdversarialLikelihood(penalty),
        "adversarial-generator": lambda: AdversarialGenerator(proposals, penalty),
        "flow-contrastive": lambda: FlowContrastive(settings.noise_ratio, settings.anchor),
        "stein-learned": LearnedStein,
    }
    return makers[settings.objective]()


def rival(settings: Settings, distribution: AbstractDistribution, *, key: PRNGKeyArray) -> PyTree:
    """The rival as a fresh network, or as a flow that is not fitted yet."""
    shape, width, depth = distribution.shape, settings.rival_width, settings.depth
    if settings.objective in F_DIVERGENCES:
        return Tilt(distribution, network.MLP(shape, width, depth, key=key))
    if settings.objective in FLOWS:
        return flow(shape, mean=jnp.zeros(shape), std=jnp.ones(shape), key=key)
    if settings.objective == "stein-learned":
        return network.ArrayMLP(shape, shape, width, depth, key=key)
    size = math.prod(shape)
    maker = network.ArrayMLP((size,), shape, width, depth, key=key)
    return network.NoisyGenerator(maker, size, settings.noise)


def blank_players(
    settings: Settings,
    distribution: AbstractDistribution,
    transform: AbstractTransform,
    *,
    key: PRNGKeyArray,
) -> PyTree:
    """Fresh players: those of `players`, but that a flow among them is not fitted."""
    blank = energy(settings, distribution, transform, key=key)
    born = jax.random.fold_in(key, 1)
    if settings.objective in TAUGHT:
        return teach.trio(settings, blank, distribution.shape, key=born)
    if settings.objective not in GAMES:
        return blank
    return Players(blank, rival(settings, distribution, key=born))


def players(
    settings: Settings,
    distribution: AbstractDistribution,
    transform: AbstractTransform,
    rows: Dataset,
    *,
    key: PRNGKeyArray,
) -> PyTree:
    """What the learner moves: the energy before training, and the others where there are any."""
    fresh = blank_players(settings, distribution, transform, key=key)
    if settings.objective not in FLOWS:
        return fresh
    fitted = fit_flow(fitting_rows(settings, rows, transform), seed=settings.seed)
    return Players(fresh.energy, fitted)


def learner(
    settings: Settings, distribution: AbstractDistribution, rows: Dataset
) -> AbstractLearner:
    """What trains the energy, by the settings."""
    decay, count = settings.decay or None, len(rows.train)
    if settings.objective == "dual":
        return DualTraining(
            sampler.OnManifold(Flat(distribution), settings.step_size),
            Neurons(
                settings.direction_step,
                settings.weight_step,
                VariationBall(settings.radius or math.inf),
            ),
            settings.restart,
            copies=settings.copies,
            ema_decay=decay,
            horizon=settings.steps,
        )
    if settings.objective in TAUGHT:
        told = teach.rules(settings, chain(settings), count)
        optimisers = optimise.of_trio(settings, count)
        return Teaching(told, optimisers, settings.again, decay, settings.fresh)
    moves = optimise.of_energy(settings, count)
    if settings.objective not in GAMES:
        return Descent(loss(settings, distribution), moves, decay)
    answers = optimise.of_rival(settings, count)
    return Game(rules(settings, distribution), moves, answers, settings.rounds, decay)


def training_rows(settings: Settings, rows: Dataset) -> np.ndarray | Labelled:
    """The rows to train on: with their labels, or their numbers, for those who ask for them."""
    if settings.objective == "joint":
        return rows.labelled[0]
    if settings.objective == "teaching" and settings.posterior == "kept":
        return Labelled(rows.train, np.arange(len(rows.train)))
    return rows.train


def lifetime(settings: Settings) -> int:
    """Langevin steps from where chains of training begin: the base distribution, or the generator's
    draws.

    Those of `pcd` go on until they start anew, on average; the generator's are revised by K steps.
    """
    if settings.objective == "pcd" and settings.fresh > 0:
        return round(settings.chain_steps / settings.fresh)
    return settings.chain_steps
