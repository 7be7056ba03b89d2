"""Denoising score matching: the slope of the energy points from a noisy row back to the clean."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import AbstractObjective, Aux

Batch = Float[Array, " batch *shape"]


class DenoisingScoreMatching(AbstractObjective):
    """mean 1/2 |z / s - dE/dx(x + s z)|^2 with z ~ N(0, I) and s = `noise`.

    With `control_variate`, 1/2 (|z|^2 / s^2 - d / s^2 - (2 / s) z . dE/dx(x)) is taken off: its
    mean is 0, and for small s it carries nearly all of the variance, which grows as 1 / s^2. It
    hurts where s is comparable to the scale of the data, for the slope at the clean row then says
    little about that at the noisy one.

    Trap: the optimum is the law of the *noisy* data x + s z, not of the data; small s lessens this.
    Source: Vincent (2011); Song and Kingma (2021), eq. 11 and 13-14 (Wang et al. 2020).
    """

    noise: float = 0.1
    control_variate: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if not self.noise > 0:
            raise ValueError(f"`noise` must be above 0; got {self.noise}.")

    def init(self, energy: Energy, rows: Batch, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        z = jax.random.normal(key, batch.shape, batch.dtype)
        slope = jax.vmap(jax.grad(energy))(batch + self.noise * z)
        loss = jnp.sum((z / self.noise - slope) ** 2) / (2 * len(batch))
        if self.control_variate:
            clean = jax.vmap(jax.grad(energy))(batch)
            extra = (jnp.sum(z**2) - batch.size) / self.noise**2 - 2 / self.noise * jnp.sum(
                z * clean
            )
            loss = loss - extra / (2 * len(batch))
        size = jnp.mean(jnp.sqrt(jnp.sum(slope.reshape(len(batch), -1) ** 2, axis=1)))
        return loss, Aux(memory, {"loss": loss, "slope": size})
