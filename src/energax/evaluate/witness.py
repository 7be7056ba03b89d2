"""Where the model may have mass that annealing misses: training rows and hot starts.

Annealing from a base sees what the base sees, in both directions. Training rows know modes that the
base never saw, and chains that start hot look for modes that neither knows.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, Shaped

from energax.energy import AbstractDistribution
from energax.evaluate.base import Estimate
from energax.evaluate.bennett import bridge_log_z
from energax.evaluate.ends import PARTS, Annealing, Settled
from energax.evaluate.log_z import (
    FEW,
    VAGUE,
    LogZ,
    bound_share,
    confirm,
    find_unreached,
    hide,
    refuse,
)
from energax.evaluate.problem import AbstractProblem

BROAD = 8.0
"""Hot starts are base draws, spread as at up to this temperature, or its square."""

NAMED = 5
"""Rows that a refusal names."""

SMALL = 0.1
"""Largest mass, as a part of the known one, that may be added to the upper end."""

ROUNDS = 3
"""How often chains that seem to be out of reach are moved again."""


@eqx.filter_jit
def start_hot(
    problem: AbstractProblem, x: Shaped[Array, " size *shape"], broad: float, *, key: PRNGKeyArray
) -> Shaped[Array, " size *shape"]:
    """Base draws `x`, spread widely; where the energy is not finite there, left where they were."""
    wide = problem.spread(x, broad, key=key)
    finite = jax.vmap(lambda y: jnp.isfinite(problem.target(y) + problem.path.base(y)))(wide)
    return jnp.where(finite.reshape(-1, *(1,) * (x.ndim - 1)), wide, x)


@dataclasses.dataclass(frozen=True)
class Questioning:
    """Asks rows and hot starts whether annealing comes to where they settle.

    Args:
        problem: Whose log Z was found.
        annealing: By which way.
        found: log Z, with both ends in agreement.
        size: Chains from the rows, and from hot starts.
        moves: Moves at the energy before the way back.
        hidden: Share of the mass that annealing is known to miss at most.
    """

    problem: AbstractProblem
    annealing: Annealing
    found: LogZ
    size: int
    moves: int
    hidden: float

    def ask_rows(
        self, rows: Shaped[Array, " rows *shape"], *, key: PRNGKeyArray
    ) -> tuple[LogZ, AbstractDistribution]:
        """The verdict of the rows, and a mixture fitted to where they settle.

        `size` different rows are asked, or all in turn where there are fewer. The upper end is
        raised by the mass that they could not show, and that of a few that are out of reach.
        """
        pick, rest, go = jax.random.split(key, 3)
        chosen = np.resize(np.asarray(jax.random.permutation(pick, len(rows))), self.size)
        settled = self._settle(rows[chosen], chosen, key=rest)
        end, apart = self._find_unreached(settled, key=go)
        found, asked = dataclasses.replace(self.found, from_rows=end), len(np.unique(chosen))
        proposal = self.problem.fit(settled.pool(slice(PARTS // 4, None))[0])
        count = 0 if apart is None else len(apart.origins)
        found = hide(found, max(self.hidden, bound_share(count, asked, found.level)))
        if apart is None:
            return found, proposal
        if count <= FEW * asked and apart.is_measured:
            return self._allow_for(apart, found, proposal)
        several = ", ".join(str(row + 1) for row in apart.origins[:NAMED])
        why = (
            f"Annealing does not come to {count} of {asked} rows (row {several}"
            f"{', ...' if count > NAMED else ''}), where bridge sampling finds a log Z of "
            f"{apart.mass}; it found {float(found.forward.value):.2f} elsewhere. Choose a base "
            "that covers all rows, such as a mixture with more components."
        )
        return refuse(found, why), proposal

    def ask_hot_starts(
        self, x: Shaped[Array, " size *shape"], proposal: AbstractDistribution, *, key: PRNGKeyArray
    ) -> tuple[LogZ, AbstractDistribution]:
        """The verdict of chains that start from base draws `x`, spread widely.

        The mixture is widened where annealing does not come and much mass seems to be.
        """
        spread, rest, go = jax.random.split(key, 3)
        start = start_hot(self.problem, x, BROAD, key=spread)
        settled = self._settle(start, np.arange(len(x)), key=rest)
        _, apart = self._find_unreached(settled, key=go)
        if apart is None:
            return self.found, proposal
        if apart.is_measured:
            return self._allow_for(apart, self.found, proposal)
        why = (
            f"{len(apart.origins)} of {len(x)} chains from hot starts end where annealing does not "
            f"come, with a log Z there of {apart.mass}: there may be a mode. Raise the particles, "
            "or choose a wider base."
        )
        return refuse(self.found, why), proposal

    def _allow_for(
        self, apart: "Apart", found: LogZ, proposal: AbstractDistribution
    ) -> tuple[LogZ, AbstractDistribution]:
        """A small mass apart raises the upper end; a larger one must be bridged with the rest."""
        if apart.highest > found.value + np.log(SMALL):
            return found, self.problem.mix(proposal, apart.proposal)
        upper = max(found.upper, float(np.logaddexp(self.found.upper, apart.highest)))
        return dataclasses.replace(found, upper=upper), proposal

    def _settle(
        self,
        x: Shaped[Array, " size *shape"],
        family: Int[np.ndarray, " size"],
        *,
        key: PRNGKeyArray,
    ) -> Settled:
        return self.annealing.settle(x, family, self.moves, careful=True, key=key)

    def _find_unreached(
        self, settled: Settled, *, key: PRNGKeyArray
    ) -> tuple[Estimate, "Apart | None"]:
        """The reverse estimate from settled chains; and those that annealing does not come to.

        They are moved again, in many copies, up to `ROUNDS` times: a chain on its slow way into the
        bulk is no mode.
        """
        back, weigh, *again = jax.random.split(key, 2 + ROUNDS)
        end, unreached = self._locate(settled, key=back)
        for now in again:
            if not len(unreached):
                return end, None
            rest, back = jax.random.split(now)
            settled = self._move_on(settled, unreached, key=rest)
            _, unreached = self._locate(settled, key=back)
        return end, self._weigh(settled, unreached, key=weigh) if len(unreached) else None

    def _locate(
        self, settled: Settled, *, key: PRNGKeyArray
    ) -> tuple[Estimate, Int[np.ndarray, " unreached"]]:
        """The reverse estimate, and which chains it shows to be out of reach.

        Of the copies of one start most must be; then those are.
        """
        family = settled.family
        end, values = self.annealing.reverse(settled.last, family, key=key)
        found = find_unreached(self.found.forward, values)
        stays = 2 * np.bincount(family[found], minlength=1 + family.max()) > np.bincount(family)
        return end, found[stays[family[found]]]

    def _move_on(
        self, settled: Settled, some: Int[np.ndarray, " some"], *, key: PRNGKeyArray
    ) -> Settled:
        copies = np.resize(some, self.size)
        return self._settle(jnp.asarray(settled.x[-1][copies]), settled.family[copies], key=key)

    def _weigh(
        self, settled: Settled, unreached: Int[np.ndarray, " unreached"], *, key: PRNGKeyArray
    ) -> "Apart":
        """log Z around the unreached chains, by a bridge to a mixture fitted to them."""
        rest, span = jax.random.split(key)
        early = settled.x[: PARTS // 2, unreached]
        proposal = self.problem.fit(early.reshape(-1, *early.shape[2:]))
        x = self._move_on(settled, unreached, key=rest).pool(slice(PARTS // 2))[0]
        mass = bridge_log_z(self.problem.target, proposal, x, np.arange(len(x)), key=span)
        return Apart(np.unique(settled.family[unreached]), proposal, mass)


@dataclasses.dataclass(frozen=True)
class Apart:
    """Where chains stay although annealing does not come: their starts, a mixture fitted to them,
    and log Z around there."""

    origins: Int[np.ndarray, " starts"]
    proposal: AbstractDistribution
    log_mass: Estimate

    @property
    def is_measured(self) -> bool:
        """Is the mass around there known at all?"""
        return float(self.log_mass.error) <= VAGUE

    @property
    def highest(self) -> float:
        """The upper end of log Z around there."""
        return float(self.log_mass.value + 2 * self.log_mass.error)

    @property
    def mass(self) -> str:
        """log Z around there, in words."""
        return f"{float(self.log_mass.value):.2f} +- {float(self.log_mass.error):.2f}"


def question(
    problem: AbstractProblem,
    annealing: Annealing,
    found: LogZ,
    rested: Settled,
    rows: Shaped[Array, " rows *shape"],
    wide: Shaped[Array, " size *shape"],
    hidden: float,
    *,
    key: PRNGKeyArray,
) -> LogZ:
    """The certificate of log Z, if rows, hot starts and bridge sampling have nothing against it.

    Args:
        found: log Z by both ends of the annealing.
        rested: chains at the energy, that the reverse end started from.
        rows: where mass should be.
        wide: base draws that nothing else has used.
        hidden: share of the mass that annealing is known to miss at most.
    """
    ask, look, span = jax.random.split(key, 3)
    moves = max(PARTS, len(rested.energy) // 2)
    asking = Questioning(problem, annealing, found, len(wide), moves, hidden)
    found, proposal = asking.ask_rows(rows, key=ask)
    if not found.certified:
        return found
    asking = dataclasses.replace(asking, found=found)
    found, proposal = asking.ask_hot_starts(wide, proposal, key=look)
    if not found.certified:
        return found
    x, family = rested.pool(slice(-2, None))
    return confirm(found, bridge_log_z(problem.target, proposal, x, family, key=span))
