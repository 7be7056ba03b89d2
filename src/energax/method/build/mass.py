"""For bits and categories: the base, the energy, the chains, and the rows to choose by."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, UInt8

from energax import energy, network, sampler, space
from energax.data import Dataset
from energax.energy import AbstractDistribution, AbstractEnergy
from energax.errors import InputError
from energax.method.groundwork import Groundwork
from energax.method.mass.parts import MassBase, MassChain, MassNetwork, Validation
from energax.sampler import AbstractSampler

SPREAD = 0.01
"""Standard deviation of the weights of a new restricted Boltzmann machine."""

Rows = UInt8[np.ndarray, " size *shape"]


def split_valid(validation: Validation, rows: Dataset) -> tuple[Rows, Rows]:
    """Rows to train on, and rows to choose by: those of the data set, or a share of the former.

    No rows to choose by where none are asked for.
    """
    if not validation.validation_every:
        return rows.train, rows.train[:0]
    if rows.valid is not None:
        return rows.train, rows.valid
    order = np.random.default_rng(1).permutation(len(rows.train))
    count = min(max(round(validation.validation_fraction * len(order)), 1), len(order) - 1)
    return rows.train[np.sort(order[count:])], rows.train[np.sort(order[:count])]


def choose_rows(rows: Rows, most: int) -> UInt8[Array, " some *shape"]:
    """The rows, or `most` of them by a fixed permutation, on the device."""
    order = np.random.default_rng(2).permutation(len(rows))[:most]
    return jnp.asarray(rows[np.sort(order)])


def fit_mass_base(options: MassBase, rows: Rows, where: Any, *, seed: int) -> AbstractDistribution:
    """The distribution of a kind, fitted to rows.

    Raises InputError for more components than rows.
    """
    if options.kind == "mixture" and options.components > len(rows):
        raise InputError(
            f"--components {options.components} exceeds the {len(rows)} rows to fit the base to: "
            "choose fewer."
        )
    match options.kind:
        case "uniform":
            return blank_mass_base(options, where)
        case "sites":
            return energy.fit_sites(rows, where, pseudocount=options.pseudocount)
        case "tree":
            return energy.fit_tree(rows, where, pseudocount=options.pseudocount)
    return energy.fit_site_mixture(rows, where, options.components, seed=seed)


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
    logits = energy.fit_sites(rows, where, pseudocount=1.0).logits
    match players:
        case energy.Normalised():
            inside = fit_biases(players.energy, rows, where)
            return energy.Normalised(inside, players.log_z)
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
