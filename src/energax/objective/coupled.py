"""Maximum likelihood with an unbiased gradient: the model term by coupled chains."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy, stop_gradient
from energax.objective.base import AbstractMemoryless, Aux
from energax.sampler import CoupledLangevin, check_span, run_coupled

Batch = Float[Array, " batch *shape"]


class CoupledLikelihood(AbstractMemoryless):
    """Maximum likelihood by coupled chains: its mean gradient is exactly that of the likelihood.

    loss = mean E(data) - signed mean E(pairs of chains). Unbiased however short the chains, as long
    as they meet.

    Args:
        kernel: Moves both chains of a pair, and says where they start.
        burn, last, limit: Those of `sampler.run_coupled`; limit + 1 - burn points of each chain are
            used. Choose `burn` so that most pairs have met by then, and `last` a few times that:
            smaller values make the variance large, larger ones cost time.
        pairs: Pairs of chains, new at each update.

    Raises:
        ValueError: unless 1 <= burn <= last <= limit and there is a pair.

    Metrics: "unmet", the share of pairs that did not meet, and "meeting", their mean meeting time.

    Trap: pairs that have not met bring back the bias of a short chain. Near-Gaussian energies of 16
    axes meet by reflection alone; chains in different modes meet only by jumps, and so only with a
    base distribution close enough for its draws to be accepted, which in many dimensions none is.
    Source: Qiu, Zhang and Wang (2020), who train Boltzmann machines by Gibbs steps, on the chains
    of Jacob, O'Leary and Atchade (2020).

    Example:
        >>> energy = ex.energy.Gaussian(jnp.zeros(2))
        >>> objective = ex.objective.CoupledLikelihood(ex.sampler.CoupledLangevin(energy, 0.5))
        >>> float(objective(energy, jnp.ones((4, 2)), None, key=key)[1].metrics["energy_data"])
        1.0
    """

    kernel: CoupledLangevin
    burn: int = eqx.field(static=True, default=6)
    last: int = eqx.field(static=True, default=12)
    limit: int = eqx.field(static=True, default=30)
    pairs: int = eqx.field(static=True, default=128)

    def __check_init__(self):
        check_span(self.burn, self.last, self.limit)
        if self.pairs < 1:
            raise ValueError(f"`pairs` must be at least 1; got {self.pairs}.")

    def __call__(
        self,
        energy: Energy,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        frozen = stop_gradient(energy)

        def walk(key: PRNGKeyArray) -> tuple:
            return run_coupled(self.kernel, frozen, self.burn, self.last, self.limit, key=key)

        signed, meeting = jax.lax.stop_gradient(jax.vmap(walk)(jax.random.split(key, self.pairs)))
        on_model = jax.vmap(jax.vmap(energy))(signed.x)
        up = jnp.mean(jax.vmap(energy)(batch))
        down = jnp.mean(jnp.sum(signed.weight * on_model, axis=1))
        metrics = {
            "loss": up - down,
            "energy_data": up,
            "energy_chain": down,
            "acceptance": jnp.mean(meeting.acceptance),
            "meeting": jnp.mean(meeting.time.astype(down.dtype)),
            "unmet": jnp.mean((~meeting.met).astype(down.dtype)),
        }
        return up - down, Aux(memory, metrics)
