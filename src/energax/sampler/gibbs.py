"""Gibbs sampling of bits and categories: site by site, or a block of sites at once."""

from collections.abc import Iterable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from energax.energy import AbstractRBM, Energy, NonTrainable, change_energies, float_dtype
from energax.sampler.base import AbstractSampler, Info, State
from energax.sampler.finite import (
    draw_states,
    move_sites,
    present,
    require_finite,
)
from energax.space import AbstractSpace, Bits, Box, Categories, Reals


class Gibbs(AbstractSampler):
    """Gibbs sampling: a site is drawn from p(x_i given the rest). One step is one sweep.

    A sweep makes as many draws as there are sites. With "systematic" scan each site has one, in
    order; with "random" scan the site of each draw is random, and the kernel is reversible. With
    `colours` all sites of one colour move at once, and the colours take turns: far faster where
    the changes of the energy are a product of matrices.

    Args:
        scan: "systematic" or "random", the order of sites.
        colours: groups of sites of the flattened example, each site in one of them; see
            `energy.colour_sites`.
        metropolised: propose a state c other than the present one with probability
            p_c / (1 - p_present) and accept with min(1, (1 - p_present) / (1 - p_c)): it moves
            more often.

    Raises:
        ValueError: for another `scan`, and for a random scan of colours.

    Trap: sites of one colour must be independent given the others, which nothing checks: the two
    colours of a chess board are wrong on a torus with an odd side. Where all energies are equal a
    metropolised sweep of bits flips every site and never forgets the parity. Source: Geman and
    Geman (1984); Liu (1996), modified Gibbs sampling.

    Example:
        >>> energy = ex.energy.Neural(lambda e: 2 * e[0] * e[1], ex.space.Bits((2,)))
        >>> start = jnp.zeros(2, jnp.uint8)
        >>> ex.sampler.run(ex.sampler.Gibbs(), energy, start, 5, key=key)[1].shape
        (5, 2)
    """

    scan: str = eqx.field(static=True)
    metropolised: bool = eqx.field(static=True)
    colours: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Bits, Categories)

    def __init__(
        self,
        scan: str = "systematic",
        *,
        colours: Iterable[Iterable[int]] = (),
        metropolised: bool = False,
    ):
        if scan not in ("systematic", "random"):
            raise ValueError(f'`scan` must be "systematic" or "random"; got {scan!r}.')
        groups = tuple(tuple(int(site) for site in group) for group in colours)
        if groups and scan == "random":
            raise ValueError('Colours take turns: leave out `scan`, or give "systematic".')
        self.scan, self.metropolised, self.colours = scan, metropolised, groups

    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        space = require_finite(energy, "Gibbs")
        sites = sorted(site for group in self.colours for site in group)
        if sites and sites != list(range(space.sites)):
            raise ValueError(
                f"`colours` must hold each site from 0 to {space.sites - 1} once; got {len(sites)} "
                f"from {sites[0]} to {sites[-1]}."
            )
        return State(x)

    def transition(
        self, changes: Float[Array, " some states"], current: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        """Probabilities of the next state of some sites, given what each change of them costs."""
        chances = jax.nn.softmax(-changes, axis=1)
        if not self.metropolised:
            return chances
        # The larger of the two is at least 1/2: no digits are lost.
        here = present(current, changes.shape[1])
        stay = jnp.sum(jnp.where(here, chances, 0), axis=1, keepdims=True)
        moves = jnp.where(here, 0, chances / jnp.maximum(1 - stay, 1 - chances))
        rest = 1 - jnp.sum(moves, axis=1, keepdims=True)
        return jnp.where(here, jnp.maximum(rest, 0), moves)

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        space = require_finite(energy, "Gibbs")

        def draw_sites(x: Array, sites: Array, uniforms: Array) -> tuple[Array, Array]:
            changes = change_energies(energy, x, space, sites)
            if space.states == 2 and not self.metropolised:
                # p(0) by the logistic function: far faster than sums over two states.
                zero = jax.nn.sigmoid(changes[:, 1] - changes[:, 0])
                return (uniforms >= zero).astype(jnp.int32), jnp.ones_like(zero)
            current = x.reshape(-1)[sites].astype(jnp.int32)
            chances = self.transition(changes, current)
            stay = jnp.take_along_axis(chances, current[:, None], axis=1)[:, 0]
            taken = 1 - stay if self.metropolised else jnp.ones_like(stay)
            return draw_states(chances, uniforms), taken

        def move(x: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            sites, uniforms = now
            values, taken = draw_sites(x, sites, uniforms)
            return move_sites(x, sites, values), taken

        uniforms = jax.random.uniform(key, (space.sites,), float_dtype(energy))
        if self.colours:
            x, rates, first = state.x, [], 0
            for group in self.colours:
                last = first + len(group)
                x, rate = move(x, (jnp.asarray(group, jnp.int32), uniforms[first:last]))
                first = last
                rates.append(rate)
            acceptance = jnp.mean(jnp.concatenate(rates))
        else:
            order = jnp.arange(space.sites)
            if self.scan == "random":
                choose = jax.random.fold_in(key, 1)
                order = jax.random.randint(choose, order.shape, 0, space.sites, order.dtype)
            x, rates = jax.lax.scan(move, state.x, (order[:, None], uniforms[:, None]))
            acceptance = jnp.mean(rates)
        value = energy(x)
        return State(x), Info(acceptance, value, jnp.zeros_like(value))


def _require_rbm(energy: Energy) -> AbstractRBM:
    inside = energy.value if isinstance(energy, NonTrainable) else energy
    if not isinstance(inside, AbstractRBM):
        raise TypeError(
            "BlockGibbs needs a restricted Boltzmann machine, at temperature 1 and not combined "
            f"with other energies; got {type(inside).__name__}."
        )
    return inside


class BlockGibbs(AbstractSampler):
    """Gibbs sampling in two blocks: h given x, then x given h, `rounds` times each step.

    It serves restricted Boltzmann machines, at temperature 1: one inside `Tempered`, `Bridge` or
    `Sum` is refused.

    Raises:
        ValueError: for `rounds` below 1.

    Source: Hinton (2002).

    Example:
        >>> rbm = ex.energy.BernoulliRBM(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros(2))
        >>> walk, start = ex.sampler.BlockGibbs(rounds=3), jnp.zeros(3, jnp.uint8)
        >>> ex.sampler.run(walk, rbm, start, 5, key=key)[1].shape
        (5, 3)
    """

    rounds: int = eqx.field(static=True, default=1)
    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Bits, Categories, Reals, Box)

    def __check_init__(self):
        if self.rounds < 1:
            raise ValueError(f"`rounds` must be at least 1; got {self.rounds}.")

    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        _require_rbm(energy)
        return State(x)

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        rbm = _require_rbm(energy)

        def draw(x: Array, key: PRNGKeyArray) -> tuple[Array, None]:
            up, down = jax.random.split(key)
            return rbm.sample_visible(rbm.sample_hidden(x, key=up), key=down), None

        x, _ = jax.lax.scan(draw, state.x, jax.random.split(key, self.rounds))
        value = energy(x)
        return State(x), Info(jnp.ones_like(value), value, jnp.zeros_like(value))
