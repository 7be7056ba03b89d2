"""Denoising score matching: the score at a noisy row points back to the clean row."""

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
    """Denoising score matching at one noise level: mean 1/2 |z / s - dE/dx(x + s z)|^2.

    z ~ N(0, I) and s = `noise`.

    Args:
        noise: s, in the units of the rows.
        control_variate: Subtract 1/2 (|z|^2 / s^2 - d / s^2 - (2 / s) z . dE/dx(x)), a zero-mean
            control variate. For small s it removes nearly all of the variance, which grows as
            1 / s^2. It hurts where s is comparable to the scale of the data: the gradient at the
            clean row then says little about that at the noisy one.

    Raises:
        ValueError: for a `noise` not above 0.

    Trap: the optimum is the distribution of the *noisy* data x + s z, not of the data; a small s
    reduces this bias. Source: Vincent (2011); Song and Kingma (2021), eq. 11 and 13-14 (Wang et al.
    2020).

    Example:
        >>> objective = ex.objective.DenoisingScoreMatching(noise=0.1, control_variate=True)
        >>> flat, rows = lambda x: 0 * jnp.sum(x), jnp.ones((4, 2))
        >>> round(float(objective(flat, rows, None, key=key)[0]), 6)
        100.0
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
        return loss, Aux(memory, {"loss": loss, "input_grad_norm": size})


class MultiLevelDenoising(AbstractMemoryless):
    """Denoising score matching at many noise levels: mean s^2 / 2 |z / s + score(x + s z, s)|^2.

    s is drawn evenly from `noises` for each row; the weight s^2 balances the levels. For a model
    that takes the noise level (`NoisyEnergy`, `NoisyScore`). At the optimum it is the distribution
    of x + s z at every level. The broad levels see the weights of modes, which no single fine level
    does.

    Args:
        noises: Standard deviations s, in the units of the rows.
        variance_preserving: Scale x by sqrt(1 - s^2) first, so that data of unit variance keep it;
            all s below 1.
        antithetic: Use each row with z and with -z: odd terms in z cancel, which is most of the
            variance at the lowest levels, at twice the cost.

    Raises:
        ValueError: for `noises` not above 0, or not below 1 where the variance is preserved.

    Trap: levels that do not overlap leave gaps that chains cannot cross: use ratios of 0.6 to 0.8
    in few dimensions, nearer 1 in many. Source: Song and Ermon (2019), eq. 5-6; Ho, Jain and Abbeel
    (2020) for `variance_preserving`; Song and Kingma (2021), section 4.4.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 * s**2), (2,))
        >>> objective = ex.objective.MultiLevelDenoising([2.0, 1.0, 0.5])
        >>> round(float(objective(model, jnp.zeros((4, 2)), None, key=key)[0]), 6)
        0.0
    """

    noises: Float[Array, " levels"]
    variance_preserving: bool = eqx.field(static=True)
    antithetic: bool = eqx.field(static=True)

    def __init__(
        self,
        noises: Sequence[float] | Float[ArrayLike, " levels"],
        variance_preserving: bool = False,
        antithetic: bool = False,
    ):
        levels = np.asarray(noises, np.float64)
        if levels.ndim != 1 or levels.size == 0 or not np.all(levels > 0):
            raise ValueError(f"`noises` must be a list of numbers above 0; got {noises}.")
        if variance_preserving and not np.all(levels < 1):
            raise ValueError(f"`noises` must be below 1 to preserve the variance; got {noises}.")
        self.noises = jnp.asarray(levels, jnp.result_type(float))
        self.variance_preserving, self.antithetic = variance_preserving, antithetic

    def __call__(
        self, energy: AbstractNoisy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        choose, blur = jax.random.split(key)
        levels = jax.lax.stop_gradient(self.noises).astype(batch.dtype)
        noise = levels[jax.random.randint(choose, (len(batch),), 0, len(levels))]
        z = jax.random.normal(blur, batch.shape, batch.dtype)

        def one(x: Array, z: Array, s: Array) -> Array:
            clean = x * jnp.sqrt(1 - s**2) if self.variance_preserving else x
            return jnp.sum((z + s * energy.score(clean + s * z, s)) ** 2) / 2

        loss = jnp.mean(jax.vmap(one)(batch, z, noise))
        if self.antithetic:
            loss = (loss + jnp.mean(jax.vmap(one)(batch, -z, noise))) / 2
        return loss, Aux(memory, {"loss": loss})
