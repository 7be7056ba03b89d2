"""Teaching where all is linear and Gaussian: every player's mean loss, and so its mean gradient.

A pair (x, z) is written as affine in independent standard normals, x = x0 + x1 e, z = z0 + z1 e;
then E|x - W z - b|^2 = |x0 - W z0 - b|^2 + the squared norm of x1 - W z1.
"""

import dataclasses
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from cases import Place, place
from jaxtyping import Array
from mean_gradients import moved

from energax.learner import FromEncoder, TeachingPlayers, TeachingRules
from energax.network import Encoder, NoisyGenerator
from energax.sampler import Langevin

LATENT, SMEAR = 2, 0.6
STEP, STEPS, LATENT_STEP, LATENT_STEPS = 0.3, 2, 0.1, 3


class Affine(eqx.Module):
    """W v + b as an array of `shape`."""

    slope: Array
    shift: Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, slope, shift, shape):
        self.slope, self.shift, self.shape = jnp.asarray(slope), jnp.asarray(shift), shape

    def __call__(self, v):
        return (self.slope @ v.reshape(-1) + self.shift).reshape(self.shape)


class Guess(eqx.Module):
    """Mean A x + c and the logarithm of a variance that does not depend on x."""

    slope: Array
    shift: Array
    log_variance: Array

    def __init__(self, slope, shift, log_variance):
        self.slope, self.shift = jnp.asarray(slope), jnp.asarray(shift)
        self.log_variance = jnp.asarray(log_variance)

    def __call__(self, x):
        return jnp.concatenate([self.slope @ x.reshape(-1) + self.shift, self.log_variance])


class Pair(NamedTuple):
    """x and z as affine functions of the same standard normals."""

    x0: np.ndarray
    x1: np.ndarray
    z0: np.ndarray
    z1: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scene:
    """Data, energy, generator W z + b and encoder N(A x + c, diag v)."""

    at: Place
    w: np.ndarray
    b: np.ndarray
    a: np.ndarray
    c: np.ndarray
    v: np.ndarray

    @property
    def shape(self):
        return self.at.mean.shape

    @property
    def players(self):
        generator = NoisyGenerator(Affine(self.w, self.b, self.shape), len(self.c), SMEAR)
        encoder = Encoder(Guess(self.a, self.c, np.log(self.v)), len(self.c), floor=0.0)
        return TeachingPlayers(self.at.model, generator, encoder)

    def rules(self, **changed):
        given = {"steps": STEPS, "generator_weight": 0.7, "encoder_weight": 0.3} | changed
        given.setdefault("posterior", FromEncoder(Langevin(LATENT_STEP), LATENT_STEPS))
        return TeachingRules(Langevin(STEP), **given)

    def precision(self):
        """M of the posterior p(z | x)."""
        return np.eye(len(self.c)) + self.w.T @ self.w / SMEAR**2

    def posterior(self):
        """Slope and shift of its mean, linear in x."""
        slope = np.linalg.solve(self.precision(), self.w.T) / SMEAR**2
        return slope, -slope @ self.b

    def inferred(self, steps=LATENT_STEPS, step=LATENT_STEP):
        """(row, z+): the encoder's draw after `steps` Langevin steps on z."""
        size, latent = self.b.size, len(self.c)
        m = self.precision()
        shrink = np.eye(latent) - step * m
        whole = np.linalg.matrix_power(shrink, steps)
        slope, shift = self.posterior()
        p = whole @ self.a + (np.eye(latent) - whole) @ slope
        q = whole @ self.c + (np.eye(latent) - whole) @ shift
        powers = (np.linalg.matrix_power(shrink, 2 * j) for j in range(steps))
        covariance = 2 * step * sum(powers, np.zeros((latent, latent)))
        covariance = whole @ np.diag(self.v) @ whole + covariance
        x1 = np.hstack([np.diag(np.sqrt(self.at.variance.ravel())), np.zeros((size, latent))])
        z1 = p @ x1
        z1[:, size:] = np.linalg.cholesky(covariance)
        mean = self.at.mean.ravel()
        return Pair(mean, x1, p @ mean + q, z1)

    def revised(self, steps=STEPS, step=STEP):
        """(x+, z): the generator's draw after `steps` Langevin steps on x, with its own z."""
        size, latent = self.b.size, len(self.c)
        k, m = self.at.precision.ravel(), self.at.centre.ravel()
        r = (1 - step * k) ** steps
        still = (1 - r**2) / k / (1 - step * k / 2)
        x1 = np.hstack([r[:, None] * self.w, np.diag(SMEAR * r), np.diag(np.sqrt(still))])
        z1 = np.eye(latent, latent + 2 * size)
        return Pair(m + r * (self.b - m), x1, np.zeros(latent), z1)

    def marginal(self, steps=STEPS):
        """Mean and variance of each axis of x+, as `methods.contrast` wants them."""
        variance = np.sum(self.w**2, axis=1) + SMEAR**2
        return moved(self.at, steps, self.b.reshape(self.shape), variance.reshape(self.shape), STEP)


def scene(shape, latent=LATENT):
    """A scene in which nothing is at its best."""
    size = math.prod(shape)
    rng = np.random.default_rng(3)
    w = rng.normal(size=(size, latent)) * 1.2 / math.sqrt(size)
    a = rng.normal(size=(latent, size)) * 0.7 / math.sqrt(size)
    b, c = rng.normal(size=size) * 0.5, rng.normal(size=latent) * 0.5
    return Scene(place(shape), w, b, a, c, np.linspace(0.3, 0.5, latent))


def missed(pair, slope, shift, *, swapped=False):
    """E (out - slope in - shift)^2 of each axis of out: x given z, or z given x if `swapped`."""
    x0, x1, z0, z1 = pair
    (o0, o1), (i0, i1) = ((z0, z1), (x0, x1)) if swapped else ((x0, x1), (z0, z1))
    return (o0 - slope @ i0 - shift) ** 2 + jnp.sum((o1 - slope @ i1) ** 2, axis=1)


def decoding(w, b, pair):
    """E -log p(x | z)."""
    constant = len(pair.x0) * math.log(SMEAR * math.sqrt(2 * math.pi))
    return jnp.sum(missed(pair, w, b)) / (2 * SMEAR**2) + constant


def encoding(a, c, log_v, pair):
    """E -log q(z | x)."""
    off = missed(pair, a, c, swapped=True) * jnp.exp(-log_v) + log_v
    return jnp.sum(off) / 2 + len(pair.z0) * math.log(2 * math.pi) / 2


def divergence(mean, covariance, other_mean, other_covariance):
    """KL(N(mean, covariance) || N(other_mean, other_covariance))."""
    gap, inverse = other_mean - mean, jnp.linalg.inv(other_covariance)
    logs = jnp.linalg.slogdet(other_covariance)[1] - jnp.linalg.slogdet(covariance)[1]
    return (jnp.trace(inverse @ covariance) + gap @ inverse @ gap - len(mean) + logs) / 2


def inverse_distribution(pair, of_given):
    """Slope, shift and covariance of z given x, for x of mean and covariance `of_given`."""
    mean, covariance = of_given
    slope = jnp.linalg.solve(covariance, pair.x1 @ pair.z1.T).T
    return slope, pair.z0 - slope @ mean, pair.z1 @ pair.z1.T - slope @ covariance @ slope.T


def of_x(pair):
    """Mean and covariance of x."""
    return pair.x0, pair.x1 @ pair.x1.T


def of_model(w, b):
    """Mean and covariance of x under the generator."""
    return b, w @ w.T + SMEAR**2 * jnp.eye(len(b))


def posterior_distribution(w, b):
    """Slope, shift and covariance of z given x under the generator."""
    precision = jnp.eye(w.shape[1]) + w.T @ w / SMEAR**2
    slope = jnp.linalg.solve(precision, w.T) / SMEAR**2
    return slope, -slope @ b, jnp.linalg.inv(precision)


def mean_divergence(distribution, other, of_given):
    """E_x KL(distribution(z | x) || other(z | x)), x of mean and covariance `of_given`."""
    (p, q, covariance), (s, t, wide), (mean, spread) = distribution, other, of_given
    inverse = jnp.linalg.inv(wide)
    gap = (p - s) @ mean + q - t
    moved_by = (p - s) @ spread @ (p - s).T + jnp.outer(gap, gap)
    logs = jnp.linalg.slogdet(wide)[1] - jnp.linalg.slogdet(covariance)[1]
    return (jnp.trace(inverse @ (covariance + moved_by)) - len(q) + logs) / 2


def slope_of(mean_loss, *at):
    """Value and flat gradient of a mean loss in all its arguments."""
    of_all = jax.jit(jax.value_and_grad(mean_loss, tuple(range(len(at)))))
    found, grads = of_all(*map(jnp.asarray, at))
    return float(found), np.concatenate([np.ravel(grad) for grad in grads])


def arrays(tree):
    """The weights of a tree, and whatever else is made of real numbers."""
    return [leaf for leaf in jax.tree.leaves(tree) if eqx.is_inexact_array(leaf)]
