"""Score matching without noise: Hessians of the energy seen along random directions."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import AbstractObjective, Aux

Batch = Float[Array, " batch *shape"]
Direction = Literal["gaussian", "rademacher"]


def _direction(kind: Direction, like: Array, *, key: PRNGKeyArray) -> Array:
    if kind == "gaussian":
        return jax.random.normal(key, like.shape, like.dtype)
    return jax.random.rademacher(key, like.shape, like.dtype)


class SlicedScoreMatching(AbstractObjective):
    """mean 1/2 |dE/dx|^2 - v' H v (variance-reduced) or 1/2 (v . dE/dx)^2 - v' H v (plain).

    H is the Hessian of E at a data row, v a random direction with covariance I; `projections` of
    them are averaged per row. Both have the mean of implicit score matching, whose minimiser is
    the law of the data; the value itself is a Fisher divergence up to a constant. The Hessian
    enters with a minus: the arXiv text prints a plus (with p = exp(-E) that has no minimum).

    Trap: rows on a lower-dimensional sheet (constant pixels, rounded values) have no density, and
    the loss falls without end; dequantise or add noise first. Source: Song et al. (2019); Song and
    Kingma (2021), eq. 15 and 17, sign corrected.
    """

    projections: int = eqx.field(static=True, default=1)
    variance_reduced: bool = eqx.field(static=True, default=True)
    direction: Direction = eqx.field(static=True, default="rademacher")

    def __check_init__(self):
        if self.projections < 1:
            raise ValueError(f"`projections` must be at least 1; got {self.projections}.")
        if self.direction not in ("gaussian", "rademacher"):
            raise ValueError(
                f"`direction` must be 'gaussian' or 'rademacher'; got {self.direction!r}."
            )

    def init(self, energy: Energy, rows: Batch, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def one(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            slope, rest = jax.grad(energy)(x), jnp.zeros((), x.dtype)
            squared = jnp.sum(slope**2)
            # A loop, not a vmap: each product stays a matrix times a batch, which is much faster.
            for each in jax.random.split(k, self.projections):
                v = _direction(self.direction, x, key=each)
                slope, bent = jax.jvp(jax.grad(energy), (x,), (v,))
                first = squared if self.variance_reduced else jnp.sum(v * slope) ** 2
                rest = rest + first / 2 - jnp.sum(v * bent)
            return rest / self.projections, jnp.sqrt(squared)

        each, size = jax.vmap(one)(batch, jax.random.split(key, len(batch)))
        loss = jnp.mean(each)
        return loss, Aux(memory, {"loss": loss, "slope": jnp.mean(size)})
