"""What objectives of bits and categories share: the space, and sums over sites or some of them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.energy import Energy, change_energies, space_of
from energax.space import AbstractFinite

Batch = Shaped[Array, " batch *shape"]
Cost = Callable[[Float[Array, " states"], Shaped[Array, ""]], Float[Array, ""]]
"""A loss of one site, from E(x with the site set to c) - E(x) for each c, and its value in x."""


def find_space(energy: Energy, objective: Any) -> AbstractFinite:
    """The finite space of an energy. Raises TypeError where it names none."""
    space = space_of(energy)
    if isinstance(space, AbstractFinite):
        return space
    found = "a function that names no space" if space is None else f"an energy of {space.title}"
    raise TypeError(
        f"{type(objective).__name__} trains energies of bits and categories; this is {found}: "
        "give `energy.Neural(function, space)`."
    )


def check_sites(sites: int | None) -> None:
    """Raise ValueError for a number of sites that is not positive."""
    if sites is not None and sites < 1:
        raise ValueError(f"`sites` must be at least 1, or None for all; got {sites}.")


def add_sites(
    energy: Energy,
    batch: Batch,
    space: AbstractFinite,
    sites: int | None,
    cost: Cost,
    *,
    key: PRNGKeyArray,
) -> Float[Array, ""]:
    """The mean over rows of the sum of `cost` over all sites.

    With `sites` it is estimated without bias by that many sites of each row, drawn without
    replacement. Raises ValueError for more sites than there are.
    """
    count = space.sites if sites is None else sites
    if count > space.sites:
        raise ValueError(f"`sites` must be at most {space.sites}, those of a row; got {sites}.")

    def one(x: Array, k: PRNGKeyArray) -> Array:
        order = jnp.arange(space.sites)
        chosen = order if count == space.sites else jax.random.permutation(k, order)[:count]
        costs = jax.vmap(cost)(change_energies(energy, x, space, chosen), x.reshape(-1)[chosen])
        return jnp.sum(costs) * (space.sites / count)

    return jnp.mean(jax.vmap(one)(batch, jax.random.split(key, len(batch))))
