"""The table of objectives of bits and categories: each with its exact mean loss, in closed form.

A distribution over a small space is a table of energies, one for each point: every distribution is
in the family, and every closed form is a sum over tables.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from energax.energy import AbstractDistribution, AbstractEnergy
from energax.objective import (
    AbstractObjective,
    ConcreteScoreMatching,
    ExactLikelihood,
    NeighbourFlow,
    NoiseContrastiveEstimation,
    PseudoLikelihood,
    RankingNoiseContrastiveEstimation,
    RatioMatching,
    SiteDiscrepancy,
)
from energax.space import AbstractFinite, Bits, Categories

SPACES = {"bits": Bits((2, 2)), "categories": Categories((3,), 3)}
EPS = 0.3


class Table(AbstractEnergy):
    """One energy for each point: all distributions over the space."""

    values: Array
    shape: tuple[int, ...] = eqx.field(static=True)
    _space: AbstractFinite = eqx.field(static=True)

    def __init__(self, values, space):
        self.values, self._space, self.shape = values, space, space.shape

    @property
    def space(self):
        return self._space

    def __call__(self, x):
        return self.values[self.space.number(x)]


class Point(AbstractDistribution):
    """The distribution of a table, whose draws are chosen by hand: sums over them are exact."""

    table: Table
    point: Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, table, point):
        self.table, self.point, self.shape = table, point, table.shape

    @property
    def space(self):
        return self.table.space

    def __call__(self, x):
        return self.table(x)

    def log_z(self):
        return jax.nn.logsumexp(-self.table.values)

    def sample(self, *, key):
        return self.point


def random_table(space, seed):
    """Energies from N(0, 1), made without JAX."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=space.count))


def probabilities(values):
    """The masses of all points."""
    return jax.nn.softmax(-values)


def neighbours(space):
    """The number of x with site i set to c, for every point x: (count, sites, states)."""
    points = np.array(list(itertools.product(range(space.states), repeat=space.sites)))
    found = np.zeros((space.count, space.sites, space.states), int)
    for site, state in itertools.product(range(space.sites), range(space.states)):
        moved = points.copy()
        moved[:, site] = state
        found[:, site, state] = moved @ space.states ** np.arange(space.sites - 1, -1, -1)
    return found


def flips(space, eps=EPS):
    """The probability of y given x, if each site changes with probability eps."""
    points = np.array(list(itertools.product(range(space.states), repeat=space.sites)))
    apart = np.sum(points[:, None] != points[None], axis=2)
    return (eps / (space.states - 1)) ** apart * (1 - eps) ** (space.sites - apart)


NOISE = {name: random_table(space, 11) for name, space in SPACES.items()}


def noise_of(space):
    return next(NOISE[name] for name in SPACES if SPACES[name] == space)


def likelihood(values, p, space):
    return p @ values + jax.nn.logsumexp(-values)


def pseudo(values, p, space):
    around = values[neighbours(space)]
    return p @ jnp.sum(values[:, None] + jax.nn.logsumexp(-around, axis=2), axis=1)


def brier(values, p, space):
    near = neighbours(space)
    seen = (near == np.arange(space.count)[:, None, None]).astype(float)
    return p @ jnp.sum((jax.nn.softmax(-values[near], axis=2) - seen) ** 2, axis=(1, 2))


def first_form(values, p, space):
    """Ratio matching by (1 - p_c)^2 alone: improper for more than two states."""
    near = neighbours(space)
    seen = (near == np.arange(space.count)[:, None, None]).astype(float)
    share = jnp.sum(jax.nn.softmax(-values[near], axis=2) * seen, axis=2)
    return p @ jnp.sum((1 - share) ** 2, axis=1)


def ratios(values, space):
    """p(y) / p(x) over neighbours y, and where they are not x itself."""
    near = neighbours(space)
    other = (near != np.arange(space.count)[:, None, None]).astype(float)
    return jnp.exp(values[:, None, None] - values[near]), other


def flow(values, p, space):
    r, other = ratios(values, space)
    return p @ jnp.sum(jnp.sqrt(r) * other, axis=(1, 2))


def squared_ratios(values, p, space):
    """The squared distance itself, which knows the data's ratios; less its constant."""
    r, other = ratios(values, space)
    data = ratios(-jnp.log(p), space)[0]
    return p @ jnp.sum((r**2 - 2 * r * data) * other, axis=(1, 2))


def discrepancy(values, p, space, stabiliser=1.0):
    """Two copies, by all middles and all copies."""
    q = flips(space)
    gaps = jnp.exp(values[:, None, None] - values[None, :, None])
    gaps = gaps + jnp.exp(values[:, None, None] - values[None, None, :])
    pairs = np.einsum("xy,yi,yj->xij", q, q, q)
    return p @ jnp.sum(pairs * jnp.log((stabiliser + gaps) / 2), axis=(1, 2))


def grid(values, p, space, stabiliser=1.0):
    """One copy: a random site, a random state."""
    r, _ = ratios(values, space)
    return p @ jnp.mean(jnp.log(stabiliser + r), axis=(1, 2))


def logits(values, space):
    noise = noise_of(space)
    return -values + noise + jax.nn.logsumexp(-noise), probabilities(noise)


def classify(values, p, space):
    logit, q = logits(values, space)
    return (p @ jax.nn.softplus(-logit) + q @ jax.nn.softplus(logit)) / 2


def rank(values, p, space):
    logit, q = logits(values, space)
    return jnp.sum(p[:, None] * q[None] * jax.nn.softplus(logit[None] - logit[:, None]))


def one_by_one(make):
    """The mean loss of an objective without randomness, a batch of one row for each point."""

    def found(values, p, space):
        table = Table(values, space)
        key = jax.random.key(0)
        loss = jax.vmap(lambda x: make()(table, x[None], None, key=key)[0])
        return p @ loss(space.enumerate())

    return found


def against_points(make):
    """The mean loss over one row of the data and one of the noise."""

    def found(values, p, space):
        table, noise = Table(values, space), Table(noise_of(space), space)

        def loss(x, y):
            return make(Point(noise, y))(table, x[None], None, key=jax.random.key(0))[0]

        points = space.enumerate()
        q = probabilities(noise.values)
        return p @ jax.vmap(lambda x: jax.vmap(lambda y: loss(x, y))(points))(points) @ q

    return found


class Method(NamedTuple):
    """`found`: the mean loss by the objective, or None where it has randomness of its own; then
    `make` alone. `right`: in closed form. `normalised`: least at log Z = 0 only."""

    make: Callable[[], AbstractObjective] | None
    right: Callable
    found: Callable | None = None


FINITE_METHODS = {
    "exact": Method(ExactLikelihood, likelihood, one_by_one(lambda: ExactLikelihood(block=7))),
    "pseudo": Method(PseudoLikelihood, pseudo, one_by_one(PseudoLikelihood)),
    "ratio": Method(RatioMatching, brier, one_by_one(RatioMatching)),
    "flow": Method(NeighbourFlow, flow, one_by_one(lambda: NeighbourFlow(clip=None))),
    "concrete": Method(
        ConcreteScoreMatching, squared_ratios, one_by_one(lambda: ConcreteScoreMatching(clip=None))
    ),
    "nce": Method(None, classify, against_points(NoiseContrastiveEstimation)),
    "nce-ranking": Method(None, rank, against_points(RankingNoiseContrastiveEstimation)),
    "discrepancy": Method(lambda: SiteDiscrepancy("flip", EPS, copies=2), discrepancy),
    "discrepancy-grid": Method(lambda: SiteDiscrepancy("grid", copies=1), grid),
    "pseudo-sites": Method(lambda: PseudoLikelihood(sites=1), pseudo),
    "ratio-sites": Method(lambda: RatioMatching(sites=2), brier),
    "flow-sites": Method(lambda: NeighbourFlow(sites=2, clip=None), flow),
    "concrete-sites": Method(lambda: ConcreteScoreMatching(sites=2, clip=None), squared_ratios),
}
"""One line a method."""

EXACT = [name for name, method in FINITE_METHODS.items() if method.found is not None]
RANDOM = [name for name, method in FINITE_METHODS.items() if method.found is None]
