"""Score matching without noise: the Hessian's trace in full, along directions, by differences."""

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
    """mean 1/2 |dE/dx|^2 - tr H, H the Hessian of E at a data row, its trace exact.

    The value is the Fisher divergence E[1/2 |score of data - score of model|^2] up to a constant of
    the data; the minimiser is the distribution of the data. The trace takes as many Hessian
    products as the example has entries: for more than a few dozen use `SlicedScoreMatching`, whose
    default is the same with Hutchinson's estimate of the trace.

    Trap: the arXiv text of the tutorial prints + tr H, which has no minimum. Source: Hyvarinen
    (2005), theorem 1; Song and Kingma (2021), eq. 8, sign corrected.
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
        return loss, Aux(memory, {"loss": loss, "slope": jnp.mean(size)})


class SlicedScoreMatching(AbstractMemoryless):
    """mean 1/2 |dE/dx|^2 - v' H v (variance-reduced) or 1/2 (v . dE/dx)^2 - v' H v (plain).

    H is the Hessian of E at a data row, v a random direction with covariance I; `projections` of
    them are averaged per row. Both have the mean of implicit score matching, whose minimiser is the
    distribution of the data; the value itself is a Fisher divergence up to a constant. The Hessian
    enters with a minus: the arXiv text prints a plus (with p = exp(-E) that has no minimum).

    Trap: rows on a lower-dimensional sheet (constant pixels, rounded values) have no density, and
    the loss falls without end; dequantise or add noise first. Source: Song et al. (2019); Song and
    Kingma (2021), eq. 15 and 17, sign corrected.
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
        return loss, Aux(memory, {"loss": loss, "slope": jnp.mean(size)})


class FiniteDifferenceScoreMatching(AbstractMemoryless):
    """Sliced score matching from values of the energy alone: no derivative in x is taken.

    mean 1/2 D^2 - C with D = (E(x + hv) - E(x - hv)) / (2h), C = (E(x + hv) + E(x - hv) - 2 E(x))
    / h^2, h = `step` and v a random direction of covariance I. Its bias is O(h^2), and none for a
    quadratic energy. Two to three evaluations stand for a double backward pass.

    Trap: C is a difference of nearly equal numbers over h^2. In float32 an energy of size e loses
    about 1e-7 e / h^2 nats of it, so h below 0.01 is noise. Source: Pang et al. (2020), section 3.
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
        return loss, Aux(memory, {"loss": loss, "slope": jnp.mean(size)})
