"""BlackJAX's Metropolis-adjusted kernels behind our protocol: nothing is rewritten here."""

from collections.abc import Callable
from typing import Any

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import Energy
from energax.sampler.base import AbstractSampler, Info, State


class FromBlackjax(AbstractSampler):
    """Any accept/reject kernel of BlackJAX: `make(logdensity_fn, **settings)` builds it.

    Arrays in `settings` may be swept without a new compilation; Python numbers are compiled in.
    """

    make: Callable[..., Any] = eqx.field(static=True)
    settings: dict[str, Any]

    def _kernel(self, energy: Energy, like: Array) -> Any:
        """BlackJAX's kernel, with its settings in the precision of the chain."""
        settings = jax.tree.map(
            lambda leaf: leaf.astype(like.dtype) if eqx.is_inexact_array(leaf) else leaf,
            self.settings,
        )
        return self.make(lambda x: -energy(x), **settings)

    def init(self, energy: Energy, x: Float[ArrayLike, "*shape"], *, key: PRNGKeyArray) -> State:
        x = jnp.asarray(x)
        return State(x, self._kernel(energy, x).init(x, key))

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        memory, info = self._kernel(energy, state.x).step(key, state.memory)
        value = -memory.logdensity
        acceptance = jnp.asarray(info.acceptance_rate, value.dtype)
        return State(memory.position, memory), Info(acceptance, value, jnp.zeros_like(value))


def _positive(name: str, value: float) -> Float[Array, ""]:
    if not value > 0:
        raise ValueError(f"`{name}` must be above 0; got {value}.")
    return jnp.asarray(value, jnp.result_type(float))


def mala(step_size: float) -> FromBlackjax:
    """Metropolis-adjusted Langevin: the proposal of `Langevin(step_size)`, then accept or reject.

    Exact for any step size; acceptance of about 0.57 mixes best (Roberts and Rosenthal 1998).
    """
    return FromBlackjax(blackjax.mala, {"step_size": _positive("step_size", step_size)})


def hmc(step_size: float, leaps: int, scale: Float[ArrayLike, "*shape"]) -> FromBlackjax:
    """Hamiltonian Monte Carlo: `leaps` leapfrog steps of `step_size`, then accept or reject.

    `scale`: standard deviation of each axis, in the shape of one example (`jnp.ones(shape)` where
    nothing is known); the mass is its inverse square. Exact for any setting; acceptance of about
    0.65 mixes best (Beskos et al. 2013).
    """
    if leaps < 1:
        raise ValueError(f"`leaps` must be at least 1; got {leaps}.")
    settings = {
        "step_size": _positive("step_size", step_size),
        "inverse_mass_matrix": jnp.ravel(jnp.asarray(scale, float)) ** 2,
        "num_integration_steps": leaps,
    }
    return FromBlackjax(blackjax.hmc, settings)
