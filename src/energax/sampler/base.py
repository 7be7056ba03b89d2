"""How to draw from an energy: `init`, `step`, and the one loop over them."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import Energy


class State(eqx.Module):
    """What a chain needs to go on: where it is, and what its sampler remembers."""

    x: Float[Array, "*shape"]
    memory: PyTree = None


class Info(eqx.Module):
    """What is nice to look at after a step.

    `acceptance`: probability that the proposal was taken, 1 for an unadjusted step. `energy`: E
    where the step left from or arrived, in nats. `slope`: norm of dE/dx at the start of the step,
    0 where the sampler does not tell.
    """

    acceptance: Float[Array, ""]
    energy: Float[Array, ""]
    slope: Float[Array, ""]


class AbstractSampler(eqx.Module):
    """A Markov kernel for any energy, of one example."""

    @abc.abstractmethod
    def init(self, energy: Energy, x: Float[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        """The state of a chain that starts at `x`."""

    @abc.abstractmethod
    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        """One transition."""


def path(state: State, info: Info) -> Float[Array, "*shape"]:
    """Keep where the chain is."""
    return state.x


def trace(state: State, info: Info) -> Info:
    """Keep what is nice to look at, not where the chain is."""
    return info


def nothing(state: State, info: Info) -> None:
    """Keep nothing: memory does not grow with the length of the chain."""


@eqx.filter_jit
def run(
    sampler: AbstractSampler,
    energy: Energy,
    x: Float[Array, "*shape"],
    steps: int,
    *,
    key: PRNGKeyArray,
    keep: Callable[[State, Info], PyTree] = path,
    thin: int = 1,
) -> tuple[State, PyTree]:
    """One chain from `x`: its last state, and `keep(state, info)` of each `thin`-th step, stacked.

    `steps` is a multiple of `thin`; memory grows with steps / thin, not with steps.
    """
    if thin < 1 or steps < 0 or steps % thin:
        raise ValueError(
            f"`steps` must be a multiple of `thin` and not negative; got {steps} and {thin}."
        )
    first, rest = jax.random.split(key)
    start = sampler.init(energy, x, key=first)
    like = eqx.filter_eval_shape(sampler.step, energy, start, key=rest)[1]
    unseen = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)

    # The index is carried: a list of all indices would be as long as the chain.
    def advance(carry: tuple[State, Array, Info], _: None) -> tuple[tuple, None]:
        state, index = carry[:2]
        state, info = sampler.step(energy, state, key=jax.random.fold_in(rest, index))
        return (state, index + 1, info), None

    def stretch(carry: tuple[State, Array], _: None) -> tuple[tuple, PyTree]:
        (state, index, info), _ = jax.lax.scan(advance, (*carry, unseen), length=thin)
        return (state, index), keep(state, info)

    begin = (start, jnp.zeros((), jnp.int32))
    (state, _), kept = jax.lax.scan(stretch, begin, length=steps // thin)
    return state, kept


@eqx.filter_jit
def chains(
    sampler: AbstractSampler,
    energy: Energy,
    starts: Float[Array, " count *shape"],
    steps: int,
    *,
    key: PRNGKeyArray,
    keep: Callable[[State, Info], PyTree] = path,
    thin: int = 1,
) -> tuple[State, PyTree]:
    """Independent chains, one from each of `starts`: `run` under `vmap`."""

    def one(x: Array, k: PRNGKeyArray) -> tuple[State, PyTree]:
        return run(sampler, energy, x, steps, key=k, keep=keep, thin=thin)

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))
