"""What the page shows of the players beside the energy: a generator, and an encoder where it is."""

import dataclasses

import numpy as np
from jaxtyping import Float, Shaped

from energax.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Revised:
    """`ended`: where the chains of training take draws; `energies` along them, nats, starts first.

    Raises InputError where there is not one line of at least 2 energies for each draw.
    """

    ended: Shaped[np.ndarray, " draws ..."]
    energies: Float[np.ndarray, " lines steps"]

    def __post_init__(self):
        if self.energies.shape[0] != len(self.ended) or self.energies.shape[1] < 2:
            raise InputError(
                f"`energies` must hold a line of at least 2 for each of {len(self.ended)} draws; "
                f"got shape {self.energies.shape}."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Reconstructed:
    """`rows`, and what a generator makes of their z: `first` where the chains on z begin, `last`
    where they end after `steps` steps. `start` says where they begin ("at the encoder's mean").

    Raises InputError where there are no rows, or not a reconstruction for each.
    """

    rows: Shaped[np.ndarray, " rows ..."]
    first: Shaped[np.ndarray, " rows ..."]
    last: Shaped[np.ndarray, " rows ..."]
    steps: int
    start: str

    def __post_init__(self):
        if not len(self.rows):
            raise InputError("`rows` must not be empty.")
        for name in ("first", "last"):
            found = getattr(self, name).shape
            if found != self.rows.shape:
                raise InputError(f"`{name}` must have shape {self.rows.shape}; got {found}.")

    @property
    def errors(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared error of a number of each row, before and after the chain on z."""
        true = self.rows.astype(np.float64)
        axes = tuple(range(1, true.ndim))
        before, after = (np.mean((x - true) ** 2, axis=axes) for x in (self.first, self.last))
        return before, after


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Partners:
    """A generator's draws, rows as it makes them, and lines between; all in the user's units.

    `begun`: its draws. `revised`: what the chains of training make of those, and `reconstructed`:
    rows from the z that are inferred for them; None for a run that has no such chains. `lines`:
    (line, point, ...), what it makes along straight lines in z, from and to what `ends` says.
    `encoder`: is there one?

    Raises InputError where the parts contradict each other.
    """

    begun: Shaped[np.ndarray, " draws ..."]
    lines: Shaped[np.ndarray, " lines points ..."]
    ends: str
    encoder: bool
    revised: Revised | None = None
    reconstructed: Reconstructed | None = None

    def __post_init__(self):
        if not len(self.begun):
            raise InputError("`begun` must not be empty.")
        shapes = {"lines": self.lines.shape[2:]}
        if self.revised is not None:
            shapes["revised"] = self.revised.ended.shape[1:]
            if len(self.revised.ended) != len(self.begun):
                raise InputError("`revised` must have a draw for each of `begun`.")
        if self.reconstructed is not None:
            shapes["reconstructed"] = self.reconstructed.rows.shape[1:]
        for name, found in shapes.items():
            if found != self.shape:
                raise InputError(f"A row of `{name}` must have shape {self.shape}; got {found}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one draw."""
        return self.begun.shape[1:]
