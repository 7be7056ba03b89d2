"""Moves of bits and categories that one gradient proposes and a Metropolis step corrects."""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from energax.energy import Energy, approximate_changes
from energax.sampler.base import AbstractSampler, Info, State
from energax.sampler.finite import draw_states, move_sites, present, require_finite
from energax.space import AbstractFinite, AbstractSpace, Bits, Categories


class Local(eqx.Module):
    """What a proposal knows of a point: E(x), and E(x with site i set to c) - E(x) nearly."""

    space: AbstractFinite = eqx.field(static=True)
    x: Int[Array, " sites"]
    energy: Float[Array, ""]
    changes: Float[Array, " sites states"]


class Move(eqx.Module):
    """The first `count` of `sites`, in the order of their draws, and their new `values`."""

    sites: Int[Array, " most"]
    values: Int[Array, " most"]
    count: Int[Array, ""]

    @property
    def mask(self) -> Bool[Array, " most"]:
        """Which entries move."""
        return jnp.arange(len(self.sites)) < self.count

    def apply(self, x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """Where the move leads."""
        current = x.reshape(-1)[self.sites].astype(self.values.dtype)
        return move_sites(x, self.sites, jnp.where(self.mask, self.values, current))

    def reverse(self, x: Int[Array, " sites"]) -> "Move":
        """The move back to x: the same sites, in the reverse order."""
        order = (self.count - 1 - jnp.arange(len(self.sites))) % len(self.sites)
        sites = self.sites[order]
        return Move(sites, x[sites], self.count)


def look(energy: Energy, x: Shaped[Array, "*shape"], sampler: str) -> Local:
    """What one gradient at x says; TypeError, in the name of a sampler, for a space of no sites."""
    space = require_finite(energy, sampler)
    value, changes = approximate_changes(energy, x, space)
    return Local(space, x.reshape(-1).astype(jnp.int32), value, changes)


def _pair_logits(local: Local) -> Float[Array, " sites states"]:
    """Half of the gain in log probability of each change; -infinity for the value that is there."""
    here = present(local.x, local.space.states)
    return jnp.where(here, -jnp.inf, -local.changes / 2)


def propose_path(local: Local, most: int, count: Int[Array, ""], *, key: PRNGKeyArray) -> Move:
    """Sites in turn, none twice, with weights sum_c exp(-change_ic / 2), and a value of each."""
    order, draw = jax.random.split(key)
    pairs = _pair_logits(local)
    weights = logsumexp(pairs, axis=1)
    noise = jax.random.gumbel(order, weights.shape, weights.dtype)
    sites = jax.lax.top_k(weights + noise, most)[1]
    uniforms = jax.random.uniform(draw, (most,), weights.dtype)
    values = draw_states(jax.nn.softmax(pairs[sites], axis=1), uniforms)
    return Move(sites, values, count)


def log_path(local: Local, move: Move) -> Float[Array, ""]:
    """log of the probability that `propose_path` draws these sites, in this order, and values."""
    pairs = _pair_logits(local)
    weights = logsumexp(pairs, axis=1)
    chosen = jnp.where(move.mask, weights[move.sites], -jnp.inf)
    others = weights.at[move.sites].set(jnp.where(move.mask, -jnp.inf, weights[move.sites]))
    after = jax.lax.cumlogsumexp(chosen, reverse=True)
    left = jnp.logaddexp(after, logsumexp(others))
    return jnp.sum(jnp.where(move.mask, pairs[move.sites, move.values] - left, 0))


class AbstractInformed(AbstractSampler):
    """A sampler that proposes by one gradient, then accepts or rejects. One step is one proposal.

    A subclass says how to `propose`, with which probability, and when to accept.
    """

    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Bits, Categories)

    @abc.abstractmethod
    def propose(self, local: Local, *, key: PRNGKeyArray) -> Move:
        """A move."""

    @abc.abstractmethod
    def log_probability(self, local: Local, move: Move) -> Float[Array, ""]:
        """log q(move | x), up to a number that is the same for the reverse move."""

    @abc.abstractmethod
    def acceptance(self, here: Local, there: Local, move: Move) -> Float[Array, ""]:
        """The probability to accept a move from `here` to `there`."""

    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        return State(x, look(energy, x, type(self).__name__))

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        draw, coin = jax.random.split(key)
        here: Local = state.memory
        move = self.propose(here, key=draw)
        x = move.apply(state.x)
        there = look(energy, x, type(self).__name__)
        chance = self.acceptance(here, there, move)
        taken = jax.random.uniform(coin, (), chance.dtype) < chance
        after = jax.tree.map(
            lambda new, old: jnp.where(taken, new, old), State(x, there), State(state.x, here)
        )
        return after, Info(chance, after.memory.energy, jnp.zeros_like(chance))


def metropolise(
    sampler: AbstractInformed, here: Local, there: Local, move: Move
) -> Float[Array, ""]:
    """min(1, exp(E(x) - E(x')) q(reverse move | x') / q(move | x))."""
    back = sampler.log_probability(there, move.reverse(here.x))
    ratio = here.energy - there.energy + back - sampler.log_probability(here, move)
    return jnp.exp(jnp.minimum(ratio, 0))


class GibbsWithGradients(AbstractInformed):
    """Gibbs with gradients: one site changes to c with probability softmax(-change_ic / 2).

    Args:
        laziness: probability to stay, in [0, 1), whatever was proposed.

    Raises:
        ValueError: for a `laziness` outside [0, 1).

    Trap: with `laziness` 0, as it was published, a flat energy accepts every move: each step flips
    one bit, the parity of the number of ones alternates, and the chain never converges at fixed
    times (its transition matrix has the eigenvalue -1). Source: Grathwohl et al. (2021), algorithm
    1, whose proposal is the case of one site of `PathAuxiliary`.

    Example:
        >>> energy = ex.energy.Neural(lambda e: jnp.sum(e) ** 2, ex.space.Bits((4,)))
        >>> walk, start = ex.sampler.GibbsWithGradients(), jnp.zeros(4, jnp.uint8)
        >>> ex.sampler.run(walk, energy, start, 5, key=key)[1].shape
        (5, 4)
    """

    laziness: float = eqx.field(static=True, default=0.05)

    def __check_init__(self):
        if not 0 <= self.laziness < 1:
            raise ValueError(f"`laziness` must be in [0, 1); got {self.laziness}.")

    def propose(self, local: Local, *, key: PRNGKeyArray) -> Move:
        return propose_path(local, 1, jnp.asarray(1), key=key)

    def log_probability(self, local: Local, move: Move) -> Float[Array, ""]:
        return log_path(local, move)

    def acceptance(self, here: Local, there: Local, move: Move) -> Float[Array, ""]:
        return (1 - self.laziness) * metropolise(self, here, there, move)


class PathAuxiliary(AbstractInformed):
    """Several sites change at once, drawn in turn with weights that are frozen at x.

    The number of sites is drawn evenly from 1 to 2 `length` - 1, `length` on average, which breaks
    parity. The probability of the reverse order, with weights frozen at x', corrects it.

    Raises:
        ValueError: for a `length` below 1.

    Trap: with `length` 1 it is Gibbs with gradients without laziness, parity and all. Source: Sun
    et al. (2022), algorithm 1, with the values of categories drawn beside their sites.

    Example:
        >>> energy = ex.energy.Neural(lambda e: jnp.sum(e) ** 2, ex.space.Bits((4,)))
        >>> walk, start = ex.sampler.PathAuxiliary(2), jnp.zeros(4, jnp.uint8)
        >>> ex.sampler.run(walk, energy, start, 5, key=key)[1].shape
        (5, 4)
    """

    length: int = eqx.field(static=True, default=2)

    def __check_init__(self):
        if self.length < 1:
            raise ValueError(f"`length` must be at least 1; got {self.length}.")

    def propose(self, local: Local, *, key: PRNGKeyArray) -> Move:
        size, draw = jax.random.split(key)
        most = min(2 * self.length - 1, local.space.sites)
        return propose_path(local, most, jax.random.randint(size, (), 1, most + 1), key=draw)

    def log_probability(self, local: Local, move: Move) -> Float[Array, ""]:
        return log_path(local, move)

    def acceptance(self, here: Local, there: Local, move: Move) -> Float[Array, ""]:
        return metropolise(self, here, there, move)


class DiscreteLangevin(AbstractInformed):
    """Discrete Langevin: every site at once, q_i(c) ~ exp(-change_ic / 2 - |c - x_i|^2 / (2a)).

    a is the `step_size`, and |c - x_i|^2 the distance of embedded values: 1 for another bit, 2 for
    another category. With `adjusted` a Metropolis step follows, and p is exact; without it the
    distribution is that of small steps only.

    Raises:
        ValueError: for a `step_size` not above 0.

    Trap: one step size means another proposal for bits, exp(-1 / (2a)), than for categories,
    exp(-1 / a). Unadjusted, the bias falls to 0 with a only where E is at most quadratic in each
    site, as energies of pairs are. Source: Zhang et al. (2022), algorithm 1.

    Example:
        >>> energy = ex.energy.Neural(lambda e: jnp.sum(e) ** 2, ex.space.Bits((4,)))
        >>> walk, start = ex.sampler.DiscreteLangevin(0.2), jnp.zeros(4, jnp.uint8)
        >>> ex.sampler.run(walk, energy, start, 5, key=key)[1].shape
        (5, 4)
    """

    step_size: Float[Array, ""]
    adjusted: bool = eqx.field(static=True)

    def __init__(self, step_size: float, adjusted: bool = True):
        if not step_size > 0:
            raise ValueError(f"`step_size` must be above 0; got {step_size}.")
        self.step_size = jnp.asarray(step_size, jnp.result_type(float))
        self.adjusted = adjusted

    def _log_chances(self, local: Local) -> Float[Array, " sites states"]:
        squared = 1 if isinstance(local.space, Bits) else 2
        penalty = squared / (2 * self.step_size.astype(local.changes.dtype))
        here = present(local.x, local.space.states)
        logits = -local.changes / 2 - jnp.where(here, 0, penalty)
        return jax.nn.log_softmax(logits, axis=1)

    def propose(self, local: Local, *, key: PRNGKeyArray) -> Move:
        chances = jnp.exp(self._log_chances(local))
        uniforms = jax.random.uniform(key, local.x.shape, chances.dtype)
        sites = jnp.arange(local.space.sites)
        return Move(sites, draw_states(chances, uniforms), jnp.asarray(local.space.sites))

    def log_probability(self, local: Local, move: Move) -> Float[Array, ""]:
        chances = self._log_chances(local)[move.sites]
        return jnp.sum(jnp.take_along_axis(chances, move.values[:, None], axis=1))

    def acceptance(self, here: Local, there: Local, move: Move) -> Float[Array, ""]:
        if not self.adjusted:
            return jnp.ones_like(here.energy)
        return metropolise(self, here, there, move)
