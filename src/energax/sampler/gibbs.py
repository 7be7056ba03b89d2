"""Gibbs sampling of bits and categories: site by site, or a block of sites at once."""

from typing import ClassVar, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from energax.energy import Energy, NonTrainable, change_energies, float_dtype
from energax.sampler.base import AbstractSampler, Info, State
from energax.sampler.finite import draw_states, move_sites, present, require_finite
from energax.space import AbstractSpace, Bits, Box, Categories, Reals


class Gibbs(AbstractSampler):
    """Gibbs sampling: a site is drawn from p(x_i given the rest). One step is one sweep.

    A sweep makes as many draws as there are sites. With "systematic" scan each site has one, in
    order; with "random" scan the site of each draw is random, and the kernel is reversible. With
    `colours` all sites of one colour move at once, and the colours take turns: far faster where
    the changes of the energy are a product of matrices.

    Args:
        scan: "systematic" or "random", the order of sites.
        colours: of each site, in the shape of an example, from 0; see `colour_sites`.
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
    groups: tuple[Int[Array, " some"], ...]
    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Bits, Categories)

    def __init__(
        self,
        scan: str = "systematic",
        *,
        colours: Int[np.ndarray | Array, "*shape"] | None = None,
        metropolised: bool = False,
    ):
        if scan not in ("systematic", "random"):
            raise ValueError(f'`scan` must be "systematic" or "random"; got {scan!r}.')
        if colours is not None and scan == "random":
            raise ValueError('Colours take turns: leave out `scan`, or give "systematic".')
        flat = np.ravel([] if colours is None else colours)
        self.scan, self.metropolised = scan, metropolised
        self.groups = tuple(jnp.asarray(np.flatnonzero(flat == c)) for c in np.unique(flat))

    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        space = require_finite(energy, "Gibbs")
        if self.groups and sum(map(len, self.groups)) != space.sites:
            raise ValueError(
                f"`colours` has {sum(map(len, self.groups))} sites; the energy has {space.sites}."
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

        def move(x: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            sites, uniforms = now
            changes = change_energies(energy, x, space, sites)
            current = x.reshape(-1)[sites].astype(jnp.int32)
            chances = self.transition(changes, current)
            stay = jnp.take_along_axis(chances, current[:, None], axis=1)[:, 0]
            taken = 1 - stay if self.metropolised else jnp.ones_like(stay)
            return move_sites(x, sites, draw_states(chances, uniforms)), taken

        choose, draw = jax.random.split(key)
        uniforms = jax.random.uniform(draw, (space.sites,), float_dtype(energy))
        if self.groups:
            x, rates, start = state.x, [], 0
            for sites in self.groups:
                x, rate = move(x, (sites, uniforms[start : start + len(sites)]))
                rates, start = [*rates, rate], start + len(sites)
            acceptance = jnp.mean(jnp.concatenate(rates))
        else:
            order = jnp.arange(space.sites)
            if self.scan == "random":
                order = jax.random.randint(choose, order.shape, 0, space.sites, order.dtype)
            x, rates = jax.lax.scan(move, state.x, (order[:, None], uniforms[:, None]))
            acceptance = jnp.mean(rates)
        value = energy(x)
        return State(x), Info(acceptance, value, jnp.zeros_like(value))


@runtime_checkable
class TwoBlocks(Protocol):
    """An energy of visible units beside hidden ones that can be drawn given each other."""

    def sample_hidden(self, x: Array, key: PRNGKeyArray) -> Array:
        """Hidden units, given visible ones."""
        ...

    def sample_visible(self, h: Array, key: PRNGKeyArray) -> Array:
        """Visible units, given hidden ones."""
        ...


def _find_blocks(energy: Energy) -> TwoBlocks:
    inside = energy.value if isinstance(energy, NonTrainable) else energy
    if not isinstance(inside, TwoBlocks):
        raise TypeError(
            f"BlockGibbs needs an energy with `sample_hidden` and `sample_visible`, such as a "
            f"restricted Boltzmann machine; got {type(inside).__name__}."
        )
    return inside


class BlockGibbs(AbstractSampler):
    """Gibbs sampling in two blocks: h given x, then x given h, `rounds` times each step.

    It serves restricted Boltzmann machines, and any energy with `sample_hidden(x, key)` and
    `sample_visible(h, key)`, at temperature 1: one inside `Tempered`, `Bridge` or `Sum` is refused.

    Raises:
        ValueError: for `rounds` below 1.

    Source: Hinton (2002).

    Example:
        >>> ex.sampler.BlockGibbs(rounds=3).rounds
        3
    """

    rounds: int = eqx.field(static=True, default=1)
    serves: ClassVar[tuple[type[AbstractSpace], ...]] = (Bits, Categories, Reals, Box)

    def __check_init__(self):
        if self.rounds < 1:
            raise ValueError(f"`rounds` must be at least 1; got {self.rounds}.")

    def init(self, energy: Energy, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray) -> State:
        _find_blocks(energy)
        return State(x)

    def step(self, energy: Energy, state: State, *, key: PRNGKeyArray) -> tuple[State, Info]:
        blocks = _find_blocks(energy)

        def draw(x: Array, key: PRNGKeyArray) -> tuple[Array, None]:
            up, down = jax.random.split(key)
            return blocks.sample_visible(blocks.sample_hidden(x, up), down), None

        x, _ = jax.lax.scan(draw, state.x, jax.random.split(key, self.rounds))
        value = energy(x)
        return State(x), Info(jnp.ones_like(value), value, jnp.zeros_like(value))
