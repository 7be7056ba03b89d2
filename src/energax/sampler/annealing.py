"""Annealed Langevin dynamics: from the highest noise level to the lowest."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractNoisy
from energax.sampler.base import nothing, run
from energax.sampler.langevin import Langevin


def geometric_levels(
    sigma_max: float, sigma_min: float, levels: int
) -> Float[np.ndarray, " levels"]:
    """Noise levels with a constant ratio, from `sigma_max` down to `sigma_min`.

    Raises:
        ValueError: unless sigma_max > sigma_min > 0 and there are at least 2 levels.

    Example:
        >>> ex.sampler.geometric_levels(4.0, 0.25, 5).round(6).tolist()
        [4.0, 2.0, 1.0, 0.5, 0.25]
    """
    if not (sigma_max > sigma_min > 0 and levels >= 2):
        raise ValueError(
            f"Levels go from `sigma_max` down to `sigma_min` above 0, at least 2 of them; got "
            f"{sigma_max}, {sigma_min} and {levels}."
        )
    return np.geomspace(sigma_max, sigma_min, levels)


@eqx.filter_jit
def anneal(
    model: AbstractNoisy,
    noises: Sequence[float] | Float[ArrayLike, " levels"],
    starts: Float[Array, " count *shape"],
    steps: int,
    step_size: float,
    *,
    key: PRNGKeyArray,
) -> Float[Array, " count *shape"]:
    """Annealed Langevin dynamics: chains at each of `noises` in turn, `steps` steps each.

    x' = x + h score(x, s) + sqrt(2 h) z with h = `step_size` (s / s_last)^2, so that each level
    moves equally far in units of its own noise.

    Args:
        model: Energy or score at many noise levels.
        noises: Standard deviations s, highest first; see `geometric_levels`.
        starts: Draws of N(0, s_first^2), close to the noisy data where s_first is far broader than
            the data. There the modes merge, so each later gets its share of the chains; at the
            lowest level alone a chain stays in the mode where it started.
        step_size: h at the last level.

    Returns:
        The last state of each chain.

    Trap: draws carry the noise of the last level; `energy.denoise` removes it. Source: Song and
    Ermon (2019), algorithm 1, where the step is our 2 h; Song and Kingma (2021), section 4.4.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> levels, starts = ex.sampler.geometric_levels(4.0, 0.5, 3), jnp.zeros((5, 2))
        >>> ex.sampler.anneal(model, levels, starts, 2, 0.1, key=key).shape
        (5, 2)
    """
    levels = jnp.asarray(noises, starts.dtype)
    plain = Langevin(step_size)

    def descend(x: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        noise, key = now
        h = (step_size * (noise / levels[-1]) ** 2).astype(plain.step_size.dtype)
        sampler = eqx.tree_at(_numbers, plain, (h, jnp.sqrt(2 * h)))
        return run(sampler, model.at(noise), x, steps, key=key, keep=nothing)[0].x, None

    def one(x: Array, key: PRNGKeyArray) -> Array:
        return jax.lax.scan(descend, x, (levels, jax.random.split(key, len(levels))))[0]

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))


def _numbers(sampler: Langevin) -> Any:
    return sampler.step_size, sampler.noise
