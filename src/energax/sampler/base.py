"""How to draw from an energy: `init`, `step`, and the one loop over them."""

import abc
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Shaped

from energax.energy import Energy, space_of
from energax.space import AbstractFinite, AbstractSpace, Box, Reals


class State(eqx.Module):
    """What a chain needs to go on: its position `x` and what its sampler carries along.

    `x` has any dtype, integers too; `memory` is None for samplers that carry nothing.

    Example:
        >>> ex.sampler.State(jnp.zeros(2)).memory is None
        True
    """

    x: Shaped[Array, "*shape"]
    memory: PyTree = None


class Info(eqx.Module):
    """Diagnostics of one step, which the chain does not need to go on.

    Args:
        acceptance: Probability with which the proposal was accepted; 1 for an unadjusted step.
        energy: E before an unadjusted step or after an adjusted one, in nats.
        grad_norm: Norm of dE/dx at the start of the step; 0 where the sampler does not report it.
        swaps: Probability of the swap of each pair of neighbours, of `Tempering` alone.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> _, info = walk.step(energy, ex.sampler.State(jnp.ones(2)), key=key)
        >>> float(info.energy), round(float(info.grad_norm), 3)
        (1.0, 1.414)
    """

    acceptance: Float[Array, ""]
    energy: Float[Array, ""]
    grad_norm: Float[Array, ""]
    swaps: Float[Array, " pairs"] | None = None


class AbstractSampler(eqx.Module):
    """A Markov kernel for any energy, of one example: `init` a state, then `step` from it.

    A sampler of your own defines these two, and the spaces that it `serves` where those are not
    real numbers; `run` and `chains` loop over it.

    Example:
        >>> issubclass(ex.sampler.Langevin, ex.sampler.AbstractSampler)
        True
    """

    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Reals, Box)
    """The spaces whose examples it moves."""

    @abc.abstractmethod
    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        """The state of a chain that starts at `x`."""

    @abc.abstractmethod
    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        """One transition: the next state and its diagnostics."""


def check_space(sampler: AbstractSampler, energy: Energy, x: Shaped[Array, "*shape"]) -> None:
    """Raise TypeError where a sampler does not move the examples of an energy that names a space.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> ex.sampler.check_space(walk, energy, jnp.zeros(2))
    """
    space, name = space_of(energy), type(sampler).__name__
    if space is None:
        return
    if not isinstance(space, sampler.serves):
        titles = " and ".join(kind.title for kind in sampler.serves)
        raise TypeError(f"{name} samples {titles}; this energy is one of {space.title}.")
    if jnp.issubdtype(x.dtype, jnp.floating) == isinstance(space, AbstractFinite):
        raise TypeError(
            f"The energy is one of {space.title}; {name} cannot start at numbers of type {x.dtype}."
        )


def path(state: State, info: Info) -> Shaped[Array, "*shape"]:
    """Keep the position of the chain: the default `keep` of `run`.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> ex.sampler.run(walk, energy, jnp.ones(2), 5, key=key, keep=ex.sampler.path)[1].shape
        (5, 2)
    """
    return state.x


def trace(state: State, info: Info) -> Info:
    """Keep the diagnostics, not the position.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> _, info = ex.sampler.run(walk, energy, jnp.ones(2), 5, key=key, keep=ex.sampler.trace)
        >>> info.energy.shape
        (5,)
    """
    return info


def nothing(state: State, info: Info) -> None:
    """Keep nothing: memory does not grow with the length of the chain.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> _, kept = ex.sampler.run(walk, energy, jnp.ones(2), 5, key=key, keep=ex.sampler.nothing)
        >>> kept is None
        True
    """


@eqx.filter_jit
def run(
    sampler: AbstractSampler,
    energy: Energy,
    x: Shaped[Array, "*shape"],
    steps: int,
    *,
    key: PRNGKeyArray,
    keep: Callable[[State, Info], PyTree] = path,
    thin: int = 1,
) -> tuple[State, PyTree]:
    """One chain from `x`: its last state, and `keep(state, info)` of each `thin`-th step, stacked.

    Args:
        x: Start of the chain, one example. `chains` runs many.
        steps: Transitions to make, a multiple of `thin`; 0 keeps the start.
        keep: What to keep of a step: `path`, `trace`, `nothing` or a function of your own.
        thin: Steps between two that are kept. Memory grows with steps / thin.

    Raises:
        ValueError: for a negative `steps`, a `thin` below 1, or a remainder.
        TypeError: for an energy of a space that the sampler does not serve.

    Example:
        >>> walk, energy = ex.sampler.Langevin(0.1), ex.energy.Gaussian(jnp.zeros(2))
        >>> state, x = ex.sampler.run(walk, energy, jnp.ones(2), 10, key=key, thin=5)
        >>> state.x.shape, x.shape
        ((2,), (2, 2))
    """
    if thin < 1 or steps < 0 or steps % thin:
        raise ValueError(
            f"`steps` must be a multiple of `thin` and not negative; got {steps} and {thin}."
        )
    check_space(sampler, energy, x)
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
    starts: Shaped[Array, " count *shape"],
    steps: int,
    *,
    key: PRNGKeyArray,
    keep: Callable[[State, Info], PyTree] = path,
    thin: int = 1,
) -> tuple[State, PyTree]:
    """Independent chains, one from each of `starts`: `run` under `vmap`.

    All arguments but `starts` are those of `run`; results gain a first axis of chains.

    Example:
        >>> walk, energy = ex.sampler.mala(0.5), ex.energy.Gaussian(jnp.zeros(2))
        >>> state, x = ex.sampler.chains(walk, energy, jnp.zeros((4, 2)), 10, key=key)
        >>> state.x.shape, x.shape
        ((4, 2), (4, 10, 2))
    """

    def one(x: Array, k: PRNGKeyArray) -> tuple[State, PyTree]:
        return run(sampler, energy, x, steps, key=k, keep=keep, thin=thin)

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))
