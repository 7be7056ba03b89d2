"""Mean gradients and minimisers of the objectives in closed form, on Gaussian data and models."""

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from cases import Place, place
from scipy.optimize import brentq
from scipy.special import expit

from energax.energy import Gaussian, NoisyEnergy
from energax.objective import (
    AbstractObjective,
)

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


def noise_distribution(at: Place):
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
    mean, variance = noise_distribution(at)
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
    mean, variance = (part.flat[0] for part in noise_distribution(at))
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
