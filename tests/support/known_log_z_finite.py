"""Models of bits and categories whose log Z is known: by enumeration, or as they are normalised."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from energax import network
from energax.energy import (
    BernoulliRBM,
    BoltzmannMachine,
    CategoricalRBM,
    IndependentSites,
    Neural,
    Potts,
    SiteMixture,
    draws,
    fit_site_mixture,
    fit_sites,
)
from energax.evaluate import enumerate_log_z
from energax.space import Bits

ROWS = 1000


def _single(value):
    return jnp.asarray(value, jnp.float32)


def _fit(rows, space, components):
    found = fit_sites(rows, space) if components == 1 else fit_site_mixture(rows, space, components)
    return jax.tree.map(lambda a: _single(a) if eqx.is_inexact_array(a) else a, found)


def _enumerable(energy, components, rng):
    """The energy with exact rows, a base fitted to them, and log Z by enumeration."""
    space, log_z = energy.space, enumerate_log_z(energy).value
    points = space.enumerate()
    energies = np.asarray(jax.jit(jax.vmap(energy))(points), np.float64)
    chosen = rng.choice(len(points), ROWS, p=np.exp(-energies - log_z))
    rows = np.asarray(points)[chosen]
    return energy, _fit(rows, space, components), rows, log_z


def bernoulli_rbm(hidden, scale, components, seed):
    """12 visible bits, with normal weights and biases."""
    rng = np.random.default_rng(seed)
    sizes = (12, hidden), 12, hidden
    energy = BernoulliRBM(*(_single(scale * rng.normal(size=size)) for size in sizes))
    return _enumerable(energy, components, rng)


def categorical_rbm(scale, components, seed):
    """7 visible sites of 3 states and 6 hidden bits."""
    rng = np.random.default_rng(seed)
    sizes = (7, 3, 6), (7, 3), 6
    energy = CategoricalRBM(*(_single(scale * rng.normal(size=size)) for size in sizes))
    return _enumerable(energy, components, rng)


def boltzmann(coupling, components, seed):
    """10 bits, each coupled to each: frustrated, with many modes where couplings are strong."""
    rng = np.random.default_rng(seed)
    entries = coupling * rng.normal(size=(10, 10))
    energy = BoltzmannMachine(_single(entries), _single(rng.normal(size=10)))
    return _enumerable(energy, components, rng)


def potts(coupling, components, seed):
    """8 sites of 3 states, each coupled to each."""
    rng = np.random.default_rng(seed)
    entries = coupling * rng.normal(size=(8, 3, 8, 3))
    return _enumerable(Potts(_single(entries), _single(rng.normal(size=(8, 3)))), components, rng)


class Scaled(eqx.Module):
    """A network times a number."""

    inner: network.MLP
    scale: jax.Array

    def __call__(self, e):
        return self.scale * self.inner(e)


def network_of_bits(scale, components, seed):
    """A network of 10 bits, its weights as drawn."""
    inner = network.MLP((10,), 32, key=jax.random.key(seed))
    inner = jax.tree.map(lambda a: _single(a) if eqx.is_inexact_array(a) else a, inner)
    energy = Neural(Scaled(inner, _single(scale)), Bits((10,)))
    return _enumerable(energy, components, np.random.default_rng(seed))


def two_states(dim, weight, rows_know, seed):
    """Bits near 0 and, with `weight`, near 1: the base is the first, rows know both or that."""
    space, near = Bits((dim,)), np.log([0.95, 0.05])
    logits = np.stack([np.tile(near, (dim, 1)), np.tile(near[::-1], (dim, 1))])
    energy = SiteMixture(_single(np.log([1 - weight, weight])), _single(logits), space)
    base = IndependentSites(_single(logits[0]), space)
    source = energy if rows_know else base
    return energy, base, np.asarray(draws(source, ROWS, key=jax.random.key(seed))), 0.0
