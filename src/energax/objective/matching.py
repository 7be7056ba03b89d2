"""Score matching without noise: exact trace of the Hessian, projections or finite differences."""

import math
from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import AbstractMemoryless, Aux

Batch = Float[Array, " batch *shape"]
Direction = Literal["gaussian", "rademacher", "sphere"]
"""Distributions of the random directions of sliced score matching."""


def _direction(kind: Direction, like: Array, *, key: PRNGKeyArray) -> Array:
    """A random direction of covariance I: "sphere" is uniform at the radius sqrt(d)."""
    if kind == "rademacher":
        return jax.random.rademacher(key, like.shape, like.dtype)
    v = jax.random.normal(key, like.shape, like.dtype)
    return v if kind == "gaussian" else v * math.sqrt(like.size) / jnp.sqrt(jnp.sum(v**2))


def _check(projections: int, direction: Direction) -> None:
    if projections < 1:
        raise ValueError(f"`projections` must be at least 1; got {projections}.")
    if direction not in get_args(Direction):
        raise ValueError(f"`direction` must be one of {get_args(Direction)}; got {direction!r}.")


def _length(slope: Array) -> Array:
    return jnp.sqrt(jnp.sum(slope**2))


class ImplicitScoreMatching(AbstractMemoryless):
    """Score matching: mean 1/2 |dE/dx|^2 - tr H, with H the Hessian of E at a data row.

    The value is the Fisher divergence E[1/2 |score of data - score of model|^2] up to a constant of
    the data; the minimiser is the distribution of the data. The exact trace takes as many Hessian
    products as the example has entries: for more than a few dozen use `SlicedScoreMatching`, whose
    default is the same with Hutchinson's estimate of the trace.

    Trap: as in `SlicedScoreMatching`. The arXiv text of the tutorial prints + tr H, which has no
    minimum. Source: Hyvarinen (2005), theorem 1; Song and Kingma (2021), eq. 8, sign corrected.

    Example:
        >>> objective = ex.objective.ImplicitScoreMatching()
        >>> float(objective(ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((4, 2)), None, key=key)[0])
        -1.0
    """

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def one(x: Array) -> tuple[Array, Array]:
            slope, product = jax.linearize(jax.grad(energy), x)
            basis = jnp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
            trace = jnp.trace(jax.vmap(product)(basis).reshape(x.size, x.size))
            return jnp.sum(slope**2) / 2 - trace, _length(slope)

        each, size = jax.vmap(one)(batch)
        loss = jnp.mean(each)
        return loss, Aux(memory, {"loss": loss, "input_grad_norm": jnp.mean(size)})


class SlicedScoreMatching(AbstractMemoryless):
    """Sliced score matching: mean 1/2 |dE/dx|^2 - v' H v, with random directions v.

    H is the Hessian of E at a data row and v has covariance I. Its mean is that of implicit score
    matching, whose minimiser is the distribution of the data.

    Args:
        projections: Directions to average over, for each row.
        variance_reduced: False takes the plain form 1/2 (v . dE/dx)^2 - v' H v, which has the same
            mean and more variance.
        direction: Distribution of v; "sphere" is uniform at the radius sqrt(d).

    Raises:
        ValueError: for `projections` below 1 or an unknown `direction`.

    Trap: rows on a lower-dimensional sheet (constant pixels, rounded values) have no density, and
    the loss falls without bound; dequantise or add noise first. The arXiv text of the tutorial
    prints + v' H v, which has no minimum. Source: Song et al. (2019); Song and Kingma (2021), eq.
    15 and 17, sign corrected.

    Example:
        >>> objective, energy = ex.objective.SlicedScoreMatching(), ex.energy.Gaussian(jnp.zeros(2))
        >>> float(objective(energy, jnp.ones((4, 2)), None, key=key)[0])
        -1.0
    """

    projections: int = eqx.field(static=True, default=1)
    variance_reduced: bool = eqx.field(static=True, default=True)
    direction: Direction = eqx.field(static=True, default="rademacher")

    def __check_init__(self):
        _check(self.projections, self.direction)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def one(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            slope, product = jax.linearize(jax.grad(energy), x)
            rest, squared = jnp.zeros((), x.dtype), jnp.sum(slope**2)
            # A loop, not a vmap: each product stays a matrix times a batch, which is much faster.
            for each in jax.random.split(k, self.projections):
                v = _direction(self.direction, x, key=each)
                first = squared if self.variance_reduced else jnp.sum(v * slope) ** 2
                rest = rest + first / 2 - jnp.sum(v * product(v))
            return rest / self.projections, _length(slope)

        each, size = jax.vmap(one)(batch, jax.random.split(key, len(batch)))
        loss = jnp.mean(each)
        return loss, Aux(memory, {"loss": loss, "input_grad_norm": jnp.mean(size)})


class FiniteDifferenceScoreMatching(AbstractMemoryless):
    """Sliced score matching by finite differences: only values of the energy, no derivative in x.

    mean 1/2 D^2 - C with D = (E(x + hv) - E(x - hv)) / (2h), C = (E(x + hv) + E(x - hv) - 2 E(x))
    / h^2, h = `step` and v a random direction of covariance I. Its bias is O(h^2), and none for a
    quadratic energy. Two to three evaluations replace a double backward pass.

    Args:
        step: h, in the units of the rows.
        projections, direction: As in `SlicedScoreMatching`.

    Raises:
        ValueError: for a `step` not above 0, `projections` below 1 or an unknown `direction`.

    Trap: C is a difference of nearly equal numbers over h^2. In float32 an energy of size e has an
    error of about 1e-7 e / h^2 nats in it, so h below 0.01 gives only rounding noise. Source: Pang
    et al. (2020), section 3.

    Example:
        >>> objective = ex.objective.FiniteDifferenceScoreMatching(0.1, direction="rademacher")
        >>> loss, aux = objective(lambda x: jnp.sum(x), jnp.zeros((4, 1)), None, key=key)
        >>> round(float(loss), 6)
        0.5
    """

    step: float = 0.1
    projections: int = eqx.field(static=True, default=1)
    direction: Direction = eqx.field(static=True, default="rademacher")

    def __check_init__(self):
        if not self.step > 0:
            raise ValueError(f"`step` must be above 0; got {self.step}.")
        _check(self.projections, self.direction)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def one(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            here, rest, size = energy(x), jnp.zeros((), x.dtype), jnp.zeros((), x.dtype)
            for each in jax.random.split(k, self.projections):
                shift = self.step * _direction(self.direction, x, key=each).astype(x.dtype)
                ahead, behind = energy(x + shift), energy(x - shift)
                slope = (ahead - behind) / (2 * self.step)
                rest = rest + slope**2 / 2 - (ahead + behind - 2 * here) / self.step**2
                size = size + jnp.abs(slope)
            return rest / self.projections, size / self.projections

        each, size = jax.vmap(one)(batch, jax.random.split(key, len(batch)))
        loss = jnp.mean(each)
        return loss, Aux(memory, {"loss": loss, "input_grad_norm": jnp.mean(size)})
