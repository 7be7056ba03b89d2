"""Transitions of many particles that leave the energies of a path as they are."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, Shaped

from energax.energy import draws
from energax.evaluate.path import AbstractPath
from energax.sampler import Info, State

JITTER = 0.2
"""By how much at most a random step size is longer or shorter: a fixed one resonates with a
near-Gaussian distribution."""


class AbstractKernel(eqx.Module):
    """A transition that leaves exp(-E_t) as it is, at any time t of a path."""

    @abc.abstractmethod
    def __call__(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        step_size: Float[Array, ""],
        x: Shaped[Array, " size *shape"],
        jumps: Bool[Array, ""],
        shortest: Float[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> tuple[State, Info]:
        """One transition of every particle at time t.

        `jumps`: may they go to base draws? Step sizes are between `shortest` and 1 + `JITTER` times
        `step_size`, their logarithms uniform.
        """


def jump(
    path: AbstractPath,
    time: Float[Array, ""],
    x: Shaped[Array, "*shape"],
    allowed: Bool[Array, ""],
    tries: int,
    *,
    key: PRNGKeyArray,
) -> Shaped[Array, "*shape"]:
    """Stay, or go to one of `tries` fresh base draws, with odds exp(-t gap) for each seat.

    Where it is not `allowed`, stay.

    Reference: iterated sampling importance resampling, Andrieu, Lee and Vihola (2018).
    """
    offer, pick = jax.random.split(key)
    seats = jnp.concatenate([x[None], draws(path.base, tries, key=offer)])
    odds = -time * jax.vmap(path.gap)(seats)
    return seats[jnp.where(allowed, jax.random.categorical(pick, odds), 0)]


def vary(
    step_size: Float[Array, ""], shortest: Float[Array, ""], *, key: PRNGKeyArray
) -> Float[Array, ""]:
    """A random step size, between `shortest` and 1 + `JITTER` times the usual one."""
    ends = jnp.log(shortest), jnp.log1p(jnp.asarray(JITTER, shortest.dtype))
    return step_size * jnp.exp(jax.random.uniform(key, (), shortest.dtype, *ends))


def check_tries(leaps: int, tries: int) -> None:
    """Raises ValueError where one of the counts of a kernel is below 1."""
    if leaps < 1 or tries < 1:
        raise ValueError(f"`leaps` and `tries` must be at least 1; got {leaps} and {tries}.")
