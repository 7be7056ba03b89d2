"""Energy discrepancy of bits and categories: a row is ranked among copies with changed sites."""

from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.energy import Energy, change_energies
from energax.objective.base import FINITE, AbstractMemoryless, Aux
from energax.objective.discrete.sites import Batch, find_space
from energax.objective.pairs import average_discrepancy, check_discrepancy
from energax.space import AbstractFinite

Perturbation = Literal["flip", "grid"]
"""How `SiteDiscrepancy` makes copies of a row."""


def flip_sites(
    x: Shaped[Array, "*shape"], space: AbstractFinite, probability: float, *, key: PRNGKeyArray
) -> Shaped[Array, "*shape"]:
    """The example with each site changed with this probability, to another value, all alike."""
    where, what = jax.random.split(key)
    shift = jax.random.randint(what, x.shape, 1, space.states, jnp.int32)
    value = (x.astype(jnp.int32) + shift) % space.states
    changed = jax.random.bernoulli(where, probability, x.shape)
    return jnp.where(changed, value.astype(x.dtype), x)


class SiteDiscrepancy(AbstractMemoryless):
    """Energy discrepancy of bits and categories: mean log(w / M + mean_j exp(E(x) - E(x_j))).

    The M copies x_j are perturbations of a y that is itself a perturbation of the row x:

    - "flip" changes each site with probability `probability`, to another value, all alike.
    - "grid" blanks one random site in y and draws it uniformly in each x_j. With w = 0 and many
      copies the loss is `PseudoLikelihood` over the number of sites, less log(states).

    With w = 1 the minimiser is the distribution of the data for any M: given y, the loss is that
    of ranking x among M draws, less log M.

    Args:
        perturbation: "flip" or "grid".
        probability: In (0, 1); of "flip" alone.
        copies: M.
        stabiliser: w, at least 0.

    Raises:
        ValueError: for a value out of its range.
        TypeError: for an energy that names no finite space.

    Trap: with w other than 1 the minimiser is biased. With a large `probability` no copy is likely,
    and nothing is learned; "grid" sees single changes only, as `PseudoLikelihood` does. Source:
    Schröder et al. (2024), whose w is 1 too.

    Example:
        >>> objective = ex.objective.SiteDiscrepancy(copies=4)
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> round(float(objective(energy, jnp.ones((4, 3), jnp.uint8), None, key=key)[0]), 3)
        0.223
    """

    serves = FINITE
    perturbation: Perturbation = eqx.field(static=True, default="flip")
    probability: float = 0.1
    copies: int = eqx.field(static=True, default=32)
    stabiliser: float = 1.0

    def __check_init__(self):
        if self.perturbation not in get_args(Perturbation):
            raise ValueError(
                f"`perturbation` must be one of {get_args(Perturbation)}; "
                f"got {self.perturbation!r}."
            )
        if not 0 < self.probability < 1:
            raise ValueError(f"`probability` must lie in (0, 1); got {self.probability}.")
        check_discrepancy(self.copies, self.stabiliser)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        space = find_space(energy, self)
        measure = self._flip if self.perturbation == "flip" else self._redraw
        keys = jax.random.split(key, len(batch))
        gaps = jax.vmap(lambda x, k: measure(energy, x, space, key=k))(batch, keys)
        loss = average_discrepancy(gaps.T, self.stabiliser)
        return loss, Aux(memory, {"loss": loss})

    def _flip(
        self, energy: Energy, x: Array, space: AbstractFinite, *, key: PRNGKeyArray
    ) -> Float[Array, " copies"]:
        first, then = jax.random.split(key)
        middle = flip_sites(x, space, self.probability, key=first)

        def gap(k: PRNGKeyArray) -> Array:
            return energy(x) - energy(flip_sites(middle, space, self.probability, key=k))

        return jax.vmap(gap)(jax.random.split(then, self.copies))

    def _redraw(
        self, energy: Energy, x: Array, space: AbstractFinite, *, key: PRNGKeyArray
    ) -> Float[Array, " copies"]:
        where, what = jax.random.split(key)
        site = jax.random.randint(where, (1,), 0, space.sites)
        values = jax.random.randint(what, (self.copies,), 0, space.states)
        return -change_energies(energy, x, space, site)[0][values]
