"""Objectives of the conditionals p(x_i | rest), whose normaliser sums over one site only."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import FINITE, AbstractMemoryless, Aux
from energax.objective.discrete.sites import Batch, add_sites, check_sites, find_space


class PseudoLikelihood(AbstractMemoryless):
    """Pseudo-likelihood: the mean over rows of -sum_i log p(x_i | rest), in nats.

    p(x_i = c | rest) is the softmax over c of -E(x with x_i = c). Least at the distribution of the
    data, for any of them, without Z. With one random site in `sites` it is, for bits, half of
    conditional noise-contrastive estimation with single flips, times the number of sites.

    Args:
        sites: Random sites of each row that estimate the sum, without bias; None: all of them.

    Raises:
        ValueError: for `sites` below 1 or above the number of sites.
        TypeError: for an energy that names no finite space.

    Trap: sites x (states - 1) energies of each row, unless the energy knows its changes: give
    `sites` for networks on many sites. Where sites depend strongly on each other its error is
    larger than that of the likelihood, and modes that no single change connects get any weights.
    Source: Besag (1975).

    Example:
        >>> objective = ex.objective.PseudoLikelihood()
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> round(float(objective(energy, jnp.ones((4, 3), jnp.uint8), None, key=key)[0]), 4)
        2.0794
    """

    serves = FINITE
    sites: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_sites(self.sites)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def cost(changes: Array, value: Array) -> Array:
            return jax.nn.logsumexp(-changes)

        loss = add_sites(energy, batch, find_space(energy, self), self.sites, cost, key=key)
        return loss, Aux(memory, {"loss": loss})


class RatioMatching(AbstractMemoryless):
    """Ratio matching: the mean over rows of sum_i sum_c (p(x_i = c | rest) - [c = x_i])^2.

    This is the Brier score of each conditional, a proper score: least at the distribution of the
    data. For bits it is twice the sum of p(x_i flipped | rest)^2; with more states the sum of the
    squares of 1 - p(x_i | rest) alone is not proper, and its minimiser is wrong.

    Args:
        sites: As in `PseudoLikelihood`.

    Raises:
        ValueError: for `sites` below 1 or above the number of sites.
        TypeError: for an energy that names no finite space.

    Trap: bounded, so that its gradient vanishes where the model is badly wrong as well: start with
    `PseudoLikelihood`. Source: Hyvarinen (2007), whose form for bits is half of this.

    Example:
        >>> objective = ex.objective.RatioMatching()
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> float(objective(energy, jnp.ones((4, 3), jnp.uint8), None, key=key)[0])
        1.5
    """

    serves = FINITE
    sites: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_sites(self.sites)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def cost(changes: Array, value: Array) -> Array:
            seen = jax.nn.one_hot(value, len(changes), dtype=changes.dtype)
            return jnp.sum((jax.nn.softmax(-changes) - seen) ** 2)

        loss = add_sites(energy, batch, find_space(energy, self), self.sites, cost, key=key)
        return loss, Aux(memory, {"loss": loss})
