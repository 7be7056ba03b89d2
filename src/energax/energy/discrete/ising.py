"""Energies of pairs of bits: the Ising model of a graph, and the Boltzmann machine."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Shaped

from energax.energy.base import float_dtype
from energax.energy.discrete.base import AbstractLocal, place_flips
from energax.energy.discrete.graph import Edges, Pairs, list_neighbours, order_edges
from energax.space import AbstractFinite, Bits

FEW = 8
"""Neighbours of a site that are added one by one."""


class Ising(AbstractLocal):
    """Spins on a graph: E(x) = -sum_edges J_ij s_i s_j - sum_i h_i s_i, s = 2 x - 1 in {-1, 1}.

    Trap: each edge counts once. Where others write s' A s with a full adjacency matrix A, each
    counts twice, so that their coupling of 0.2 is J = 0.4 here.

    Args:
        couplings: J, one number or one for each edge; above 0, neighbours like to be equal.
        fields: h, of the shape of an example: zeros where there are none.
        edges: pairs of sites of the flattened example, each pair once, as of `lattice_edges`.

    Raises:
        ValueError: for pairs that are no edges of these sites, or that are there twice.

    Example:
        >>> edges = ex.energy.lattice_edges((3, 3))
        >>> float(ex.energy.Ising(0.5, jnp.zeros((3, 3)), edges)(jnp.ones((3, 3), jnp.uint8)))
        -9.0
    """

    couplings: Float[Array, " edges"]
    fields: Float[Array, "*shape"]
    edges: Edges = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, couplings: ArrayLike, fields: ArrayLike, edges: Pairs):
        self.fields = jnp.asarray(fields)
        self.shape = self.fields.shape
        self.edges = order_edges(edges, self.fields.size)
        values = jnp.asarray(couplings, self.fields.dtype)
        self.couplings = jnp.broadcast_to(values, (len(self.edges),))

    @property
    def space(self) -> AbstractFinite:
        return Bits(self.shape)

    def extend(self, e: Float[Array, "*shape"]) -> Float[Array, ""]:
        spins = 2 * e.reshape(-1) - 1
        ends = np.array(self.edges, np.int32).reshape(-1, 2)
        pairs = jnp.sum(self.couplings * spins[ends[:, 0]] * spins[ends[:, 1]])
        return -pairs - jnp.sum(self.fields.reshape(-1) * spins)

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some 2"]:
        neighbours, links = map(jnp.asarray, list_neighbours(self.edges, self.fields.size))
        spins = 2 * x.reshape(-1).astype(self.fields.dtype) - 1
        padded = jnp.append(self.couplings, jnp.zeros((), self.couplings.dtype))
        local = self.fields.reshape(-1)[sites]
        if links.shape[1] <= FEW:
            # One by one: several times faster than a sum over a short last axis.
            for link, neighbour in zip(links.T, neighbours.T, strict=True):
                local = local + padded[link[sites]] * spins[neighbour[sites]]
        else:
            local = local + jnp.sum(padded[links[sites]] * spins[neighbours[sites]], axis=1)
        return place_flips(x.reshape(-1)[sites], 2 * spins[sites] * local)


class BoltzmannMachine(AbstractLocal):
    """Every bit coupled to every other: E(x) = -x'W x / 2 - b'x, W symmetric with zero diagonal.

    W is the symmetric part of `entries` without its diagonal, so that it stays so whatever
    training does.

    Args:
        entries: (sites, sites), of the flattened example.
        biases: b, of the shape of an example.

    Raises:
        ValueError: where shapes do not match.

    Example:
        >>> energy = ex.energy.BoltzmannMachine(jnp.ones((2, 2)), jnp.zeros(2))
        >>> energy.weights.tolist(), float(energy(jnp.ones(2, jnp.uint8)))
        ([[0.0, 1.0], [1.0, 0.0]], -1.0)
    """

    entries: Float[Array, " sites sites"]
    biases: Float[Array, "*shape"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, entries: ArrayLike, biases: ArrayLike):
        self.biases = jnp.asarray(biases)
        self.shape = self.biases.shape
        values = jnp.asarray(entries, self.biases.dtype)
        if values.shape != (self.biases.size, self.biases.size):
            raise ValueError(
                f"`entries` must have shape {(self.biases.size, self.biases.size)} to go with "
                f"`biases` of shape {self.shape}; got {values.shape}."
            )
        self.entries = values

    @property
    def space(self) -> AbstractFinite:
        return Bits(self.shape)

    @property
    def weights(self) -> Float[Array, " sites sites"]:
        """W, symmetric with zero diagonal."""
        return self._weights_of(jnp.arange(self.biases.size))

    def _weights_of(self, sites: Int[Array, " some"]) -> Float[Array, " some sites"]:
        rows = (self.entries[sites] + self.entries[:, sites].T) / 2
        other = sites[:, None] != jnp.arange(self.biases.size)[None]
        return jnp.where(other, rows, jnp.zeros((), rows.dtype))

    def extend(self, e: Float[Array, "*shape"]) -> Float[Array, ""]:
        flat = e.reshape(-1)
        return -(flat @ self.weights @ flat) / 2 - self.biases.reshape(-1) @ flat

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some 2"]:
        flat = x.reshape(-1).astype(float_dtype(self))
        local = self.biases.reshape(-1)[sites] + self._weights_of(sites) @ flat
        return place_flips(x.reshape(-1)[sites], (2 * flat[sites] - 1) * local)


def convert_to_boltzmann(ising: Ising) -> BoltzmannMachine:
    """The Boltzmann machine of the same distribution: W_ij = 4 J_ij, b_i = 2 h_i - 2 sum_j J_ij.

    Its energy is that of the Ising model plus sum J - sum h.

    Example:
        >>> ising = ex.energy.Ising(1.0, jnp.zeros(2), [(0, 1)])
        >>> ex.energy.convert_to_boltzmann(ising).biases.tolist()
        [-2.0, -2.0]
    """
    ends = np.array(ising.edges, np.int32).reshape(-1, 2)
    sites = ising.fields.size
    upper = jnp.zeros((sites, sites), ising.fields.dtype)
    upper = upper.at[ends[:, 0], ends[:, 1]].set(ising.couplings)
    full = upper + upper.T
    pull = jnp.sum(full, axis=1).reshape(ising.shape)
    return BoltzmannMachine(4 * full, 2 * ising.fields - 2 * pull)


def convert_to_ising(machine: BoltzmannMachine) -> Ising:
    """The Ising model of the same distribution, on all pairs of sites: J_ij = W_ij / 4.

    Example:
        >>> machine = ex.energy.BoltzmannMachine(4 * jnp.ones((2, 2)), jnp.zeros(2))
        >>> ising = ex.energy.convert_to_ising(machine)
        >>> ising.edges, ising.couplings.tolist(), ising.fields.tolist()
        (((0, 1),), [1.0], [1.0, 1.0])
    """
    full = machine.weights / 4
    first, second = np.triu_indices(len(full), 1)
    fields = machine.biases / 2 + jnp.sum(full, axis=1).reshape(machine.shape)
    return Ising(full[first, second], fields, np.stack([first, second], axis=1))
