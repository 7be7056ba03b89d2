"""Unadjusted Langevin dynamics that stays on a sphere, a torus, or in flat space."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractManifold, Energy
from energax.sampler.base import AbstractSampler, Info, State


def retracted(
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
    """x' = project(x - h dE/dx + sqrt(2h) xi), h = `step_size`: Langevin dynamics on a manifold.

    The straight step in the surrounding space, brought back: on the sphere by dividing by the
    length, on the torus by dropping whole turns. For small h it follows exp(-E) on the manifold;
    biased of order h otherwise. With E = 0 on the sphere in R^D one step shrinks E[x'] by
    1 - (D - 1) h + O(h^2), the rate of the Laplace-Beltrami operator.

    Source: Domingo-Enrich et al. (2021), the particle step of their released code.
    """

    manifold: AbstractManifold
    step_size: Float[Array, ""]

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
        x = retracted(self.manifold, state.x, slope, self.step_size, noise)
        along = self.manifold.tangent(state.x, slope)
        return State(x), Info(jnp.ones_like(value), value, jnp.sqrt(jnp.sum(along**2)))
