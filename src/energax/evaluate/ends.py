"""Both ends of annealing, and the chains at the energy that the reverse one starts from."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from energax.evaluate.anneal import Walk, walk
from energax.evaluate.base import Estimate
from energax.evaluate.kernel import AbstractKernel
from energax.evaluate.log_z import log_mean
from energax.evaluate.path import AbstractPath
from energax.evaluate.schedule import Schedule

PARTS = 8
"""Places that are kept of each chain while it settles."""


def combine_values(
    values: Float[np.ndarray, " size"], family: Int[np.ndarray, " size"]
) -> Estimate:
    """log Z from what each draw of a reverse run alone would give: -log mean exp(-value)."""
    mean = log_mean(-values, family)
    return Estimate(-mean.value, mean.error, mean.size)


@dataclasses.dataclass(frozen=True)
class Settled:
    """Chains at the energy: where they were at `PARTS` times, and what shows if they drift.

    `x` has a leading axis of parts; `family` numbers the start of each chain; `energy`, `gap` and
    `acceptance` have a line for each move.
    """

    x: Shaped[np.ndarray, " parts size *shape"]
    family: Int[np.ndarray, " size"]
    energy: Float[np.ndarray, " moves size"]
    gap: Float[np.ndarray, " moves size"]
    acceptance: Float[np.ndarray, " moves"]

    @property
    def last(self) -> Shaped[Array, " size *shape"]:
        """Where the chains ended."""
        return jnp.asarray(self.x[-1])

    def pool(self, parts: slice) -> tuple[np.ndarray, np.ndarray]:
        """All places of some parts, and the family of each."""
        kept = self.x[parts]
        return kept.reshape(-1, *kept.shape[2:]), np.tile(self.family, len(kept))


@dataclasses.dataclass(frozen=True)
class Annealing:
    """A frozen way between base and energy: path, moves, and times with step sizes."""

    path: AbstractPath
    kernel: AbstractKernel
    schedule: Schedule

    def forward(
        self, start: Shaped[Array, " size *shape"], *, key: PRNGKeyArray
    ) -> tuple[Estimate, Walk]:
        """log Z from exact base draws led to the energy: low on average; and their walk."""
        protocol = self.schedule.forward(self.path.precision(start))
        gone = walk(self.path, self.kernel, protocol, start, key=key)
        mean = log_mean(gone.log_weight, np.arange(len(start)))
        return Estimate(self.path.base.log_z() + mean.value, mean.error, mean.size), gone

    def reverse(
        self,
        start: Shaped[Array, " size *shape"],
        family: Int[np.ndarray, " size"],
        *,
        key: PRNGKeyArray,
    ) -> tuple[Estimate, Float[np.ndarray, " size"]]:
        """log Z from draws of the energy led back to the base: high on average; and what each draw
        alone would give.

        Draws of one `family` are not independent of each other.
        """
        protocol = self.schedule.reverse(self.path.precision(start))
        gone = walk(self.path, self.kernel, protocol, start, key=key)
        values = np.asarray(self.path.base.log_z() - gone.log_weight, np.float64)
        return combine_values(values, family), values

    def settle(
        self,
        start: Shaped[Array, " size *shape"],
        family: Int[np.ndarray, " size"],
        moves: int,
        *,
        careful: bool = False,
        key: PRNGKeyArray,
    ) -> Settled:
        """Move `start` at the energy.

        `careful`: for starts anywhere. In the first half of the moves step sizes vary widely, for
        places steeper than the model's bulk, and no chain goes to a base draw: one in a mode far
        from the base, or on its way into one, might leave it by such a jump.
        """
        x, kept, traces = start, [], []
        dtype = self.path.precision(start)
        for part, count in enumerate(np.diff(np.linspace(0, moves, PARTS + 1).astype(int))):
            early = careful and 2 * part < PARTS
            hold = self.schedule.hold(int(count), dtype, careful=early)
            moved = walk(self.path, self.kernel, hold, x, key=jax.random.fold_in(key, part))
            x = moved.x
            kept.append(np.asarray(x))
            lines = (moved.energy, moved.gap, moved.acceptance)
            traces.append([np.asarray(line[:count]) for line in lines])
        energy, gap, acceptance = (np.concatenate(lines) for lines in zip(*traces, strict=True))
        return Settled(np.stack(kept), family, energy, gap, acceptance)
