"""BlackJAX's Metropolis-adjusted kernels as samplers."""

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

    Args:
        make: Such as `blackjax.mala`: returns a `SamplingAlgorithm` whose info has
            `acceptance_rate` and whose state has `position` and `logdensity`.
        settings: Its keyword arguments. Arrays may change without a new compilation; Python
            numbers are compiled in.

    Example:
        >>> walk = ex.sampler.FromBlackjax(ex.sampler.mala(0.1).make, {"step_size": 0.1})
        >>> ex.sampler.run(walk, lambda x: jnp.sum(x**2), jnp.ones(2), 5, key=key)[1].shape
        (5, 2)
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

    Raises:
        ValueError: for a `step_size` not above 0.

    Example:
        >>> walk, energy = ex.sampler.mala(0.5), ex.energy.Gaussian(jnp.zeros(2))
        >>> state, x = ex.sampler.run(walk, energy, jnp.ones(2), 10, key=key)
        >>> x.shape
        (10, 2)
    """
    return FromBlackjax(blackjax.mala, {"step_size": _positive("step_size", step_size)})


def hmc(step_size: float, leaps: int, scale: Float[ArrayLike, "*shape"]) -> FromBlackjax:
    """Hamiltonian Monte Carlo: `leaps` leapfrog steps of `step_size`, then accept or reject.

    Exact for any setting; acceptance of about 0.65 mixes best (Beskos et al. 2013).

    Args:
        scale: Standard deviation of each axis, in the shape of one example; `jnp.ones(shape)`
            where nothing is known. The mass is its inverse square.

    Raises:
        ValueError: for a `step_size` not above 0 or `leaps` below 1.

    Example:
        >>> walk, energy = ex.sampler.hmc(0.3, 5, jnp.ones(2)), ex.energy.Gaussian(jnp.zeros(2))
        >>> state, x = ex.sampler.chains(walk, energy, jnp.zeros((4, 2)), 10, key=key)
        >>> x.shape
        (4, 10, 2)
    """
    if leaps < 1:
        raise ValueError(f"`leaps` must be at least 1; got {leaps}.")
    settings = {
        "step_size": _positive("step_size", step_size),
        "inverse_mass_matrix": jnp.ravel(jnp.asarray(scale, float)) ** 2,
        "num_integration_steps": leaps,
    }
    return FromBlackjax(blackjax.hmc, settings)
