"""Annealing of rows of numbers and categories: Gibbs sweeps over columns, and jumps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from energax.energy import AbstractEnergy, ColumnMixture, fit_columns
from energax.evaluate.kernel import AbstractKernel, check_tries, jump
from energax.evaluate.path import AbstractPath
from energax.evaluate.problem import AbstractProblem
from energax.sampler import ColumnGibbs, Info, State

COMPONENTS = 16
"""Most components of the mixture that is fitted to settled draws; at least two."""

ROWS = 64
"""Draws that a component needs at least."""

DRAWS = 8
"""Proposals for a number in a sweep."""

Particles = Float[Array, " size columns"]


class ColumnKernel(AbstractKernel):
    """A jump to base draws, then `leaps` Gibbs sweeps over columns. There is no step size.

    `tries`: base draws offered to each particle.
    """

    sampler: ColumnGibbs
    leaps: int = eqx.field(static=True)
    tries: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_tries(self.leaps, self.tries)

    def __call__(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        step_size: Float[Array, ""],
        x: Particles,
        jumps: Bool[Array, ""],
        shortest: Float[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> tuple[State, Info]:
        energy = path.at(time)

        def one(x: Float[Array, " columns"], key: PRNGKeyArray) -> tuple[State, Info]:
            leave, go = jax.random.split(key)
            start = State(jump(path, time, x, jumps, self.tries, key=leave))

            def leap(state: State, key: PRNGKeyArray) -> tuple[State, Info]:
                return self.sampler.step(energy, state, key=key)

            state, info = jax.lax.scan(leap, start, jax.random.split(go, self.leaps))
            return state, jax.tree.map(lambda each: each[-1], info)

        return jax.vmap(one)(x, jax.random.split(key, len(x)))


class ColumnProblem(AbstractProblem):
    """Annealing of mixed columns."""

    path: AbstractPath
    target: AbstractEnergy
    base: ColumnMixture

    def lift(self, rows: Particles, *, key: PRNGKeyArray) -> Particles:
        if not bool(jnp.all(jax.vmap(self.base.space.contains)(rows))):
            raise ValueError("`rows` must be numbers, and categories from 0, as of the energy.")
        return rows

    def make_kernel(self, x: Particles, leaps: int, tries: int) -> ColumnKernel:
        return ColumnKernel(ColumnGibbs(self.base, DRAWS), leaps, tries)

    def spread(self, x: Particles, broad: float, *, key: PRNGKeyArray) -> Particles:
        """Some cells are drawn again, all states alike, and numbers widely."""
        how, where, what = jax.random.split(key, 3)
        flat = eqx.tree_at(
            lambda b: (b.logits, b.stds),
            self.base,
            (jnp.zeros_like(self.base.logits), np.sqrt(broad).item() * self.base.stds),
        )
        fresh = jax.vmap(lambda k: flat.sample(key=k))(jax.random.split(what, len(x)))
        kept = jnp.exp(-np.log(broad).item() * jax.random.uniform(how, (len(x), 1), x.dtype))
        return jnp.where(jax.random.uniform(where, x.shape, x.dtype) < kept, x, fresh)

    def fit(self, x: Float[np.ndarray, " size columns"]) -> ColumnMixture:
        components = int(np.clip(len(x) // ROWS, 2, COMPONENTS))
        found = fit_columns(np.asarray(x), self.base.space, min(components, len(x)))
        dtype = self.base.means.dtype
        return jax.tree.map(lambda part: part.astype(dtype), found)

    def mix(self, first: ColumnMixture, second: ColumnMixture) -> ColumnMixture:
        """The components of both, the second with a fifth of the weight."""
        shares = jax.nn.log_softmax(first.log_weights), jax.nn.log_softmax(second.log_weights)
        weights = jnp.concatenate([shares[0] + np.log(0.8).item(), shares[1] + np.log(0.2).item()])
        parts = (
            jnp.concatenate([getattr(first, name), getattr(second, name)])
            for name in ("logits", "shares", "means", "stds")
        )
        return ColumnMixture(weights, *parts, space=self.base.space)
