"""What is equal among the objectives to the last digits: two sides, each reckoned in its own way.

Random signs are replaced by all sign vectors, and both sides are given the same normal numbers.
Used by the tests and by benchmarks/connections.py.
"""

import itertools
import math
from unittest.mock import patch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from limits import loss, relative

from energax.energy import DenoisingAutoencoder, Gaussian
from energax.learner import AdversarialLikelihood, LearnedStein
from energax.objective import (
    ConditionalNoiseContrastiveEstimation,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    ImplicitScoreMatching,
    MinimumVelocity,
    RankingNoiseContrastiveEstimation,
    SlicedScoreMatching,
)
from energax.objective.recover import Recovery


def tangled(x):
    """An energy whose Hessian is not diagonal."""
    return jnp.sum(x**4 / 4 - x**2 / 2) + jnp.sin(jnp.sum(x)) + jnp.prod(x)


POINTS = np.random.default_rng(0).normal(size=(8, 3))
SIGNS = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))


def over_signs(objective):
    """The mean of a loss over all directions of signs."""

    def along(signs):
        with patch.object(jax.random, "rademacher", lambda *_: signs):
            return loss(objective, tangled, POINTS)

    return np.mean(jax.jit(jax.vmap(along))(jnp.asarray(SIGNS)))


def matched():
    """Score matching by its exact trace."""
    return float(jax.jit(lambda: loss(ImplicitScoreMatching(), tangled, POINTS))())


def one_copy(s=0.7, wider=2**0.5):
    """Energy discrepancy of one copy; half of the conditional contrast at noise sqrt(2) s."""
    first, then = np.random.default_rng(1).normal(size=(2, 1, *POINTS.shape))

    def value(objective, *drawn):
        with patch.object(jax.random, "normal", side_effect=[jnp.asarray(z) for z in drawn]):
            return float(jax.jit(lambda: loss(objective, tangled, POINTS))())

    contrast = value(
        ConditionalNoiseContrastiveEstimation(wider * s), (first + then) / math.sqrt(2)
    )
    return value(EnergyDiscrepancy(s, 1), first, then), contrast / 2


def many_copies(s=0.7, copies=4):
    """Energy discrepancy; ranking of each clean row given its noisy one, against noise about it."""
    z, others = np.random.default_rng(2).normal(size=POINTS.shape), np.random.default_rng(3)
    others = others.normal(size=(copies, *POINTS.shape))
    with patch.object(jax.random, "normal", side_effect=[jnp.asarray(z[None]), others]):
        found = float(jax.jit(lambda: loss(EnergyDiscrepancy(s, copies), tangled, POINTS))())

    def ranked(row, noisy, around):
        distribution, given = Gaussian(noisy, s), Recovery(tangled, noisy, s)
        with patch("energax.objective.contrast.draws", lambda *_, key: noisy[None] + s * around):
            objective = RankingNoiseContrastiveEstimation(distribution, copies)
            return loss(objective, given, row[None])

    parts = map(jnp.asarray, (POINTS, POINTS + s * z, others.swapaxes(0, 1)))
    return found, np.mean(jax.jit(jax.vmap(ranked))(*parts)) - math.log(copies)


def autoencoder(noise=0.4):
    """Denoising score matching of an autoencoder; its error of reconstruction / (2 s^4)."""
    build, key = jax.random.split(jax.random.key(0))

    @jax.jit
    def sides():
        energy = DenoisingAutoencoder((3,), 6, noise, key=build)
        noisy = POINTS + noise * jax.random.normal(key, POINTS.shape)
        error = jnp.sum((jax.vmap(energy.reconstruct)(noisy) - POINTS) ** 2) / len(POINTS)
        found = DenoisingScoreMatching(noise)(energy, jnp.asarray(POINTS), None, key=key)[0]
        return found, error / (2 * noise**4)

    return tuple(map(float, sides()))


def divergence(a, s):
    """KL(N(0, a) | N(0, s))."""
    return (a / s - 1 - jnp.log(a / s)) / 2


def fisher(a, s):
    """D, with its 1/2."""
    return (1 - a / s) ** 2 / (2 * a)


VARIANCES = np.array(list(itertools.product((0.3, 0.9, 1.7), (0.5, 0.8, 2.0)))).T


def de_bruijn():
    """A9: speed of KL under the same noise on both sides; D."""
    a, s = VARIANCES
    speed = jax.jit(jax.grad(lambda t: jnp.sum(divergence(a + t, s + t))))(jnp.zeros(a.shape))
    return -np.asarray(speed), fisher(a, s)


def dynamics():
    """A14: speed of KL where da/dt = 2 - 2 a / s, that is dx = -dE/dx dt + sqrt(2) dW; 2 D."""
    a, s = VARIANCES
    speed = jax.jit(jax.grad(lambda a: jnp.sum(divergence(a, s))))(jnp.asarray(a))
    return -np.asarray(speed) * (2 - 2 * a / s), 2 * fisher(a, s)


def over_variances(function):
    """Its values at each pair of variances, in one program."""
    return np.asarray(jax.jit(jax.vmap(function))(*map(jnp.asarray, VARIANCES)))


def normal(variance):
    """N(0, variance), whose width may be traced."""
    return eqx.tree_at(lambda g: g.std, Gaussian(jnp.zeros(1)), jnp.sqrt(variance)[None])


def two(variance):
    """Two points that have every moment of N(0, variance) up to the third."""
    return jnp.array([[variance**0.5], [-(variance**0.5)]])


def critic(penalty=0.3):
    """A15: what the best critic of a learned Stein discrepancy reaches; D / (2 penalty)."""
    rules = LearnedStein(penalty)

    def reached(a, s):
        slope = (1 / a - 1 / s) / (2 * penalty)
        args = (lambda x: slope * x), normal(s), two(a), None
        return -rules.rival_loss(*args, key=jax.random.key(0))[0]

    return over_variances(reached), fisher(*VARIANCES) / (2 * penalty)


def bound():
    """A13: by how much the adversarial bound exceeds the mean log-likelihood; KL(rival | model)."""

    def excess(q, s):
        distribution, rival = normal(s), normal(q)
        with patch("energax.learner.game.adversarial.draws", lambda *_, key: two(q)):
            loss = AdversarialLikelihood().rival_loss(
                rival, distribution, two(1.1), None, key=jax.random.key(0)
            )[0]
        # mean E(data) and the mean of log p = -E - log Z leave only log Z.
        return loss + distribution.log_z()

    return over_variances(excess), divergence(*VARIANCES)


IDENTITIES = {
    "ssm, mean over directions": lambda: (over_signs(SlicedScoreMatching()), matched()),
    "ssm --plain, mean over directions": lambda: (
        over_signs(SlicedScoreMatching(variance_reduced=False)),
        matched(),
    ),
    "velocity, mean over directions": lambda: (over_signs(MinimumVelocity()), 2 * matched()),
    "discrepancy of one copy": one_copy,
    "discrepancy of many copies": many_copies,
    "dsm of a denoising autoencoder": autoencoder,
    "learned Stein discrepancy at its best critic": critic,
    "excess of the adversarial bound": bound,
    "divergence under noise on both sides": de_bruijn,
    "divergence under the model's dynamics": dynamics,
}
"""What is equal -> its two sides, each reckoned in its own way."""


def worst(name):
    """Largest relative error of an identity, over all numbers that it compares."""
    left, right = (np.atleast_1d(side) for side in IDENTITIES[name]())
    return max(relative(a, b) for a, b in zip(left, right, strict=True))
