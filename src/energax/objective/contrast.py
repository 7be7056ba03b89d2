"""Learning by telling data from noise of a known law."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractLaw, Energy, draws, log_density
from energax.objective.base import AbstractObjective, Aux

Batch = Float[Array, " batch *shape"]


class NoiseContrastiveEstimation(AbstractObjective):
    """Cross-entropy of the classifier with logit l(x) = -E(x) - log p_noise(x) - log r.

    r = `ratio` noise draws per data row (the tutorial's nu is 1 / r); loss = (mean softplus(-l)
    over data + r mean softplus(l) over noise) / (1 + r). At the optimum exp(-E) is the density
    itself, so the energy needs a free constant: wrap it in `Normalised`, whose log Z then comes
    out right.

    Trap: noise far from the data is told apart by a crude energy, and nothing more is learned.
    Source: Gutmann and Hyvarinen (2012); Song and Kingma (2021), eq. 18-21.
    """

    noise: AbstractLaw
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        if self.ratio < 1:
            raise ValueError(f"`ratio` must be at least 1; got {self.ratio}.")

    def init(self, energy: Energy, rows: Batch, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        fake = jax.lax.stop_gradient(draws(self.noise, self.ratio * len(batch), key=key))

        def logit(x: Array) -> tuple[Array, Array]:
            value = energy(x)
            return -value - log_density(self.noise, x) - math.log(self.ratio), value

        (real, on_data), (false, on_noise) = jax.vmap(logit)(batch), jax.vmap(logit)(fake)
        share = 1 / (1 + self.ratio)
        loss = share * jnp.mean(jax.nn.softplus(-real)) + (1 - share) * jnp.mean(
            jax.nn.softplus(false)
        )
        right = share * jnp.mean(real > 0) + (1 - share) * jnp.mean(false < 0)
        parts = {
            "loss": loss,
            "energy_data": jnp.mean(on_data),
            "energy_noise": jnp.mean(on_noise),
            "accuracy": right.astype(loss.dtype),
        }
        return loss, Aux(memory, parts)
