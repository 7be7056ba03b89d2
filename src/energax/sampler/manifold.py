"""Unadjusted Langevin dynamics on a manifold: a sphere, a torus, or flat space."""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractManifold, Energy
from energax.sampler.base import AbstractSampler, Info, State
from energax.space import AbstractSpace, Box, Reals, UnitSphere


def retract(
    manifold: AbstractManifold,
    x: Float[Array, "*shape"],
    slope: Float[Array, "*shape"],
    step_size: Float[Array, ""],
    noise: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """x - h slope + sqrt(2h) noise, brought back to the manifold."""
    h = step_size.astype(x.dtype)
    return manifold.project(x - h * slope + jnp.sqrt(2 * h) * noise)


class OnManifold(AbstractSampler):
    """Langevin dynamics on a manifold: x' = project(x - h dE/dx + sqrt(2h) xi), h = `step_size`.

    The step is straight in the surrounding space and then projected back: on the sphere by dividing
    by the length, on the torus by dropping whole turns. For small h it samples exp(-E) on the
    manifold; its bias is of order h. With E = 0 on the sphere in R^D one step shrinks E[x'] by
    1 - (D - 1) h + O(h^2), the rate of the Laplace-Beltrami operator.

    Raises:
        ValueError: for a `step_size` that is not above 0 and finite.

    Source: Domingo-Enrich et al. (2021), the particle step of their released code.

    Example:
        >>> walk = ex.sampler.OnManifold(ex.energy.Sphere((3,)), 0.1)
        >>> state, _ = ex.sampler.run(walk, lambda x: x[0], jnp.eye(3)[0], 5, key=key)
        >>> round(float(jnp.linalg.norm(state.x)), 6)
        1.0
    """

    manifold: AbstractManifold
    step_size: Float[Array, ""]
    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Reals, Box, UnitSphere)

    def __init__(self, manifold: AbstractManifold, step_size: float):
        if not (step_size > 0 and math.isfinite(step_size)):
            raise ValueError(f"`step_size` must be above 0 and finite; got {step_size}.")
        self.manifold = manifold
        self.step_size = jnp.asarray(step_size, jnp.result_type(float))

    def init(self, energy: Energy, x: Float[ArrayLike, "*shape"], *, key: PRNGKeyArray) -> State:
        return State(jnp.asarray(x))

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        value, slope = jax.value_and_grad(energy)(state.x)
        noise = jax.random.normal(key, state.x.shape, state.x.dtype)
        x = retract(self.manifold, state.x, slope, self.step_size, noise)
        along = self.manifold.tangent(state.x, slope)
        return State(x), Info(jnp.ones_like(value), value, jnp.sqrt(jnp.sum(along**2)))
