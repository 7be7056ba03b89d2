"""Recovery sampling: from each noise level to the next, the cleaner row given the noisier one."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractNoisy, Energy, Posterior
from energax.sampler.base import AbstractSampler, Info, run, trace
from energax.sampler.levels import Noises, validate_levels


def denoise_step(
    sampler: AbstractSampler,
    energy: Energy,
    noisier: Float[Array, "*shape"],
    added: Float[Array, ""],
    steps: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Float[Array, "*shape"], Info]:
    """Sample a row given a noisier one, by a chain that starts at the noisier one.

    Its target is exp(-E(x) - |x - noisier|^2 / (2 added^2)).

    Args:
        energy: E of rows at the lower noise level.
        added: Standard deviation of the noise between the two levels. The chain moves in units of
            it, so a step size h of `sampler` is h added^2 in the units of the rows.

    Returns:
        The last position and the diagnostics of the last step.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> x, _ = ex.sampler.denoise_step(walk, energy, jnp.ones(2), jnp.asarray(0.5), 5, key=key)
        >>> x.shape
        (2,)
    """
    goal = Posterior(energy, noisier, added)
    begin = jnp.zeros_like(noisier)
    state, info = run(sampler, goal, begin, steps, key=key, keep=trace, thin=steps)
    return goal.row(state.x), jax.tree.map(lambda leaf: leaf[-1], info)


def recover(
    sampler: AbstractSampler,
    model: AbstractNoisy,
    noises: Noises,
    starts: Float[Array, " count *shape"],
    steps: int,
    *,
    key: PRNGKeyArray,
) -> Float[Array, " count *shape"]:
    """Sample a `MultiLevelRecovery` model: `steps` recovery steps between neighbouring `noises`.

    Args:
        sampler, steps: Those of training.
        noises: Standard deviations, highest first; see `geometric_levels`.
        starts: Draws of the distribution at noises[0]: near N(0, s^2 + variance of the data) where
            s is far broader than the data. The energy at that level is never evaluated.

    Returns:
        A row for each start, which carries the noise of the last level.

    Raises:
        ValueError: for `steps` below 1, or `noises` that do not fall or are not above 0.

    Trap: a chain too short to forget the noisier row leaves the draws too wide. Source: Gao et al.
    (2021), algorithm 2.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> walk, starts = ex.sampler.Langevin(0.1), jnp.zeros((5, 2))
        >>> ex.sampler.recover(walk, model, [2.0, 1.0, 0.5], starts, 2, key=key).shape
        (5, 2)
    """
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1; got {steps}.")
    return _recover(sampler, model, validate_levels(noises, starts.dtype), starts, steps, key)


@eqx.filter_jit
def _recover(
    sampler: AbstractSampler,
    model: AbstractNoisy,
    levels: Float[Array, " levels"],
    starts: Float[Array, " count *shape"],
    steps: int,
    key: PRNGKeyArray,
) -> Float[Array, " count *shape"]:
    def descend(x: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
        noise, less, key = now
        added = jnp.sqrt(noise**2 - less**2)
        return denoise_step(sampler, model.at(less), x, added, steps, key=key)[0], None

    def one(x: Array, key: PRNGKeyArray) -> Array:
        keys = jax.random.split(key, len(levels) - 1)
        return jax.lax.scan(descend, x, (levels[:-1], levels[1:], keys))[0]

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))
