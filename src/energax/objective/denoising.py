"""Denoising score matching: the slope of the energy points from a noisy row back to the clean."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractNoisy, Energy
from energax.objective.base import AbstractMemoryless, Aux

Batch = Float[Array, " batch *shape"]


class DenoisingScoreMatching(AbstractMemoryless):
    """mean 1/2 |z / s - dE/dx(x + s z)|^2 with z ~ N(0, I) and s = `noise`.

    With `control_variate`, 1/2 (|z|^2 / s^2 - d / s^2 - (2 / s) z . dE/dx(x)) is taken off: its
    mean is 0, and for small s it carries nearly all of the variance, which grows as 1 / s^2. It
    hurts where s is comparable to the scale of the data, for the slope at the clean row then says
    little about that at the noisy one.

    Trap: the optimum is the distribution of the *noisy* data x + s z, not of the data; small s
    lessens this. Source: Vincent (2011); Song and Kingma (2021), eq. 11 and 13-14 (Wang et al.
    2020).
    """

    noise: float = 0.1
    control_variate: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if not self.noise > 0:
            raise ValueError(f"`noise` must be above 0; got {self.noise}.")

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


class MultiLevelDenoising(AbstractMemoryless):
    """mean s^2 / 2 |z / s + score(x + s z, s)|^2, s drawn evenly from `noises` for each row.

    For an energy or a score that knows the noise (`NoisyEnergy`, `NoisyScore`). The weight s^2
    makes the levels count alike. At its optimum the model is the distribution of x + s z at every
    level, and of the data as the finest falls; the broad levels see the shares of modes, which no
    single fine level does. With `preserving`, x is shrunk by sqrt(1 - s^2) first, so that data of
    unit variance keep it (all s below 1). With `mirrored`, each row is seen with z and with -z:
    what is odd in z cancels, most of the noise at the finest levels, at twice the cost.

    Trap: levels that do not overlap leave gaps that chains cannot cross: ratios of 0.6 to 0.8 in
    few dimensions, nearer 1 in many. Source: Song and Ermon (2019), eq. 5-6; `preserving`: Ho, Jain
    and Abbeel (2020); Song and Kingma (2021), section 4.4.
    """

    noises: Float[Array, " levels"]
    preserving: bool = eqx.field(static=True)
    mirrored: bool = eqx.field(static=True)

    def __init__(
        self,
        noises: Sequence[float] | Float[ArrayLike, " levels"],
        preserving: bool = False,
        mirrored: bool = False,
    ):
        levels = np.asarray(noises, np.float64)
        if levels.ndim != 1 or levels.size == 0 or not np.all(levels > 0):
            raise ValueError(f"`noises` must be a list of numbers above 0; got {noises}.")
        if preserving and not np.all(levels < 1):
            raise ValueError(f"`noises` must be below 1 to preserve the variance; got {noises}.")
        self.noises = jnp.asarray(levels, jnp.result_type(float))
        self.preserving, self.mirrored = preserving, mirrored

    def __call__(
        self, energy: AbstractNoisy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        choose, blur = jax.random.split(key)
        levels = jax.lax.stop_gradient(self.noises).astype(batch.dtype)
        noise = levels[jax.random.randint(choose, (len(batch),), 0, len(levels))]
        z = jax.random.normal(blur, batch.shape, batch.dtype)

        def one(x: Array, z: Array, s: Array) -> Array:
            clean = x * jnp.sqrt(1 - s**2) if self.preserving else x
            return jnp.sum((z + s * energy.score(clean + s * z, s)) ** 2) / 2

        loss = jnp.mean(jax.vmap(one)(batch, z, noise))
        if self.mirrored:
            loss = (loss + jnp.mean(jax.vmap(one)(batch, -z, noise))) / 2
        return loss, Aux(memory, {"loss": loss})
