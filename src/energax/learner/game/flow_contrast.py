"""Noise-contrastive estimation whose noise learns to look like the data."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws, log_density
from energax.learner.game.base import AbstractMemorylessRules
from energax.objective import Aux, NoiseContrastiveEstimation

Batch = Float[Array, " batch *shape"]


class FlowContrastive(AbstractMemorylessRules):
    """The energy discriminates data from draws of a flow; the flow learns to make that hard.

    Energy, with a free constant (`Normalised`): the loss of `NoiseContrastiveEstimation` with the
    rival q as noise, `ratio` draws for each row. Rival: minus that loss, through its draws and its
    density, plus `anchor` times its mean negative log-likelihood of the data.

    Args:
        ratio: at least 1.
        anchor: at least 0. Its gradient is that of maximum likelihood, which has the same optimum.

    Raises:
        ValueError: a setting is out of range.

    Trap: the noise moves, so log Z is a moving target: a rival faster than the energy leaves its
    constant behind. Start from a flow fitted to the data, move it slowly, and keep the anchor.
    Source: Gao et al. (2020), eq. 8, where the flow has no anchor.

    Example:
        >>> rules, normal = ex.learner.FlowContrastive(), ex.energy.Gaussian(jnp.zeros(1))
        >>> _, aux = rules.energy_loss(normal, normal, jnp.zeros((4, 1)), None, key=key)
        >>> float(aux.metrics["energy_data"])
        0.0
    """

    ratio: int = eqx.field(static=True, default=1)
    anchor: float = 1.0

    def __check_init__(self):
        if self.ratio < 1:
            raise ValueError(f"`ratio` must be at least 1; got {self.ratio}.")
        if not self.anchor >= 0:
            raise ValueError(f"`anchor` must be at least 0; got {self.anchor}.")

    def energy_loss(
        self,
        energy: Energy,
        rival: AbstractDistribution,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        classify = NoiseContrastiveEstimation(rival, self.ratio)
        loss, aux = classify(energy, batch, None, key=key)
        names = {"energy_noise": "energy_rival"}
        parts = {names.get(name, name): value for name, value in aux.metrics.items()}
        return loss, Aux(memory, parts)

    def rival_loss(
        self,
        rival: AbstractDistribution,
        energy: Energy,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        fake = draws(rival, self.ratio * len(batch), key=key)

        def logit(x: Array) -> tuple[Array, Array]:
            log_q = log_density(rival, x)
            return -energy(x) - log_q - math.log(self.ratio), log_q

        (real, log_q), (false, _) = jax.vmap(logit)(batch), jax.vmap(logit)(fake)
        on_data, on_draws = jnp.mean(jax.nn.softplus(-real)), jnp.mean(jax.nn.softplus(false))
        share = 1 / (1 + self.ratio)
        likelihood = jnp.mean(log_q)
        loss = -share * on_data - (1 - share) * on_draws - self.anchor * likelihood
        return loss, {"rival_log_density": likelihood}
