"""Unadjusted Langevin dynamics, with the temperature that its settings imply."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import Energy
from energax.sampler.base import AbstractSampler, Info, State


class Langevin(AbstractSampler):
    r"""x' = x - h dE/dx + n xi, with h = `step_size`, n = `noise` (default sqrt(2h)), xi ~ N(0, I).

    For small h the chain draws from exp(-E/T), T = n^2 / (2h) = `temperature`; with the default
    noise T = 1. Biased at any h: on N(0, s^2), E = x^2 / (2 s^2), its own stationary variance is
    T s^2 / (1 - h / (2 s^2)); it explodes from h = 2 s^2 on.

    `clip` bounds each component of dE/dx, `box` = (low, high) projects x after each step: both
    change the distribution, and both are off unless asked for.

    In the tutorial's letters h = eps^2 / 2 (Song and Kingma 2021, eq. 6). Reference: Roberts and
    Tweedie (1996).
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
        """T of the distribution exp(-E/T) that this step and this noise imply: noise^2 / (2
        step_size)."""
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
