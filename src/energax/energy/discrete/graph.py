"""Which sites of a graph or lattice are neighbours, and which are not."""

import functools
import heapq
import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Int

Edges = tuple[tuple[int, int], ...]
"""Pairs of sites, the lower number first, each pair once: static, hashable."""

Pairs = Iterable[Iterable[int]] | Int[np.ndarray, " edges 2"]
"""Pairs of sites as users give them."""


def lattice_edges(shape: tuple[int, ...], periodic: bool = True) -> Edges:
    """The pairs of nearest neighbours of a rectangular lattice, each of them once.

    Trap: a periodic side of length 2 has one edge for each pair, where formulas for the torus
    count two.

    Args:
        shape: the sides; sites are numbered as in the flattened array.
        periodic: opposite sides are neighbours, which makes a plane lattice a torus.

    Example:
        >>> ex.energy.lattice_edges((2, 2))
        ((0, 2), (1, 3), (0, 1), (2, 3))
    """
    numbers = np.arange(math.prod(shape)).reshape(shape)
    pairs = []
    for axis, side in enumerate(shape):
        starts = side if periodic and side > 2 else side - 1
        ahead = np.roll(numbers, -1, axis).take(range(starts), axis)
        pairs.append(np.stack([numbers.take(range(starts), axis), ahead], -1).reshape(-1, 2))
    return order_edges(np.concatenate(pairs), numbers.size)


def order_edges(pairs: Pairs, sites: int) -> Edges:
    """Pairs as `Edges`. Raises ValueError for a site that is none, a loop, or a repeated pair."""
    edges = tuple(
        (min(i, j), max(i, j)) for i, j in np.asarray(list(pairs), int).reshape(-1, 2).tolist()
    )
    wrong = [edge for edge in edges if edge[0] == edge[1] or edge[0] < 0 or edge[1] >= sites]
    if wrong:
        raise ValueError(
            f"`edges` must be pairs of different sites from 0 to {sites - 1}; got {wrong[0]}."
        )
    if len(set(edges)) < len(edges):
        twice = next(edge for edge in edges if edges.count(edge) > 1)
        raise ValueError(f"`edges` must hold each pair once; {twice} is there more than once.")
    return edges


@functools.lru_cache(maxsize=64)
def list_neighbours(
    edges: Edges, sites: int
) -> tuple[Int[np.ndarray, " sites degree"], Int[np.ndarray, " sites degree"]]:
    """The neighbours of each site, and the numbers of the edges that lead there.

    Rows are filled up with site 0 and edge `len(edges)`, which is none.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in range(sites)]
    for number, (i, j) in enumerate(edges):
        found[i].append((j, number))
        found[j].append((i, number))
    degree = max(map(len, found), default=0)
    none = (0, len(edges))
    table = np.array([row + [none] * (degree - len(row)) for row in found], np.int32)
    table = table.reshape(sites, degree, 2)
    return table[..., 0], table[..., 1]


def colour_sites(edges: Pairs, sites: int) -> tuple[tuple[int, ...], ...]:
    """Sites in groups of which no two are neighbours, so that a whole group may change at once.

    Greedy, a site with the most colours around it first: two groups where two suffice (a torus with
    even sides, an open lattice, a tree), three or more otherwise (a torus with an odd side).

    Raises:
        ValueError: for pairs that are no edges of `sites` sites.

    Source: Brelaz (1979).

    Example:
        >>> ex.energy.colour_sites(ex.energy.lattice_edges((2, 2)), 4)
        ((0, 3), (1, 2))
    """
    neighbours: list[list[int]] = [[] for _ in range(sites)]
    for i, j in order_edges(edges, sites):
        neighbours[i].append(j)
        neighbours[j].append(i)
    colour = [-1] * sites
    taken: list[set[int]] = [set() for _ in range(sites)]
    queue = [(0, site) for site in range(sites)]
    while queue:
        _, site = heapq.heappop(queue)
        if colour[site] >= 0:
            continue
        colour[site] = min(set(range(len(taken[site]) + 1)) - taken[site])
        for other in neighbours[site]:
            taken[other].add(colour[site])
            heapq.heappush(queue, (-len(taken[other]), other))
    groups = range(max(colour, default=-1) + 1)
    return tuple(tuple(i for i in range(sites) if colour[i] == group) for group in groups)
