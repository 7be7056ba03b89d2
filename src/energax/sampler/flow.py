"""The probability flow: an ODE between the distributions at two noise levels."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from energax.energy import AbstractNoisy

MOST_STEPS = 4096
"""Steps after which the solver gives up and raises."""


def velocity(
    model: AbstractNoisy, x: Float[Array, "*shape"], noise: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """dx/dlog s = -s^2 score(x, s): the velocity of a row as its noise grows.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / 2, (2,))
        >>> ex.sampler.velocity(model, jnp.ones(2), jnp.asarray(2.0)).tolist()
        [4.0, 4.0]
    """
    return -(noise**2) * model.score(x, noise)


def probability_flow(
    model: AbstractNoisy,
    begin: float,
    end: float,
    starts: Float[Array, " count *shape"],
    *,
    rtol: float = 1e-4,
    atol: float = 1e-4,
) -> Float[Array, " count *shape"]:
    """Move rows by the probability flow ODE from noise level s = `begin` to s = `end`.

    dx/dlog s = -s^2 score(x, s). No noise is drawn: with falling s draws of the highest level
    become draws of the model, with rising s each row gets its code. Rows carry the noise of the
    last level. For a model of shrunk rows see `energy.Unshrunk`.

    Args:
        starts: Rows at `begin`; to sample, draws near N(0, s^2 + variance of the data) at an s far
            broader than the data.
        rtol, atol: Diffrax's Tsit5 keeps the error of a step near atol + rtol |x|; lower both until
            the results no longer change.

    Raises:
        ValueError: for a noise or a tolerance not above 0.
        RuntimeError: where the solver does not reach `end` in 4096 steps.

    Trap: only exact scores carry one noisy distribution into the other; with learned ones the
    draws differ in distribution from those of `reverse_sde`. Source: Song et al. (2021), eq. 13,
    section 4.3.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> x = ex.sampler.probability_flow(model, 3.0, 1.0, jnp.full((1, 2), 10**0.5))
        >>> x.round(2).tolist()
        [[1.41, 1.41]]
    """
    span, tolerances = prepare_solver((begin, end), rtol, atol, starts.dtype)
    return _carry(model, span, tolerances, starts)


@eqx.filter_jit
def _carry(
    model: AbstractNoisy,
    span: Float[Array, " 2"],
    tolerances: Float[Array, " 2"],
    starts: Float[Array, " count *shape"],
) -> Float[Array, " count *shape"]:
    def slope(time: Any, x: Array, _: None) -> Array:
        return velocity(model, x, jnp.exp(time))

    return jax.vmap(lambda x: solve(slope, span, tolerances, x)[0])(starts)


def prepare_solver(
    noises: tuple[float, float], rtol: float, atol: float, dtype: Any
) -> tuple[Float[Array, " 2"], Float[Array, " 2"]]:
    """The logarithms of first and last noise, and the tolerances; ValueError unless above 0."""
    if not all(noise > 0 for noise in noises):
        raise ValueError(f"Noises must be above 0; got {noises[0]} and {noises[1]}.")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not tolerance > 0:
            raise ValueError(f"`{name}` must be above 0; got {tolerance}.")
    return jnp.log(jnp.asarray(noises, dtype)), jnp.asarray([rtol, atol], dtype)


def solve(
    slope: Callable[[Any, Any, Any], Any],
    span: Float[Array, " 2"],
    tolerances: Float[Array, " 2"],
    start: PyTree,
    args: PyTree = None,
) -> tuple[PyTree, Array]:
    """The end of dy/dt = slope(t, y, args) and the number of steps; raises if it failed.

    A step is as long as its worst part allows, be it one number among the many of a row.
    """
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(slope),
        diffrax.Tsit5(),
        span[0],
        span[1],
        None,
        start,
        args,
        stepsize_controller=diffrax.PIDController(*tolerances, norm=_worst),
        adjoint=diffrax.ForwardMode(),
        max_steps=MOST_STEPS,
    )
    return jax.tree.map(lambda leaf: leaf[0], solution.ys), jnp.asarray(
        solution.stats["num_accepted_steps"]
    )


def _worst(error: PyTree) -> Array:
    """The largest root mean square among the parts of the state."""
    sizes = [jnp.sqrt(jnp.mean(part**2)) for part in jax.tree.leaves(error)]
    return jnp.max(jnp.stack(sizes))
