"""The probability flow: an ODE that carries the distribution at one level of noise into that at
another."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from energax.energy import AbstractNoisy

MOST_STEPS = 4096
"""Steps after which the solver gives up and says so."""


def velocity(
    model: AbstractNoisy, x: Float[Array, "*shape"], noise: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """dx/dlog s = -s^2 score(x, s): where a row goes as its noise grows."""
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
    """Carry rows along dx/dlog s = -s^2 score(x, s), from noise s = `begin` to s = `end`.

    The distribution of x + s z flows into that of any other level with no noise drawn: falling, it
    makes draws out of draws of the broadest level (near N(0, s^2 + variance of the data) where s is
    far broader than the data); rising, it gives each row its code. Draws carry the noise of the
    last level. Diffrax's Tsit5 holds the error of a step near atol + rtol |x|; lower both until the
    draws stand still. For a model of shrunk rows see `Unshrunk`.

    A solve that does not reach its end raises. Trap: only exact scores carry one noisy distribution
    into the other; with learned ones the draws differ in distribution from those of `reverse_sde`.
    Source: Song et al. (2021), eq. 13, section 4.3.
    """
    span, tolerances = settled((begin, end), rtol, atol, starts.dtype)
    return _carried(model, span, tolerances, starts)


@eqx.filter_jit
def _carried(
    model: AbstractNoisy,
    span: Float[Array, " 2"],
    tolerances: Float[Array, " 2"],
    starts: Float[Array, " count *shape"],
) -> Float[Array, " count *shape"]:
    def slope(time: Any, x: Array, _: None) -> Array:
        return velocity(model, x, jnp.exp(time))

    return jax.vmap(lambda x: solved(slope, span, tolerances, x)[0])(starts)


def settled(
    noises: tuple[float, float], rtol: float, atol: float, dtype: Any
) -> tuple[Float[Array, " 2"], Float[Array, " 2"]]:
    """The logarithms of first and last noise, and the tolerances; ValueError unless above 0."""
    if not all(noise > 0 for noise in noises):
        raise ValueError(f"Noises must be above 0; got {noises[0]} and {noises[1]}.")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not tolerance > 0:
            raise ValueError(f"`{name}` must be above 0; got {tolerance}.")
    return jnp.log(jnp.asarray(noises, dtype)), jnp.asarray([rtol, atol], dtype)


def solved(
    slope: Callable[[Any, Any, Any], Any],
    span: Float[Array, " 2"],
    tolerances: Float[Array, " 2"],
    start: PyTree,
    args: PyTree = None,
) -> tuple[PyTree, Array]:
    """The end of dy/dt = slope(t, y, args) and the steps that were taken; raises if it failed.

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
