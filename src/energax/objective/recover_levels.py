"""Recovery likelihood at many noise levels: each level is trained given the next broader one."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractNoisy, stop_gradient
from energax.objective.base import AbstractMemoryless, Aux
from energax.sampler import AbstractSampler, denoise_step

Batch = Float[Array, " batch *shape"]


class MultiLevelRecovery(AbstractMemoryless):
    """Likelihood of x + s z given x + s z + sqrt(t^2 - s^2) z', for neighbours s < t of `noises`.

    By Bayes' rule the cleaner row given the noisier one has the energy E(x, s) + |x - noisier|^2 /
    (2 (t^2 - s^2)): one mode where the levels are close, which chains from the noisier row reach.
    Loss: mean E(cleaner, s) - mean E(chain, s), the pair of levels drawn evenly for each row. At
    the minimiser E(x, s) is that of x + s z at every level but the highest, which has no energy of
    its own: `sampler.recover` starts there from a Gaussian.

    Args:
        sampler: Moves in units of the noise between the two levels, so that one step size suits all
            of them: a Langevin step h is h (t^2 - s^2) in the units of the rows.
        noises: At least 2 different standard deviations, in any order.
        steps: Steps of each chain.

    Raises:
        ValueError: for fewer than 2 `noises`, equal ones or one not above 0; for `steps` below 1.

    Trap: the bias of a short chain is learned in reverse: E(x, s) is right only as far as the chain
    reaches its distribution. A `NoisyScore` has no energy and learns nothing. Source: Gao et al.
    (2021), sections 3.2-3.4. They scale the rows from level to level to keep their variance, take x
    itself as the lowest level, and weight the levels; we do none of these.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> objective = ex.objective.MultiLevelRecovery(ex.sampler.Langevin(0.1), [0.5, 1.0], 5)
        >>> objective(model, jnp.ones((4, 2)), None, key=key)[0].shape
        ()
    """

    sampler: AbstractSampler
    noises: Float[Array, " levels"]
    steps: int = eqx.field(static=True)

    def __init__(
        self,
        sampler: AbstractSampler,
        noises: Sequence[float] | Float[ArrayLike, " levels"],
        steps: int = 20,
    ):
        levels = np.asarray(noises, np.float64)
        if levels.ndim != 1 or levels.size < 2 or not np.all(levels > 0):
            raise ValueError(f"`noises` must be at least 2 numbers above 0; got {noises}.")
        if len(np.unique(levels)) != levels.size:
            raise ValueError(f"`noises` must all differ; got {noises}.")
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {steps}.")
        self.sampler, self.steps = sampler, steps
        self.noises = jnp.asarray(np.sort(levels)[::-1], jnp.result_type(float))

    def __call__(
        self, energy: AbstractNoisy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        choose, blur, more, move = jax.random.split(key, 4)
        levels = jax.lax.stop_gradient(self.noises).astype(batch.dtype)
        pick = jax.random.randint(choose, (len(batch),), 1, len(levels))
        noise = levels[pick]
        added = jnp.sqrt(levels[pick - 1] ** 2 - noise**2)
        frozen = stop_gradient(energy)

        def rows(x: Array, z: Array, further: Array, s: Array, a: Array) -> tuple[Array, Array]:
            cleaner = x + s * z
            return cleaner, cleaner + a * further

        def walk(noisier: Array, s: Array, a: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            x, info = denoise_step(self.sampler, frozen.at(s), noisier, a, self.steps, key=k)
            return x, info.acceptance

        z = jax.random.normal(blur, batch.shape, batch.dtype)
        further = jax.random.normal(more, batch.shape, batch.dtype)
        data, noisier = jax.vmap(rows)(batch, z, further, noise, added)
        keys = jax.random.split(move, len(batch))
        model, accepted = jax.vmap(walk)(noisier, noise, added, keys)
        value = jax.vmap(lambda x, s: energy.at(s)(x))
        up = jnp.mean(value(data, noise))
        down = jnp.mean(value(jax.lax.stop_gradient(model), noise))
        parts = {
            "loss": up - down,
            "energy_data": up,
            "energy_chain": down,
            "acceptance": jnp.mean(accepted),
        }
        return up - down, Aux(memory, parts)
