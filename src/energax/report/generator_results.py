"""Results of the auxiliary networks: a generator, and an encoder where there is one."""

import dataclasses

import numpy as np
from jaxtyping import Float, Shaped

from energax.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class RefinedDraws:
    """Generator draws after a short chain on the energy, and the energies along each chain.

    Args:
        after_chain: the last state of each chain, in the user's units.
        energies: one line for each chain, nats; the first value is that of the generator's draw.

    Raises:
        InputError: `energies` does not hold one line of at least 2 values for each draw.

    Example:
        >>> refined = ex.report.RefinedDraws(np.zeros((8, 2)), np.zeros((8, 11)))
        >>> refined.after_chain.shape
        (8, 2)
    """

    after_chain: Shaped[np.ndarray, " draws ..."]
    energies: Float[np.ndarray, " lines steps"]

    def __post_init__(self):
        if self.energies.shape[0] != len(self.after_chain) or self.energies.shape[1] < 2:
            raise InputError(
                "`energies` must hold one line of at least 2 values for each of "
                f"{len(self.after_chain)} draws; got shape {self.energies.shape}."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Reconstructions:
    """Rows beside G(z), with z inferred for each row: before and after a Langevin chain on z.

    Args:
        rows: the real rows, in the user's units.
        initial: G(z) at the start of the chains on z.
        after_chain: G(z) at their ends; equal to `initial` where `steps` is 0.
        steps: Langevin steps on z.
        start: where the chains on z start, as a phrase: "at the encoder's mean".

    Raises:
        InputError: there are no rows, or not one reconstruction for each.

    Example:
        >>> rows = np.zeros((8, 2))
        >>> ex.report.Reconstructions(rows, rows + 2, rows + 1, 10, "at the prior").errors[1][0]
        np.float64(1.0)
    """

    rows: Shaped[np.ndarray, " rows ..."]
    initial: Shaped[np.ndarray, " rows ..."]
    after_chain: Shaped[np.ndarray, " rows ..."]
    steps: int
    start: str

    def __post_init__(self):
        if not len(self.rows):
            raise InputError("`rows` must not be empty.")
        for name in ("initial", "after_chain"):
            found = getattr(self, name).shape
            if found != self.rows.shape:
                raise InputError(f"`{name}` must have shape {self.rows.shape}; got {found}.")

    @property
    def errors(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared error of each row, before and after the chain on z."""
        real = self.rows.astype(np.float64)
        axes = tuple(range(1, real.ndim))
        initial, final = (np.mean((x - real) ** 2, axes) for x in (self.initial, self.after_chain))
        return initial, final


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GeneratorResults:
    """Draws, reconstructions and interpolations of a generator, all in the user's units.

    Args:
        initial: draws of the generator.
        lines: (line, point, ...), G(z) along straight lines in z.
        ends: what the lines connect, as a phrase: "from one draw of z to another".
        encoder: whether the run trained an encoder.
        refined: the same draws after the chains of training; None where no chain starts there.
        reconstructions: None where the method infers no z.

    Raises:
        InputError: `initial` is empty, or the parts disagree in shape or number.

    Example:
        >>> x = np.zeros((8, 2))
        >>> ex.report.GeneratorResults(initial=x, lines=x[None], ends="", encoder=False).shape
        (2,)
    """

    initial: Shaped[np.ndarray, " draws ..."]
    lines: Shaped[np.ndarray, " lines points ..."]
    ends: str
    encoder: bool
    refined: RefinedDraws | None = None
    reconstructions: Reconstructions | None = None

    def __post_init__(self):
        if not len(self.initial):
            raise InputError("`initial` must not be empty.")
        shapes = {"lines": self.lines.shape[2:]}
        if self.refined is not None:
            shapes["refined"] = self.refined.after_chain.shape[1:]
            if len(self.refined.after_chain) != len(self.initial):
                raise InputError("`refined` must have one draw for each of `initial`.")
        if self.reconstructions is not None:
            shapes["reconstructions"] = self.reconstructions.rows.shape[1:]
        for name, found in shapes.items():
            if found != self.shape:
                raise InputError(f"A row of `{name}` must have shape {self.shape}; got {found}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one draw."""
        return self.initial.shape[1:]
