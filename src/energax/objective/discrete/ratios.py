r"""Objectives of the ratios r = p(y) / p(x) = exp(E(x) - E(y)) of a row x and its neighbours y.

A neighbour differs from x at one site. The mean over data of the sum over neighbours of cost(log r)
is least at the distribution of the data, whatever it is, if cost'(u) = exp(u) cost'(-u) > 0.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import FINITE, AbstractMemoryless, Aux
from energax.objective.discrete.sites import Batch, add_sites, check_sites, find_space

Cost = Callable[[Float[Array, "..."]], Float[Array, "..."]]


def bound_gradient(cost: Cost, clip: float | None) -> Cost:
    """`cost` as it is up to |u| = `clip`; with gradients cost'(clip) above and exp(u) cost'(clip)
    below.

    These two keep cost'(u) = exp(u) cost'(-u), and so the minimiser. Clipping u itself would keep
    it too, but with no gradient where the model is badly wrong.
    """
    if clip is None:
        return cost

    def measure(log_ratio: Array) -> Array:
        edge = jnp.asarray(clip, log_ratio.dtype)
        steepest = jax.grad(cost)(edge)
        above = jnp.maximum(log_ratio - edge, 0)
        below = jnp.exp(jnp.minimum(log_ratio, -edge)) - jnp.exp(-edge)
        return cost(jnp.clip(log_ratio, -edge, edge)) + steepest * (above + below)

    return measure


def add_neighbours(
    objective: "NeighbourFlow | ConcreteScoreMatching",
    energy: Energy,
    batch: Batch,
    cost: Cost,
    *,
    key: PRNGKeyArray,
) -> Float[Array, ""]:
    """The mean over rows of the sum of cost(log r) over neighbours."""
    bounded = bound_gradient(cost, objective.clip)

    def of_site(changes: Array, value: Array) -> Array:
        other = jnp.arange(len(changes)) != value.astype(int)
        return jnp.sum(jnp.where(other, bounded(-changes), 0))

    space = find_space(energy, objective)
    return add_sites(energy, batch, space, objective.sites, of_site, key=key)


def _check(sites: int | None, clip: float | None) -> None:
    check_sites(sites)
    if clip is not None and not clip > 0:
        raise ValueError(f"`clip` must be above 0, or None for no bound; got {clip}.")


class NeighbourFlow(AbstractMemoryless):
    """Minimum probability flow: the mean over rows of the sum of sqrt(p(y) / p(x)) over neighbours.

    The flow out of the data when it begins to move to the model, from each point to those that
    differ at one site. Least at the distribution of the data, without Z.

    Args:
        sites: As in `PseudoLikelihood`.
        clip: Largest |log p(y)/p(x)|, in nats, at which the loss is what it says; beyond it, it
            goes on with a bounded gradient, exp(clip / 2) / 2 for each nat, and the same minimiser.
            None: no bound.

    Raises:
        ValueError: for `sites` below 1 or above the number of sites, or a `clip` not above 0.
        TypeError: for an energy that names no finite space.

    Trap: without `clip` one row that the model finds unlikely takes over the gradient. Source:
    Sohl-Dickstein, Battaglino and DeWeese (2011), who sum over neighbours that are not in the data;
    over all of them the minimiser is the same. `clip` is ours.

    Example:
        >>> objective = ex.objective.NeighbourFlow()
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> float(objective(energy, jnp.ones((4, 3), jnp.uint8), None, key=key)[0])
        3.0
    """

    serves = FINITE
    sites: int | None = eqx.field(static=True, default=None)
    clip: float | None = eqx.field(static=True, default=10.0)

    def __check_init__(self):
        _check(self.sites, self.clip)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        loss = add_neighbours(self, energy, batch, lambda u: jnp.exp(u / 2), key=key)
        return loss, Aux(memory, {"loss": loss})


class ConcreteScoreMatching(AbstractMemoryless):
    """Concrete score matching: least squares of the ratios p(y) / p(x) to those of the data.

    The mean over rows of sum (r_model - r_data)^2 over neighbours is, up to a constant of the data,
    that of r^2 - 2 / r, r = p(y) / p(x) of the model.

    Args:
        sites: As in `PseudoLikelihood`.
        clip: As in `NeighbourFlow`; the gradient is at most 2 exp(2 clip) + 2 exp(-clip).

    Raises:
        ValueError: for `sites` below 1 or above the number of sites, or a `clip` not above 0.
        TypeError: for an energy that names no finite space.

    Trap: the squares explode where the model is wrong: start with `PseudoLikelihood`. Without
    `clip` the loss of finitely many rows has no lower bound, by neighbours that are no rows.
    Source: Meng et al. (2022), for the ratios of neighbours; `clip` is ours.

    Example:
        >>> objective = ex.objective.ConcreteScoreMatching()
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> float(objective(energy, jnp.ones((4, 3), jnp.uint8), None, key=key)[0])
        -3.0
    """

    serves = FINITE
    sites: int | None = eqx.field(static=True, default=None)
    clip: float | None = eqx.field(static=True, default=3.0)

    def __check_init__(self):
        _check(self.sites, self.clip)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        loss = add_neighbours(
            self, energy, batch, lambda u: jnp.exp(2 * u) - 2 * jnp.exp(-u), key=key
        )
        return loss, Aux(memory, {"loss": loss})
