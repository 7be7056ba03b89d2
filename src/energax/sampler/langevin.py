"""Unadjusted Langevin dynamics, with the temperature that its settings imply."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import Energy
from energax.sampler.base import AbstractSampler, Info, State


class Langevin(AbstractSampler):
    r"""Unadjusted Langevin dynamics: x' = x - h dE/dx + n xi with xi ~ N(0, I).

    For small h the chain samples exp(-E/T) with T = n^2 / (2h) = `temperature`.

    Args:
        step_size: h.
        noise: n; None takes sqrt(2h), that is T = 1. Smaller noise samples a colder distribution.
        clip: Bound on each component of dE/dx; None for none. Changes the distribution.
        box: (low, high): x is projected onto it after each step. Changes the distribution.

    Raises:
        ValueError: for a `step_size` or `clip` not above 0, a negative `noise`, an empty `box`.

    Trap: biased at any h. On N(0, s^2), E = x^2 / (2 s^2), its stationary variance is
    T s^2 / (1 - h / (2 s^2)), and the chain explodes from h = 2 s^2 on. In the tutorial's letters
    h = eps^2 / 2 (Song and Kingma 2021, eq. 6). Source: Roberts and Tweedie (1996).

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> state, x = ex.sampler.run(walk, energy, jnp.ones(2), 10, key=key)
        >>> x.shape, round(float(walk.temperature), 6)
        ((10, 2), 1.0)
    """

    step_size: Float[Array, ""]
    noise: Float[Array, ""]
    clip: float | None = eqx.field(static=True)
    box: tuple[float, float] | None = eqx.field(static=True)

    def __init__(
        self,
        step_size: float,
        noise: float | None = None,
        *,
        clip: float | None = None,
        box: tuple[float, float] | None = None,
    ):
        if not step_size > 0:
            raise ValueError(f"`step_size` must be above 0; got {step_size}.")
        if noise is not None and not noise >= 0:
            raise ValueError(f"`noise` must be at least 0; got {noise}.")
        if clip is not None and not clip > 0:
            raise ValueError(f"`clip` must be above 0; got {clip}.")
        if box is not None and not box[0] < box[1]:
            raise ValueError(f"`box` must be (low, high) with low < high; got {box}.")
        self.step_size = jnp.asarray(step_size, jnp.result_type(float))
        self.noise = jnp.asarray((2 * step_size) ** 0.5 if noise is None else noise, float)
        self.clip, self.box = clip, box

    @property
    def temperature(self) -> Float[Array, ""]:
        """T = noise^2 / (2 step_size), of the distribution exp(-E/T) that small steps sample."""
        return self.noise**2 / (2 * self.step_size)

    def init(self, energy: Energy, x: Float[ArrayLike, "*shape"], *, key: PRNGKeyArray) -> State:
        return State(jnp.asarray(x))

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        value, slope = jax.value_and_grad(energy)(state.x)
        info = Info(jnp.ones_like(value), value, jnp.sqrt(jnp.sum(slope**2)))
        if self.clip is not None:
            slope = jnp.clip(slope, -self.clip, self.clip)
        dtype = state.x.dtype
        noise = jax.random.normal(key, state.x.shape, dtype)
        x = state.x - self.step_size.astype(dtype) * slope + self.noise.astype(dtype) * noise
        if self.box is not None:
            x = jnp.clip(x, *self.box)
        return State(x), info
