"""Denoising at all levels of noise, of a network as a score first and as an energy then."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from energax.energy import AbstractNoisy
from energax.objective.base import AbstractObjective, Aux

Batch = Float[Array, " batch *shape"]


class LogNormalDenoising(AbstractObjective):
    """Denoising at noise levels with log s ~ N(log(`middle`), `spread`^2), weighted to unit size.

    mean over rows of |D(x + s z, s) - x|^2 / (c_out^2 dim),  c_out^2 = s^2 d^2 / (s^2 + d^2)

    D = x + s^2 score is the denoised row, d the standard deviation of the rows. At the optimum the
    energy at s is that of x + s z, up to a constant for each s, unless `time_weight` fixes it: then

    `time_weight` (t dE/dt / dim - 1/2 (1 - |z|^2 / dim))^2,  t = s^2

    is added, at whose optimum the energy is normalised at every s, up to one constant for all.

    The gradient of an energy costs three times that of a score in training. So the network of a
    `PreconditionedEnergy` is trained as a score for the first `score_updates` updates: memory
    counts them. Without a memory (None) it is an energy.

    Args:
        std: d.
        middle: the median noise level.
        spread: the standard deviation of log s.
        score_updates: updates as a score.
        time_weight: the weight of the time derivative.

    Raises:
        ValueError: for a `std`, `middle` or `spread` not above 0, or a negative other number.

    Source: Karras et al. (2022), table 1 (`middle` 0.3 and `spread` 1.2 for d = 0.5); Guth,
    Kadkhodaie and Simoncelli (2025) for the time derivative.

    Example:
        >>> model = ex.energy.PreconditionedEnergy(lambda u, s: 0 * u, jnp.zeros(2), 1.0)
        >>> objective = ex.objective.LogNormalDenoising(1.0, middle=0.6)
        >>> float(objective(model, jnp.zeros((4, 2)), None, key=key)[0]) < 1  # rows of no spread
        True
    """

    spreads: ClassVar[bool] = True

    std: float
    middle: float
    spread: float = 1.2
    score_updates: int = eqx.field(static=True, default=0)
    time_weight: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        for name in ("std", "middle", "spread"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0; got {getattr(self, name)}.")
        for name in ("score_updates", "time_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0; got {getattr(self, name)}.")

    def init(self, energy: Any, rows: Batch, *, key: PRNGKeyArray) -> Int[Array, ""]:
        return jnp.zeros((), jnp.int32)

    def __call__(
        self,
        energy: Any,
        batch: Shaped[Array, " batch *shape"],
        memory: Int[Array, ""] | None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        choose, blur = jax.random.split(key)
        normal = jax.random.normal(choose, (len(batch),), batch.dtype)
        noise = self.middle * jnp.exp(self.spread * normal)
        z = jax.random.normal(blur, batch.shape, batch.dtype)
        found = {"denoising": jnp.zeros((), batch.dtype), "time": jnp.zeros((), batch.dtype)}
        if memory is None:
            found = self._train_energy(energy, batch, noise, z)
        else:
            found = jax.lax.cond(
                memory < self.score_updates,
                lambda: found | {"denoising": self._denoise(energy.as_score(), batch, noise, z)},
                lambda: self._train_energy(energy, batch, noise, z),
            )
            memory = memory + 1
        loss = found["denoising"] + self.time_weight * found["time"]
        return loss, Aux(memory, {"loss": loss, **found})

    def _denoise(self, model: AbstractNoisy, batch: Batch, noise: Array, z: Batch) -> Array:
        scores = jax.vmap(model.score)(batch + _each(noise, z) * z, noise)
        return self._miss(scores, noise, z)

    def _miss(self, scores: Batch, noise: Array, z: Batch) -> Array:
        """(D - x) / c_out = (s score + z) sqrt(s^2 + d^2) / d, squared, its mean over all axes."""
        scale = jnp.sqrt(noise**2 + self.std**2) / self.std
        return jnp.mean((_each(scale, z) * (_each(noise, z) * scores + z)) ** 2)

    def _train_energy(self, energy: Any, batch: Batch, noise: Array, z: Batch) -> dict[str, Array]:
        if not self.time_weight:
            denoised = self._denoise(energy, batch, noise, z)
            return {"denoising": denoised, "time": jnp.zeros((), batch.dtype)}
        slopes, rates = jax.vmap(jax.grad(energy, argnums=(0, 1)))(
            batch + _each(noise, z) * z, noise
        )
        dim = z[0].size
        # t dE/dt = s / 2 dE/ds
        rate = noise * rates / (2 * dim)
        aim = (1 - jnp.sum(z.reshape(len(z), -1) ** 2, axis=1) / dim) / 2
        return {"denoising": self._miss(-slopes, noise, z), "time": jnp.mean((rate - aim) ** 2)}


def _each(scale: Float[Array, " batch"], rows: Batch) -> Array:
    """One number for each row, in the rank of the rows."""
    return scale.reshape(-1, *(1,) * (rows.ndim - 1))
