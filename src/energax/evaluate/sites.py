"""Annealing of bits and categories: discrete Langevin moves, and jumps to base draws."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, Shaped, UInt8

from energax.energy import AbstractEnergy, SiteMixture, fit_site_mixture, float_dtype
from energax.evaluate.kernel import AbstractKernel, check_tries, jump, vary
from energax.evaluate.path import AbstractPath
from energax.evaluate.problem import AbstractProblem
from energax.sampler import DiscreteLangevin, Info, State
from energax.space import AbstractFinite

COMPONENTS = 16
"""Most components of the mixture that is fitted to settled draws."""

ROWS = 64
"""Draws that a component needs at least."""


class SiteKernel(AbstractKernel):
    """A jump to base draws, then `leaps` adjusted discrete Langevin steps.

    `tries`: base draws offered to each particle.
    """

    leaps: int = eqx.field(static=True)
    tries: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_tries(self.leaps, self.tries)

    def __call__(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        step_size: Float[Array, ""],
        x: UInt8[Array, " size *shape"],
        jumps: Bool[Array, ""],
        shortest: Float[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> tuple[State, Info]:
        energy, plain = path.at(time), DiscreteLangevin(1.0)

        def one(x: UInt8[Array, "*shape"], key: PRNGKeyArray) -> tuple[State, Info]:
            leave, shake, first, go = jax.random.split(key, 4)
            x = jump(path, time, x, jumps, self.tries, key=leave)
            step = vary(step_size, shortest, key=shake)
            sampler = eqx.tree_at(lambda made: made.step_size, plain, step)

            def leap(state: State, key: PRNGKeyArray) -> tuple[State, Array]:
                state, info = sampler.step(energy, state, key=key)
                return state, info.acceptance

            start = sampler.init(energy, x, key=first)
            state, taken = jax.lax.scan(leap, start, jax.random.split(go, self.leaps))
            value = energy(state.x)
            return State(state.x), Info(jnp.mean(taken), value, jnp.zeros_like(value))

        return jax.vmap(one)(x, jax.random.split(key, len(x)))


def loosen(
    x: UInt8[Array, " size *shape"],
    fresh: UInt8[Array, " size *shape"],
    broad: float,
    *,
    key: PRNGKeyArray,
) -> UInt8[Array, " size *shape"]:
    """Each site is that of `fresh` with a probability from 0 to 1 - 1 / `broad`, one an example."""
    how, where = jax.random.split(key)
    kept = broad ** -jax.random.uniform(how, (len(x), *(1,) * (x.ndim - 1)))
    return jnp.where(jax.random.uniform(where, x.shape) < kept, x, fresh)


def fit_sites_mixture(
    x: UInt8[np.ndarray, " size *shape"], space: AbstractFinite, energy: AbstractEnergy
) -> SiteMixture:
    """A mixture of independent sites near `x`, in the precision of an energy."""
    components = int(np.clip(len(x) // ROWS, 1, COMPONENTS))
    found = fit_site_mixture(x, space, components, restarts=1)
    dtype = float_dtype(energy)
    return SiteMixture(found.log_weights.astype(dtype), found.logits.astype(dtype), space)


def mix_sites(first: SiteMixture, second: SiteMixture, share: float = 0.2) -> SiteMixture:
    """The components of both, the second with `share` of the weight."""
    both = (
        jax.nn.log_softmax(first.log_weights) + np.log(1 - share).item(),
        jax.nn.log_softmax(second.log_weights) + np.log(share).item(),
    )
    logits = jnp.concatenate([first.logits, second.logits])
    return SiteMixture(jnp.concatenate(both), logits, first.space)


class SiteProblem(AbstractProblem):
    """Annealing of bits or categories."""

    path: AbstractPath
    target: AbstractEnergy
    space: AbstractFinite = eqx.field(static=True)

    def lift(
        self, rows: Shaped[Array, " rows *shape"], *, key: PRNGKeyArray
    ) -> UInt8[Array, " rows *shape"]:
        return check_states(rows, self.space)

    def make_kernel(self, x: UInt8[Array, " size *shape"], leaps: int, tries: int) -> SiteKernel:
        return SiteKernel(leaps, tries)

    def spread(
        self, x: UInt8[Array, " size *shape"], broad: float, *, key: PRNGKeyArray
    ) -> UInt8[Array, " size *shape"]:
        """Some sites are drawn again, all states alike: of independent sites, a flatter base."""
        where, what = jax.random.split(key)
        fresh = jax.vmap(lambda k: self.space.draw(key=k))(jax.random.split(what, len(x)))
        return loosen(x, fresh, broad, key=where)

    def fit(self, x: UInt8[np.ndarray, " size *shape"]) -> SiteMixture:
        return fit_sites_mixture(x, self.space, self.target)

    def mix(self, first: SiteMixture, second: SiteMixture) -> SiteMixture:
        return mix_sites(first, second)


def check_states(
    rows: Shaped[Array, " rows *shape"], space: AbstractFinite
) -> UInt8[Array, " rows *shape"]:
    """The rows as bytes; ValueError where a value is no state of the space."""
    if not bool(jnp.all(jax.vmap(space.contains)(rows))):
        raise ValueError(
            f"`rows` must be whole numbers from 0 to {space.states - 1}, examples of the energy."
        )
    return rows.astype(space.dtype)
