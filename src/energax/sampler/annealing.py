"""Annealed Langevin: from the broadest level of noise to the finest, so that modes get shares."""

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


def geometric(broadest: float, finest: float, levels: int) -> Float[np.ndarray, " levels"]:
    """Levels of noise whose ratio is constant, broadest first: what `anneal` walks down."""
    if not (broadest > finest > 0 and levels >= 2):
        raise ValueError(
            f"Levels go from `broadest` down to `finest` above 0, at least 2 of them; got "
            f"{broadest}, {finest} and {levels}."
        )
    return np.geomspace(broadest, finest, levels)


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
    """Langevin chains at each of `noises` in turn, `steps` steps each; the last states.

    The step at noise s is `step_size` (s / s_last)^2, so each level moves as far in units of its
    own noise: x' = x + h score + sqrt(2 h) z. Start from N(0, s_first^2), which is near the
    distribution at a noise far broader than the data. There the modes are one cloud and get the
    right shares; at the finest level alone a chain keeps the mode that it started in.

    Trap: draws carry the noise of the last level; `denoised` takes it off. Source: Song and Ermon
    (2019), algorithm 1, where the step is our 2 h; Song and Kingma (2021), section 4.4.
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
