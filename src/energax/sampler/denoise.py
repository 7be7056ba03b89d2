"""Walking down the levels of noise by recovery: at each, the cleaner row given the noisier one."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractNoisy, Energy, Posterior
from energax.sampler.base import AbstractSampler, Info, run, trace
from energax.sampler.levels import Noises, falling


def cleaned(
    sampler: AbstractSampler,
    energy: Energy,
    noisier: Float[Array, "*shape"],
    added: Float[Array, ""],
    steps: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Float[Array, "*shape"], Info]:
    """A cleaner row from a chain that starts at the noisier one; what the last step reported.

    The chain walks in units of the noise between the two, u = (x - noisier) / added, so a step
    size h of `sampler` is h added^2 in the units of the rows at every level.
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
    """From the broadest of `noises` to the finest, `steps` steps of recovery from each to the next.

    `starts`: draws of the distribution at noises[0], whose energy is never asked for: near
    N(0, s^2 + variance of the data) where s is far broader than the data. Draws carry the noise of
    the last level. How `MultiLevelRecovery` models are drawn from, with the settings of training.

    Trap: `model` needs energies that differ in the right way within a level; a chain too short to
    forget the noisier row leaves draws too wide. Source: Gao et al. (2021), algorithm 2.
    """
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1; got {steps}.")
    return _recovered(sampler, model, falling(noises, starts.dtype), starts, steps, key)


@eqx.filter_jit
def _recovered(
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
        return cleaned(sampler, model.at(less), x, added, steps, key=key)[0], None

    def one(x: Array, key: PRNGKeyArray) -> Array:
        keys = jax.random.split(key, len(levels) - 1)
        return jax.lax.scan(descend, x, (levels[:-1], levels[1:], keys))[0]

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))
