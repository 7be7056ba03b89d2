"""The table of games: how each is made, and its exact mean gradient for each player."""

import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from cases import SHAPES, Place, place, place_apart_on_one_axis
from jaxtyping import Array
from mean_gradients import BATCH, bell, contrast, gaussian, noise_contrast, noise_distribution
from scipy.special import expit

from energax.energy import AbstractDistribution
from energax.learner import (
    AdversarialGenerator,
    AdversarialLikelihood,
    FDivergence,
    FlowContrastive,
    FromDistribution,
    LearnedStein,
)
from energax.learner.game import AbstractRules
from energax.network import NoisyGenerator

PENALTY, ANCHOR, RATIO = 0.7, 0.4, 2
SMEAR = 0.6
"""Noise of the generators."""


class Bell(AbstractDistribution):
    """N(mean, exp(log_std)^2) on each axis: a rival whose every weight has a known optimum."""

    mean: Array
    log_std: Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, mean, variance):
        self.mean = jnp.asarray(mean, float)
        self.log_std = jnp.log(jnp.asarray(variance, float)) / 2
        self.shape = self.mean.shape

    def __call__(self, x):
        return jnp.sum(((x - self.mean) * jnp.exp(-self.log_std)) ** 2) / 2

    def log_z(self):
        return jnp.sum(self.log_std) + self.mean.size * math.log(2 * math.pi) / 2

    def sample(self, *, key):
        return self.mean + jnp.exp(self.log_std) * jax.random.normal(key, self.shape)


class Ramp(eqx.Module):
    """slope * x + shift: a critic, and, of a latent vector, a generator."""

    slope: Array
    shift: Array

    def __init__(self, slope, shift):
        self.slope, self.shift = jnp.asarray(slope, float), jnp.asarray(shift, float)

    def __call__(self, x):
        return self.slope * x.reshape(self.slope.shape) + self.shift


def rival_distribution(at: Place):
    """Mean and variance of a rival that is neither the data's distribution nor the model's."""
    return at.mean + 0.8, 0.4 * at.variance


def linear(at: Place, mean, spread, *, learned=True):
    """x = mean + spread z + SMEAR e."""
    return NoisyGenerator(Ramp(spread, mean), at.mean.size, SMEAR, learned=learned)


def proposal(at: Place):
    return linear(at, at.mean - 1.0, 0.4 * at.variance)


def made(at: Place):
    """Mean and variance of what `proposal` makes, and its slope."""
    spread = 0.4 * at.variance
    return at.mean - 1.0, spread**2 + SMEAR**2, spread


def of_distribution(at: Place):
    mean, variance = rival_distribution(at)
    k = at.precision
    return contrast(at, mean, variance), (k * (mean - at.centre), k * variance - 1)


def of_generator(at: Place):
    """Rival: E_q[E] - H(q), with q = N(mean, spread^2 + s^2); the noise is learned too."""
    mean, variance, spread = made(at)
    k = at.precision
    smear = np.sum(k * SMEAR**2 - SMEAR**2 / variance)
    rival = (k * spread - spread / variance, k * (mean - at.centre), smear)
    return contrast(at, mean, variance), rival


def of_flow(at: Place):
    """Minus the classifier's loss and the anchor, by quadrature over the first axis."""
    x = np.linspace(-12, 12, 4001)
    mean, variance = (part.flat[0] for part in noise_distribution(at))
    k, m = at.precision.flat[0], at.centre.flat[0]
    data, noise = bell(x, at.mean.flat[0], at.variance.flat[0]), bell(x, mean, variance)
    logit = np.log(bell(x, m, 1 / k)) - np.log(noise) - math.log(RATIO)
    pull = data * expit(-logit)
    pull += RATIO * noise * (np.logaddexp(0, logit) - expit(logit))
    weight = (-pull / (1 + RATIO) - ANCHOR * data) * (x[1] - x[0])
    first = np.arange(at.mean.size).reshape(at.mean.shape) == 0
    slope_mean = first * np.sum(weight * (x - mean) / variance)
    slope_log = first * np.sum(weight * ((x - mean) ** 2 / variance - 1))
    return noise_contrast(at, RATIO), (slope_mean, slope_log)


CRITIC_SLOPE, CRITIC_SHIFT = 0.4, -0.3


def of_critic(at: Place):
    """f(x) = a x + c: all expectations are moments of the data."""
    k, m, mean = at.precision, at.centre, at.mean
    square = at.variance + mean**2
    a, c = CRITIC_SLOPE, CRITIC_SHIFT
    at_mean = a * mean + c
    energy = (k * at_mean, -k * (a * square + c * mean - m * at_mean), 0.0)
    slope = 2 * PENALTY * (a * square + c * mean) + k * (square - m * mean) - 1
    return energy, (slope, 2 * PENALTY * at_mean + k * (mean - m))


PAIRS = {  # kind -> of u = log r: the derivative of f'(r), then f*(f'(r)) and its derivative
    "kl": (lambda u: 1 + 0 * u, lambda u: np.exp(u), lambda u: np.exp(u)),
    "reverse-kl": (lambda u: np.exp(-u), lambda u: u - 1, lambda u: 1 + 0 * u),
    "js": (lambda u: expit(-u), lambda u: np.logaddexp(0, u) - math.log(2), expit),
    "hellinger": (
        lambda u: np.exp(-u / 2) / 2,
        lambda u: np.exp(u / 2) - 1,
        lambda u: np.exp(u / 2) / 2,
    ),
    "pearson": (
        lambda u: 2 * np.exp(u),
        lambda u: np.exp(2 * u) - 1,
        lambda u: 2 * np.exp(2 * u),
    ),
}


def guess(at: Place):
    """The rival's mean and variance in f-training: an energy of the data that is not right."""
    return at.mean + 0.2, 1.15 * at.variance


def of_ratio(at: Place, kind, whole=False):
    """By quadrature in one axis."""
    x = np.linspace(-12, 12, 4001)
    cell = x[1] - x[0]
    k, m = at.precision[0], at.centre[0]
    mean, variance = (part[0] for part in guess(at))
    data = bell(x, at.mean[0], at.variance[0]) * cell
    model = bell(x, m, 1 / k) * cell
    u = np.log(bell(x, mean, variance)) - np.log(bell(x, m, 1 / k))
    up, cost, down = (part(u) for part in PAIRS[kind])
    pull = data * up - model * down
    weight = model * (cost - np.sum(model * cost)) + (pull if whole else 0)
    slope_mean = np.sum(-weight * k * (x - m))
    slope_log = np.sum(weight * k * (x - m) ** 2 / 2)
    # The rival raises the value; u falls with its energy, in its mean and in its log-deviation.
    rival_mean = -np.sum(pull * (x - mean) / variance)
    rival_log = -np.sum(pull * ((x - mean) ** 2 / variance))
    energy = np.array([slope_mean]), np.array([slope_log]), np.sum(weight)
    return energy, (np.array([rival_mean]), np.array([rival_log]))


class Guess(eqx.Module):
    """-log N(x; mean, exp(log_std)^2) without what its weights do to the constant."""

    distribution: Bell
    constant: float = eqx.field(static=True)

    def __init__(self, mean, variance):
        self.distribution = Bell(mean, variance)
        self.constant = float(np.sum(np.log(2 * math.pi * variance)) / 2)

    def __call__(self, x):
        return self.distribution(x) + self.constant


class Case(NamedTuple):
    """`rival`, `rules` and `slope` at a place; `settled`: the rival at its best where p = data.

    `slope`: mean gradients of the energy and of the rival, each in the order of its weights.
    `margin`: bias of means over weighted draws. `sees_constant`: is the constant of E felt?
    """

    rules: Callable[[Place], AbstractRules]
    rival: Callable[[Place], eqx.Module]
    slope: Callable[[Place], tuple]
    settled: Callable[[Place], eqx.Module] | None = None
    at: Callable[[tuple], Place] = place
    shape: tuple[int, ...] = SHAPES["vector"]
    batch: int = BATCH
    seeds: int = 2000
    margin: float = 0.0
    sees_constant: bool = False


def ratio_case(kind, whole=False):
    return Case(
        lambda at: FDivergence(
            FromDistribution(gaussian(at.centre, 1.3 / at.precision), 4),
            kind,
            clip=50.0,
            full_gradient=whole,
        ),
        lambda at: Guess(*guess(at)),
        lambda at: of_ratio(at, kind, whole),
        lambda at: Guess(at.mean, at.variance),
        shape=(1,),
        batch=512,
        seeds=1000 if kind == "pearson" else 300,
        margin=2e-3,
        sees_constant=True,
    )


GAMES = {
    "adversarial": Case(
        lambda at: AdversarialLikelihood(),
        lambda at: Bell(*rival_distribution(at)),
        of_distribution,
        lambda at: Bell(at.mean, at.variance),
    ),
    "adversarial-generator": Case(
        lambda at: AdversarialGenerator(proposals=2),
        proposal,
        of_generator,
        lambda at: linear(at, at.mean, np.sqrt(at.variance - SMEAR**2)),
    ),
    "flow-contrastive": Case(
        lambda at: FlowContrastive(RATIO, ANCHOR),
        lambda at: Bell(*noise_distribution(at)),
        of_flow,
        lambda at: Bell(at.mean, at.variance),
        at=place_apart_on_one_axis,
        seeds=12000,
        sees_constant=True,
    ),
    "learned-stein": Case(
        lambda at: LearnedStein(PENALTY),
        lambda at: Ramp(np.full_like(at.mean, CRITIC_SLOPE), np.full_like(at.mean, CRITIC_SHIFT)),
        of_critic,
        lambda at: Ramp(0 * at.mean, 0 * at.mean),
    ),
    "learned-stein-hutchinson": Case(
        lambda at: LearnedStein(PENALTY, projections=1),
        lambda at: Ramp(np.full_like(at.mean, CRITIC_SLOPE), np.full_like(at.mean, CRITIC_SHIFT)),
        of_critic,
    ),
    **{f"f-{kind}": ratio_case(kind) for kind in PAIRS},
    **{f"f-{kind}-whole": ratio_case(kind, whole=True) for kind in ("kl", "js")},
}
