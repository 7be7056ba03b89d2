"""One exchange round: draws of the base, swaps between neighbours, local moves on every rung."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from energax.energy import AbstractDistribution, Energy, draws, float_dtype
from energax.learner.ladder.rungs import Rungs, Walkers
from energax.sampler import AbstractSampler, chains, nothing


class Links(eqx.Module):
    """What one round says of the links, by the place of their upper rung.

    With l = E_lower - E_upper, the log-weight upwards:

    Args:
        acceptance: Mean probability of a swap.
        lower: l at the chains of the lower rung; 0 at free places.
        upper: l at the chains of the upper rung.
    """

    acceptance: Float[Array, " slots"]
    lower: Float[Array, " slots chains"]
    upper: Float[Array, " slots chains"]

    @classmethod
    def create(cls, rungs: Rungs) -> "Links":
        """Of no round."""
        dtype = float_dtype(rungs.weights)
        blank = jnp.zeros(rungs.walkers.stamp.shape, dtype)
        return cls(blank[:, 0], blank, blank)


def shuffle(parts: PyTree, groups: int, *, key: PRNGKeyArray) -> PyTree:
    """Chains, the first axis of every array, in a random order within each of `groups`."""
    size = len(jax.tree.leaves(parts)[0])
    noise = jax.random.uniform(key, (groups, size // groups))
    order = jnp.argsort(noise, axis=1) + (jnp.arange(groups) * (size // groups))[:, None]
    return jax.tree.map(lambda part: part[order.reshape(-1)], parts)


def swap(
    energies: tuple[Energy, Energy],
    lower: tuple[Walkers, Float[Array, " chains"]],
    upper: Walkers,
    *,
    key: PRNGKeyArray,
) -> tuple[Walkers, tuple[Walkers, Float[Array, " chains"]], tuple[Array, Array, Array]]:
    """Exchange states of two neighbours, pair by pair; what belongs to a state goes with it.

    A pair of x below and y above is exchanged with probability min(1, exp(W(y) - W(x))),
    W = E_upper - E_lower, which leaves the product of the two distributions invariant.

    Args:
        energies: E_lower and E_upper.
        lower: The chains below, and E_lower of each.
        upper: The chains above.

    Returns:
        Those below; those above with E_upper of each; and of the states before, the mean
        probability and -W below and above.

    Source: Geyer (1991).
    """
    (low, low_below), (below, above) = lower, energies
    count = len(low_below)
    both = jax.vmap(above)(jnp.concatenate([low.x, upper.x])).astype(low_below.dtype)
    low_above, up_above = both[:count], both[count:]
    log_low = low_below - low_above
    log_up = jax.vmap(below)(upper.x).astype(both.dtype) - up_above
    chance = jnp.exp(jnp.minimum(log_low - log_up, 0))
    accept = jax.random.uniform(key, chance.shape, chance.dtype) < chance

    def choose(one: Array, other: Array) -> Array:
        return jnp.where(accept.reshape(-1, *[1] * (one.ndim - 1)), one, other)

    down = jax.tree.map(choose, upper, low)
    up = jax.tree.map(choose, (low, low_above), (upper, up_above))
    return down, up, (jnp.mean(chance), log_low, log_up)


def swap_all(
    base: AbstractDistribution,
    still: PyTree,
    rungs: Rungs,
    now: Int[Array, ""],
    *,
    groups: int,
    key: PRNGKeyArray,
) -> tuple[Rungs, Links]:
    """Exact draws of the base, then swaps of all neighbouring rungs from the base upwards.

    A state may climb the whole ladder in one round. Costs three energies for each chain.
    """
    count = rungs.walkers.stamp.shape[1]
    draw, go = jax.random.split(key)
    dtype = float_dtype(rungs.weights)
    fresh = Walkers.create(draws(base, count, key=draw), now)
    links = Links.create(rungs)

    def meet(below: Energy, lower: tuple, place: Array, carry: tuple[Rungs, Links]) -> tuple:
        rungs, links = carry
        slot, (mix, toss) = rungs.order[place], jax.random.split(jax.random.fold_in(go, place))
        lower, energies = shuffle(lower, groups, key=mix), (below, rungs.energy(slot, still))
        down, up, found = swap(energies, lower, rungs.population(slot), key=toss)
        parts = links.acceptance, links.lower, links.upper
        links = Links(*(old.at[place].set(new) for old, new in zip(parts, found, strict=True)))
        return down, up, (rungs.set_population(slot, up[0]), links)

    def climb(place: Array, carry: tuple) -> tuple:
        lower, (rungs, links) = carry
        slot = rungs.order[place - 1]
        below = rungs.energy(slot, still)
        down, up, (rungs, links) = meet(below, lower, place, (rungs, links))
        return up, (rungs.set_population(slot, down), links)

    start = fresh, jax.vmap(base)(fresh.x).astype(dtype)
    _, up, carry = meet(base, start, jnp.zeros((), jnp.int32), (rungs, links))
    _, (rungs, links) = jax.lax.fori_loop(1, rungs.count, climb, (up, carry))
    return rungs, links


def move_all(
    sampler: AbstractSampler, still: PyTree, rungs: Rungs, sweeps: int, *, key: PRNGKeyArray
) -> Rungs:
    """`sweeps` local moves of every chain on its own rung."""

    def move(place: Array, x: Array) -> Array:
        slot = rungs.order[place]
        energy, now = rungs.energy(slot, still), jax.random.fold_in(key, place)
        state, _ = chains(sampler, energy, x[slot], sweeps, key=now, keep=nothing)
        return x.at[slot].set(state.x)

    x = jax.lax.fori_loop(0, rungs.count, move, rungs.walkers.x)
    walkers = Walkers(x, rungs.walkers.stamp, rungs.walkers.lag)
    return Rungs(rungs.weights, walkers, rungs.order, rungs.count)
