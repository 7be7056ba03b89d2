"""Sampling by few, large steps down the noise levels: Heun's method on the probability flow."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from energax.devices import spread
from energax.energy import AbstractNoisy
from energax.sampler.levels import Noises, validate_levels

POWER = 7.0
"""Levels are evenly spaced in this root of the noise."""


def power_levels(
    sigma_max: float, sigma_min: float, count: int, power: float = POWER
) -> Float[np.ndarray, " count"]:
    """Noise levels for a solver of few steps, highest first: evenly spaced in s^(1 / power).

    Source: Karras et al. (2022), eq. 5.

    Example:
        >>> ex.sampler.power_levels(9.0, 1.0, 3, power=2.0).tolist()
        [9.0, 4.0, 1.0]
    """
    if not sigma_max > sigma_min > 0:
        raise ValueError(
            f"`sigma_max` must be above `sigma_min`, both above 0; got {sigma_max} and {sigma_min}."
        )
    if count < 2:
        raise ValueError(f"`count` must be at least 2; got {count}.")
    return np.linspace(sigma_max ** (1 / power), sigma_min ** (1 / power), count) ** power


def heun_flow(
    model: AbstractNoisy,
    noises: Noises,
    starts: Float[Array, " count *shape"],
    churn: float = 0.0,
    *,
    key: PRNGKeyArray,
) -> Float[Array, " count *shape"]:
    """Heun's method down the noise levels: two scores a step, of second order.

    From s to t < s: e = -s score(x, s), x' = x + (t - s) e, then x + (t - s) (e + e') / 2 with e'
    at x' and t. With `churn` > 0 each step first adds noise, from s to s (1 + churn / steps), at
    most by the factor sqrt(2): errors of earlier steps are forgotten.

    Args:
        noises: Standard deviations, highest first; see `power_levels`.
        starts: Draws of the distribution at noises[0], near N(0, s^2 + variance of the data).

    Returns:
        A row for each start, which carries the noise of the last level; `energy.denoise` removes
        it.

    Raises:
        ValueError: for a negative `churn`, or `noises` that do not fall or are not above 0.

    Trap: few steps leave a bias that nothing reports; compare with twice as many.
    Source: Karras et al. (2022), algorithms 1 and 2.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> levels, starts = ex.sampler.power_levels(3.0, 1.0, 17), jnp.full((1, 2), 10**0.5)
        >>> ex.sampler.heun_flow(model, levels, starts, key=key).round(2).tolist()
        [[1.41, 1.41]]
    """
    if churn < 0:
        raise ValueError(f"`churn` must be at least 0; got {churn}.")
    levels = validate_levels(noises, starts.dtype)
    grow = min(churn / (len(levels) - 1), 2**0.5 - 1)
    return _descend(model, levels, starts, jnp.asarray(grow, starts.dtype), key)


@eqx.filter_jit
def _descend(
    model: AbstractNoisy,
    levels: Float[Array, " levels"],
    starts: Float[Array, " count *shape"],
    grow: Float[Array, ""],
    key: PRNGKeyArray,
) -> Float[Array, " count *shape"]:
    def step(x: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
        noise, less, key = now
        z = jax.random.normal(key, x.shape, x.dtype)
        more = noise * (1 + grow)
        x = x + noise * jnp.sqrt(grow * (2 + grow)) * z  # variance more^2 - noise^2
        first = -more * model.score(x, more)
        then = -less * model.score(x + (less - more) * first, less)
        return x + (less - more) * (first + then) / 2, None

    def one(x: Array, key: PRNGKeyArray) -> Array:
        keys = jax.random.split(key, len(levels) - 1)
        return jax.lax.scan(step, x, (levels[:-1], levels[1:], keys))[0]

    return jax.vmap(one)(spread(starts, len(starts)), jax.random.split(key, len(starts)))
