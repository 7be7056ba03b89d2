"""Maximum likelihood whose gradient has no bias: the model's side by pairs of chains that meet."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy, stop_gradient
from energax.objective.base import AbstractMemoryless, Aux
from energax.sampler import CoupledLangevin, check_span, unbiased

Batch = Float[Array, " batch *shape"]


class CoupledLikelihood(AbstractMemoryless):
    """mean E(data) - signed mean E(pairs of chains), whose mean gradient is that of the likelihood.

    `pairs` pairs start afresh at each update; `burn`, `last` and `limit` are those of
    `sampler.unbiased`, and limit + 1 - burn points of each chain enter. Exact however short the
    chains, so long as they meet: metric `unmet` is the share of pairs that did not, `meeting` the
    mean step at which they do. A good `burn` is a step by which most pairs have met, and `last`
    a few times that: earlier, the corrections make the variance large; later, they cost time.

    Trap: pairs that have not met bring the bias of a short chain back. Near-Gaussian energies of 16
    axes meet by mirrored steps alone; several modes meet only by jumps, and so only with a base
    distribution close enough for its draws to be taken, which in many dimensions none is. Source:
    Qiu, Zhang and Wang (2020), who train Boltzmann machines by Gibbs steps, on the chains of Jacob,
    O'Leary and Atchade (2020).
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
            return unbiased(self.kernel, frozen, self.burn, self.last, self.limit, key=key)

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
