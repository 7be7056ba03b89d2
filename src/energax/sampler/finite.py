"""What samplers of bits and categories share: the space of an energy, draws of sites, colours."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from energax.energy import Energy, space_of
from energax.space import AbstractFinite


def require_finite(energy: Energy, sampler: str) -> AbstractFinite:
    """The space of an energy of bits or categories; TypeError for any other energy."""
    space = space_of(energy)
    if not isinstance(space, AbstractFinite):
        raise TypeError(
            f"{sampler} needs an energy that names its space of bits or categories: wrap a "
            "function as `ex.energy.Neural(function, ex.space.Bits(shape))`."
        )
    return space


def draw_states(
    probabilities: Float[Array, " some states"], uniforms: Float[Array, " some"]
) -> Int[Array, " some"]:
    """A state of each site, by inversion of its distribution. One of probability 0 never comes."""
    below = jnp.cumsum(probabilities, axis=1)
    return jnp.sum(uniforms[:, None] >= below[:, :-1] / below[:, -1:], axis=1, dtype=jnp.int32)


def present(x: Int[Array, " some"], states: int) -> Bool[Array, " some states"]:
    """True at the state that each site has."""
    return jnp.arange(states, dtype=x.dtype)[None] == x[:, None]


def move_sites(
    x: Shaped[Array, "*shape"], sites: Int[Array, " some"], values: Int[Array, " some"]
) -> Shaped[Array, "*shape"]:
    """The example with some sites, all of them different, set to these values."""
    return x.reshape(-1).at[sites].set(values.astype(x.dtype)).reshape(x.shape)


def colour_sites(edges: Int[np.ndarray, " edges 2"], sites: int) -> Int[np.ndarray, " sites"]:
    """Colours of the sites of a graph, such that no two neighbours have the same: greedily.

    Sites of one colour are independent given the others, where energies are sums over edges, and
    `Gibbs(colours=...)` moves them at once. A grid, or a torus of even sides, gets 2 colours; a
    torus with an odd side needs more.

    Args:
        edges: pairs of numbers of sites of the flattened example.
        sites: how many sites there are.

    Raises:
        ValueError: for an edge from a site to itself, or to a site that is not there.

    Example:
        >>> ring = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
        >>> ex.sampler.colour_sites(ring, 4).tolist()
        [0, 1, 0, 1]
    """
    edges = np.asarray(edges)
    if np.any((edges < 0) | (edges >= sites)) or np.any(edges[:, 0] == edges[:, 1]):
        raise ValueError(f"`edges` must join two different sites from 0 to {sites - 1}.")
    neighbours: list[set[int]] = [set() for _ in range(sites)]
    for one, other in edges.tolist():
        neighbours[one].add(other)
        neighbours[other].add(one)
    colours = np.full(sites, -1)
    for site in range(sites):
        taken = {int(colours[other]) for other in neighbours[site]}
        colours[site] = next(colour for colour in range(sites) if colour not in taken)
    return colours
