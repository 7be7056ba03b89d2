"""For bits and categories: the base, the energy and the chains."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, UInt8

from energax import energy, network, sampler, space
from energax.data import Weighted, unpack_weights
from energax.energy import AbstractDistribution, AbstractEnergy
from energax.errors import InputError
from energax.method.groundwork import Groundwork
from energax.method.mass.parts import MassBase, MassChain, MassNetwork
from energax.sampler import AbstractSampler

SPREAD = 0.01
"""Standard deviation of the weights of a new restricted Boltzmann machine."""

Rows = UInt8[np.ndarray, "..."] | Weighted
"""Rows that are alike, or with weights."""


def fit_mass_base(
    options: MassBase, weighted: Rows, where: Any, *, seed: int
) -> AbstractDistribution:
    """The distribution of a kind, fitted to rows by their weights.

    Raises InputError for more components than rows.
    """
    rows, weights = unpack_weights(weighted)
    if options.kind == "mixture" and options.components > len(rows):
        raise InputError(
            f"--components {options.components} exceeds the {len(rows)} rows to fit the base to: "
            "choose fewer."
        )
    match options.kind:
        case "uniform":
            return blank_mass_base(options, where)
        case "sites":
            return energy.fit_sites(rows, where, pseudocount=options.pseudocount, weights=weights)
        case "tree":
            return energy.fit_tree(rows, where, pseudocount=options.pseudocount, weights=weights)
    return energy.fit_site_mixture(rows, where, options.components, weights=weights, seed=seed)


def blank_mass_base(options: MassBase, where: Any) -> AbstractDistribution:
    """A distribution of the structure of `fit_mass_base`, to be filled with saved arrays."""
    size = (where.sites, where.states)
    match options.kind:
        case "mixture":
            count = options.components
            return energy.SiteMixture(jnp.zeros(count), jnp.zeros((count, *size)), where)
        case "tree":
            return energy.fit_tree(np.zeros((1, *where.shape), np.uint8), where, pseudocount=1.0)
    return energy.IndependentSites(jnp.zeros(size), where)


def make_mass(options: MassNetwork, ground: Groundwork, *, key: PRNGKeyArray) -> AbstractEnergy:
    """The user's own energy where there is one; else a new one of the kind that is asked for.

    Networks tilt the base. Boltzmann machines and their kin stand alone.
    """
    where = ground.base.space
    if ground.energy is not None:
        own = ground.energy
        return own if isinstance(own, AbstractEnergy) else energy.Neural(own, where)
    match options.kind:
        case "rbm":
            return _make_rbm(where, options.width, key=key)
        case "pairs":
            return _make_pairs(where)
    shape = where.shape if where.states == 2 else (*where.shape, where.states)
    if options.kind == "conv":
        net: Any = network.ConvNet(shape, options.width, options.depth, key=key)
    else:
        net = network.MLP(shape, options.width, options.depth, key=key)
    return energy.Tilt(ground.base, net)


def _make_rbm(where: Any, hidden: int, *, key: PRNGKeyArray) -> AbstractEnergy:
    if isinstance(where, space.Bits):
        weights = SPREAD * jax.random.normal(key, (where.sites, hidden))
        return energy.BernoulliRBM(weights, jnp.zeros(where.shape), jnp.zeros(hidden))
    weights = SPREAD * jax.random.normal(key, (where.sites, where.states, hidden))
    biases = jnp.zeros((*where.shape, where.states))
    return energy.CategoricalRBM(weights, biases, jnp.zeros(hidden))


def _make_pairs(where: Any) -> AbstractEnergy:
    if isinstance(where, space.Bits):
        return energy.BoltzmannMachine(jnp.zeros((where.sites,) * 2), jnp.zeros(where.shape))
    size = (where.sites, where.states)
    fields = jnp.zeros((*where.shape, where.states))
    return energy.Potts(jnp.zeros((*size, *size)), fields)


def make_kernel(options: MassChain, network_kind: str) -> AbstractSampler:
    """The sampler that the options describe; Gibbs sampling of an rbm goes block by block."""
    match options.kernel:
        case "gradients":
            return sampler.GibbsWithGradients()
        case "langevin":
            return sampler.DiscreteLangevin(options.step_size)
        case "path":
            return sampler.PathAuxiliary(options.path_length)
    return sampler.BlockGibbs() if network_kind == "rbm" else sampler.Gibbs()


def fit_biases(players: Any, rows: Rows, where: Any) -> Any:
    """An energy whose biases say the frequencies of the rows, before couplings are learned."""
    x, weights = unpack_weights(rows)
    logits = energy.fit_sites(x, where, pseudocount=1.0, weights=weights).logits
    match players:
        case energy.Normalised():
            inside = fit_biases(players.energy, rows, where)
            return energy.Normalised(inside, _guess_log_z(inside, logits, where))
        case energy.BernoulliRBM():
            odds = (logits[:, 1] - logits[:, 0]).reshape(where.shape)
            return energy.BernoulliRBM(players.weights, odds, players.hidden)
        case energy.CategoricalRBM():
            biases = logits.reshape(players.visible.shape)
            return energy.CategoricalRBM(players.weights, biases, players.hidden)
        case energy.BoltzmannMachine():
            odds = (logits[:, 1] - logits[:, 0]).reshape(where.shape)
            return energy.BoltzmannMachine(players.entries, odds)
        case energy.Potts():
            return energy.Potts(players.entries, logits.reshape(players.fields.shape))
    return players


def _guess_log_z(made: Any, logits: Array, where: Any) -> float:
    """log Z of an energy whose biases were just set; 0 for a tilt, which starts near its base."""
    if isinstance(made, energy.Tilt):
        return 0.0
    sites, x = energy.IndependentSites(logits, where), jnp.zeros(where.shape, jnp.uint8)
    return float(sites(x) - made(x))
