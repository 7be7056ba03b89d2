"""Small ladders of bits: distributions, energies and a kernel whose truth is enumerated."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import logsumexp

from energax.energy import AbstractDiscrete, AbstractDistribution
from energax.learner import Ladder
from energax.sampler import AbstractSampler, Info, State
from energax.space import AbstractFinite, Bits


class Coins(AbstractDistribution):
    """Independent bits with these log-odds."""

    odds: jax.Array
    shape: tuple = eqx.field(static=True)

    def __init__(self, odds):
        self.odds, self.shape = odds, odds.shape

    @property
    def space(self):
        return Bits(self.shape)

    def __call__(self, x):
        return -jnp.sum(x.astype(self.odds.dtype) * self.odds)

    def log_z(self):
        return jnp.sum(jax.nn.softplus(self.odds))

    def sample(self, *, key):
        return jax.random.bernoulli(key, jax.nn.sigmoid(self.odds)).astype(jnp.uint8)


class Magnet(AbstractDiscrete):
    """Bits that want to be alike: E = -coupling (mean spin)^2 - field (mean spin)."""

    coupling: jax.Array
    field: jax.Array
    shape: tuple = eqx.field(static=True)

    @property
    def space(self):
        return Bits(self.shape)

    def extend(self, e):
        spin = jnp.mean(2 * e - 1)
        return -self.coupling * spin**2 - self.field * spin


class Flips(AbstractSampler):
    """Metropolis: flips one bit, picked at random."""

    serves: ClassVar = (AbstractFinite,)

    def init(self, energy, x, *, key):
        return State(x)

    def step(self, energy, state, *, key):
        place = jax.random.uniform(key) * energy.space.sites
        site = jnp.minimum(place.astype(jnp.int32), energy.space.sites - 1)
        new = state.x.at[site].set(1 - state.x[site])
        old, value = energy(state.x), energy(new)
        chance = jnp.exp(jnp.minimum(old - value, 0))
        x = jnp.where(place - site.astype(place.dtype) < chance, new, state.x)
        return State(x), Info(chance, value, jnp.zeros_like(value))


BITS = 8
MODES = 0.7
"""Share of the data in the mode of zeros; the rest is in that of ones."""


def two_modes(key, count):
    """Rows of which most bits are 0, or most bits are 1."""
    pick, noise = jax.random.split(key)
    mode = jax.random.bernoulli(pick, 1 - MODES, (count, 1))
    return (mode ^ jax.random.bernoulli(noise, 0.05, (count, BITS))).astype(jnp.uint8)


def magnet(coupling=0.0, field=0.0):
    return Magnet(jnp.asarray(coupling), jnp.asarray(field), (BITS,))


def ladder(**settings):
    """A ladder from fair coins, for `Magnet`."""
    chosen = {"sweeps": 8, "chains": 64, "max_rungs": 6} | settings
    optimiser = chosen.pop("optimiser", None) or optax.adam(0.03)
    return Ladder(Coins(jnp.zeros(BITS)), Flips(), optimiser, **chosen)


def exact_log_z(energy):
    return logsumexp(-jax.vmap(energy)(energy.space.enumerate()))


def share_of_ones(energy):
    """Probability of the mode of ones, by enumeration."""
    x = energy.space.enumerate()
    p = jax.nn.softmax(-jax.vmap(energy)(x))
    return jnp.sum(jnp.where(jnp.mean(x.astype(p.dtype), axis=1) > 0.5, p, 0))


@eqx.filter_jit
def train(learner, state, rows, updates, *, key):
    """The state after these updates; metrics of each, with the exact log Z before it."""
    moving, still = eqx.partition(state, eqx.is_array)

    def body(moving, index):
        state = eqx.combine(moving, still)
        exact = exact_log_z(state.energy)
        state, metrics = learner.step(state, rows, key=jax.random.fold_in(key, state.updates))
        return eqx.filter(state, eqx.is_array), metrics | {"exact": exact}

    moving, metrics = jax.lax.scan(body, moving, length=updates)
    return eqx.combine(moving, still), metrics
