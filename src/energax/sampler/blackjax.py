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
        """BlackJAX's kernel, in JAX's own precision; the energy has that of the chain."""
        wide = jnp.result_type(float)
        settings = jax.tree.map(
            lambda leaf: leaf.astype(wide) if eqx.is_inexact_array(leaf) else leaf, self.settings
        )
        return self.make(lambda x: -energy(x.astype(like.dtype)).astype(wide), **settings)

    def init(self, energy: Energy, x: Float[ArrayLike, "*shape"], *, key: PRNGKeyArray) -> State:
        x = jnp.asarray(x)
        return State(x, self._kernel(energy, x).init(x.astype(jnp.result_type(float)), key))

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        memory, info = self._kernel(energy, state.x).step(key, state.memory)
        dtype = state.x.dtype
        value = -memory.logdensity.astype(dtype)
        acceptance = jnp.asarray(info.acceptance_rate, dtype)
        x = memory.position.astype(dtype)
        return State(x, memory), Info(acceptance, value, jnp.zeros_like(value))


def _positive(name: str, value: float) -> Float[Array, ""]:
    if not value > 0:
        raise ValueError(f"`{name}` must be above 0; got {value}.")
    return jnp.asarray(value, jnp.result_type(float))


def _variances(scale: Float[ArrayLike, "*shape"]) -> Float[Array, " dim"]:
    return jnp.ravel(jnp.asarray(scale, float)) ** 2


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
        "inverse_mass_matrix": _variances(scale),
        "num_integration_steps": leaps,
    }
    return FromBlackjax(blackjax.hmc, settings)


def preconditioned_langevin(step_size: float, covariance: Float[ArrayLike, "..."]) -> FromBlackjax:
    """Preconditioned Langevin: x' = x - h C dE/dx + sqrt(2h) C^(1/2) xi, then accept or reject.

    It is Hamiltonian Monte Carlo of one leapfrog step of sqrt(2h) with the mass matrix C^-1, and
    `mala` for C = I.

    Args:
        step_size: h.
        covariance: C: the variance of each axis of the flattened example, (dim,), or its whole
            covariance, (dim, dim), or what is known of them.

    Raises:
        ValueError: for a `step_size` not above 0, and for a `covariance` of another shape.

    Source: Roberts and Stramer (2002), with a constant C.

    Example:
        >>> walk = ex.sampler.preconditioned_langevin(0.5, jnp.array([1.0, 100.0]))
        >>> energy = ex.energy.Gaussian(jnp.zeros(2), jnp.array([1.0, 10.0]))
        >>> ex.sampler.run(walk, energy, jnp.ones(2), 10, key=key)[1].shape
        (10, 2)
    """
    matrix = jnp.asarray(covariance, float)
    if matrix.ndim not in (1, 2) or len(set(matrix.shape)) != 1:
        raise ValueError(f"`covariance` must be (dim,) or (dim, dim); got shape {matrix.shape}.")
    settings = {
        "step_size": jnp.sqrt(2 * _positive("step_size", step_size)),
        "inverse_mass_matrix": matrix,
        "num_integration_steps": 1,
    }
    return FromBlackjax(blackjax.hmc, settings)


def nuts(
    step_size: float, scale: Float[ArrayLike, "*shape"], *, doublings: int = 10
) -> FromBlackjax:
    """The no-U-turn sampler: Hamiltonian trajectories that stop where they turn back.

    Exact for any setting; `Info.acceptance` is the mean over the trajectory, and about 0.8 mixes
    best. `adapt` finds step size and mass.

    Args:
        scale: Standard deviation of each axis, in the shape of one example, as for `hmc`.
        doublings: the longest trajectory has 2^doublings leapfrog steps.

    Raises:
        ValueError: for a `step_size` not above 0 or `doublings` below 1.

    Trap: chains that run side by side wait for the longest of their trajectories. Source: Hoffman
    and Gelman (2014), with the multinomial choice of Betancourt (2017), as in BlackJAX.

    Example:
        >>> walk, energy = ex.sampler.nuts(0.5, jnp.ones(2)), ex.energy.Gaussian(jnp.zeros(2))
        >>> ex.sampler.run(walk, energy, jnp.ones(2), 10, key=key)[1].shape
        (10, 2)
    """
    if doublings < 1:
        raise ValueError(f"`doublings` must be at least 1; got {doublings}.")
    settings = {
        "step_size": _positive("step_size", step_size),
        "inverse_mass_matrix": _variances(scale),
        "max_num_doublings": doublings,
    }
    return FromBlackjax(blackjax.nuts, settings)


def underdamped_langevin(
    step_size: float, friction: float, scale: Float[ArrayLike, "*shape"]
) -> FromBlackjax:
    """Underdamped Langevin: a momentum that persists, one leapfrog step, then accept or reject.

    Each step keeps exp(-2 g h) of the variance of the momentum and draws the rest, with friction g
    and step size h. Rejections turn the momentum around; the numbers that decide on them persist
    too, which makes rejections come in groups and the runs between them long. Exact for any
    setting.

    Args:
        step_size: h, of the leapfrog step.
        friction: g, per unit of time; a large one is `preconditioned_langevin` with step size
            h^2 / 2.
        scale: Standard deviation of each axis, in the shape of one example, as for `hmc`.

    Raises:
        ValueError: for a `step_size` or `friction` not above 0.

    Source: Horowitz (1991); Neal (2020) for persistent acceptance; generalised HMC in BlackJAX.

    Example:
        >>> walk = ex.sampler.underdamped_langevin(0.3, 1.0, jnp.ones(2))
        >>> energy = ex.energy.Gaussian(jnp.zeros(2))
        >>> ex.sampler.run(walk, energy, jnp.ones(2), 10, key=key)[1].shape
        (10, 2)
    """
    drawn = -jnp.expm1(-2 * _positive("friction", friction) * _positive("step_size", step_size))
    settings = {
        "step_size": _positive("step_size", step_size),
        "momentum_inverse_scale": jnp.ravel(jnp.asarray(scale, float)),
        "alpha": drawn,
        "delta": drawn / 2,
    }
    return FromBlackjax(_make_ghmc, settings)


def _make_ghmc(
    logdensity: Callable[[Array], Array], **settings: Array
) -> blackjax.SamplingAlgorithm:
    """BlackJAX's generalised HMC, which multiplies flags and numbers, against strict promotion."""
    algorithm = blackjax.ghmc(logdensity, **settings)

    def step(key: PRNGKeyArray, state: Any) -> tuple[Any, Any]:
        with jax.numpy_dtype_promotion("standard"):
            return algorithm.step(key, state)

    return blackjax.SamplingAlgorithm(algorithm.init, step)  # pyright: ignore[reportArgumentType]
