"""Parallel tempering: chains of many levels that exchange their places, over any sampler."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, Shaped

from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    Bridge,
    Energy,
    Neural,
    NonTrainable,
    Tempered,
)
from energax.sampler.base import AbstractSampler, Info, State, chains, check_space
from energax.space import AbstractSpace, Bits, Box, Categories, Reals, UnitSphere


class AbstractLevels(eqx.Module):
    """Energies E_b for rising levels b, up to the energy itself at b = 1; linear in b.

    Example:
        >>> issubclass(ex.sampler.Temperatures, ex.sampler.AbstractLevels)
        True
    """

    levels: eqx.AbstractVar[Float[Array, " rungs"]]
    """b, rising, the last of them 1."""

    @abc.abstractmethod
    def at(self, energy: Any, level: Float[Array, ""]) -> AbstractEnergy:
        """E_b."""

    @abc.abstractmethod
    def gap(self, energy: Any, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        """dE_b / db at x, in nats."""

    @abc.abstractmethod
    def refresh(self, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> Shaped[Array, "*shape"]:
        """The position of the lowest rung, drawn again where there are exact draws."""

    @abc.abstractmethod
    def replace(self, levels: Float[ArrayLike, " rungs"]) -> "AbstractLevels":
        """The same path with other levels."""


class Temperatures(AbstractLevels):
    """E / T at falling temperatures T, the last of them 1: the level is b = 1 / T.

    Raises:
        ValueError: for temperatures that do not fall to 1, and for fewer than two.

    Example:
        >>> ex.sampler.Temperatures([4.0, 2.0, 1.0]).levels.tolist()
        [0.25, 0.5, 1.0]
    """

    levels: Float[Array, " rungs"]

    def __init__(self, temperatures: Sequence[float] | Float[ArrayLike, " rungs"]):
        values = np.asarray(temperatures, np.float64)
        falls = values.ndim == 1 and values.size > 1 and bool(np.all(np.diff(values) < 0))
        if not falls or values[-1] != 1:
            raise ValueError(f"`temperatures` must fall to 1, in two or more; got {temperatures}.")
        self.levels = jnp.asarray(1 / values, float)

    def at(self, energy: Any, level: Float[Array, ""]) -> AbstractEnergy:
        return eqx.tree_at(_temperature, Tempered(energy, 1.0), 1 / level)

    def gap(self, energy: Any, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return energy(x)

    def refresh(self, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> Shaped[Array, "*shape"]:
        return x

    def replace(self, levels: Float[ArrayLike, " rungs"]) -> "Temperatures":
        return Temperatures(1 / np.asarray(levels, np.float64))


def _temperature(energy: Tempered) -> Array:
    return energy.temperature


class Bridges(AbstractLevels):
    """(1 - b) E_base + b E from a base distribution, b = 0, to the energy, b = 1.

    The lowest rung is an exact draw of the base in every step.

    Raises:
        ValueError: for levels that do not rise from 0 to 1.

    Example:
        >>> base = ex.energy.Gaussian(jnp.zeros(2))
        >>> ex.sampler.Bridges(base, [0.0, 0.5, 1.0]).levels.tolist()
        [0.0, 0.5, 1.0]
    """

    base: AbstractDistribution
    levels: Float[Array, " rungs"]

    def __init__(
        self,
        base: AbstractDistribution,
        levels: Sequence[float] | Float[ArrayLike, " rungs"],
    ):
        values = np.asarray(levels, np.float64)
        rises = values.ndim == 1 and values.size > 1 and bool(np.all(np.diff(values) > 0))
        if not rises or values[0] != 0 or values[-1] != 1:
            raise ValueError(f"`levels` must rise from 0 to 1; got {levels}.")
        self.base, self.levels = base, jnp.asarray(values, float)

    def at(self, energy: Any, level: Float[Array, ""]) -> AbstractEnergy:
        return Bridge(self.base, energy, level)

    def gap(self, energy: Any, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return energy(x) - self.base(x)

    def refresh(self, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> Shaped[Array, "*shape"]:
        return self.base.sample(key=key).astype(x.dtype)

    def replace(self, levels: Float[ArrayLike, " rungs"]) -> "Bridges":
        return Bridges(self.base, levels)


class Tempering(AbstractSampler):
    """Parallel tempering: one chain on each level, whose neighbours exchange their positions.

    A step makes `moves` transitions of `kernel` on each level and draws the lowest rung again
    where its levels have exact draws. Then neighbours x at level b and y at level b' swap with
    probability min(1, exp((b' - b) (gap(y) - gap(x)))), gap = dE_b / db: first the pairs (0, 1),
    (2, 3), ..., then the others. The position of the state is that of the energy itself; its
    memory holds those of all rungs, and `Info.swaps` has the probability of each swap.

    Args:
        kernel: of any space that it serves.
        levels: `Temperatures` or `Bridges`.
        moves: transitions between two rounds of swaps.

    Raises:
        ValueError: for `moves` below 1.

    Trap: a step costs as much as `moves` transitions on every rung. Source: Geyer (1991); Syed et
    al. (2022) for the alternating pairs.

    Example:
        >>> levels = ex.sampler.Temperatures([4.0, 2.0, 1.0])
        >>> walk = ex.sampler.Tempering(ex.sampler.mala(0.3), levels)
        >>> ex.sampler.run(walk, lambda x: jnp.sum(x**2), jnp.ones(2), 5, key=key)[1].shape
        (5, 2)
    """

    kernel: AbstractSampler
    levels: AbstractLevels
    moves: int = eqx.field(static=True, default=1)
    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Reals, Box, UnitSphere, Bits, Categories)

    def __check_init__(self):
        if self.moves < 1:
            raise ValueError(f"`moves` must be at least 1; got {self.moves}.")

    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        check_space(self.kernel, energy, x)
        rungs = jnp.repeat(x[None], len(self.levels.levels), axis=0)
        # A kernel that cannot serve this energy says so now.
        eqx.filter_eval_shape(
            self.kernel.init, self.levels.at(_name(energy, x), self.levels.levels[0]), x, key=key
        )
        return State(x, rungs.at[0].set(self.levels.refresh(x, key=key)))

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        energy = _name(energy, state.x)
        walk, fresh, even, odd = jax.random.split(key, 4)
        count = len(self.levels.levels)

        def move(level: Array, x: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
            first, rest = jax.random.split(key)
            at = self.levels.at(energy, level)

            def advance(now: State, key: PRNGKeyArray) -> tuple[State, Array]:
                now, info = self.kernel.step(at, now, key=key)
                return now, info.acceptance

            start = self.kernel.init(at, x, key=first)
            end, rates = jax.lax.scan(advance, start, jax.random.split(rest, self.moves))
            return end.x, jnp.mean(rates)

        keys = jax.random.split(walk, count)
        x, rates = jax.vmap(move)(self.levels.levels, state.memory, keys)
        x = x.at[0].set(self.levels.refresh(x[0], key=fresh))
        gaps = jax.vmap(lambda one: self.levels.gap(energy, one))(x)
        order, first = swap(self.levels.levels, gaps, 0, key=even)
        again, second = swap(self.levels.levels, gaps[order], 1, key=odd)
        x = x[order][again]
        swaps = jnp.where(jnp.arange(count - 1) % 2 == 0, first, second)
        value = energy(x[-1])
        return State(x[-1], x), Info(rates[-1], value, jnp.zeros_like(value), swaps)


def swap(
    levels: Float[Array, " rungs"],
    gaps: Float[Array, " rungs"],
    parity: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Shaped[Array, " rungs"], Float[Array, " pairs"]]:
    """Which rung's position each rung takes, where pairs of this parity swap; and the probability
    of a swap of each pair."""
    steps = jnp.diff(levels).astype(gaps.dtype)
    chances = jnp.exp(jnp.minimum(steps * jnp.diff(gaps), 0))
    pairs = jnp.arange(len(chances))
    coins = jax.random.uniform(key, chances.shape, chances.dtype)
    taken = (coins < chances) & (pairs % 2 == parity)
    up = jnp.append(taken, False)
    down = jnp.append(False, taken)
    return jnp.arange(len(gaps)) + up.astype(int) - down.astype(int), chances


def _name(energy: Energy, x: Shaped[Array, "*shape"]) -> AbstractEnergy | NonTrainable:
    """The energy itself, or a plain function as one of real numbers."""
    return energy if isinstance(energy, AbstractEnergy | NonTrainable) else Neural(energy, x.shape)


def adapt_ladder(
    sampler: Tempering,
    energy: Energy,
    starts: Shaped[Array, " count *shape"],
    *,
    steps: int = 200,
    rounds: int = 4,
    key: PRNGKeyArray,
) -> Tempering:
    """The sampler with levels placed such that all neighbours swap equally often.

    The rejection rates of a pilot run add up to the communication barrier as a function of the
    level; the new levels divide it evenly. Ends and number of rungs stay. More rungs raise all
    rates: about twice the barrier, the sum of rejection rates, is a good number of them.

    Args:
        starts: of the pilot chains; more of them make the rates more precise.
        steps: of the pilot chains in each of `rounds`.

    Source: Syed et al. (2022), algorithm 3.

    Example:
        >>> walk = ex.sampler.Tempering(
        ...     ex.sampler.mala(0.3), ex.sampler.Temperatures([8.0, 7.0, 1.0])
        ... )
        >>> energy, starts = ex.energy.Gaussian(jnp.zeros(2)), jnp.zeros((8, 2))
        >>> tuned = ex.sampler.adapt_ladder(walk, energy, starts, steps=50, key=key)
    """
    for one in jax.random.split(key, rounds):
        _, swaps = chains(sampler, energy, starts, steps, key=one, keep=swap_rates)
        levels = np.asarray(sampler.levels.levels, np.float64)
        rejected = 1 - np.asarray(swaps[:, steps // 2 :], np.float64).mean(axis=(0, 1))
        barrier = np.append(0.0, np.cumsum(rejected))
        inner = np.interp(np.linspace(0, barrier[-1], len(levels))[1:-1], barrier, levels)
        placed = sampler.levels.replace(np.concatenate([levels[:1], inner, levels[-1:]]))
        sampler = eqx.tree_at(lambda tempering: tempering.levels, sampler, placed)
    return sampler


def swap_rates(state: State, info: Info) -> Float[Array, " pairs"] | None:
    """Keep the probability of the swap of each pair of neighbours, a `keep` of `run`.

    Example:
        >>> levels = ex.sampler.Temperatures([4.0, 2.0, 1.0])
        >>> walk = ex.sampler.Tempering(ex.sampler.mala(0.3), levels)
        >>> ex.sampler.run(
        ...     walk, lambda x: jnp.sum(x**2), jnp.ones(2), 5, key=key, keep=ex.sampler.swap_rates
        ... )[1].shape
        (5, 2)
    """
    return info.swaps
