"""What one page is made from: plain arrays, numbers and words, checked at birth."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from energax.errors import InputError
from energax.report.partners import Partners

SOURCES = ("train", "test", "draws", "noise")


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """A log-density on an even 2-D grid, nats: `log_density[i, j]` is at (`xs[j]`, `ys[i]`).

    It need not be normalised; minus infinity means density 0. NaN and infinity are refused.
    """

    xs: Shaped[np.ndarray, " columns"]
    ys: Shaped[np.ndarray, " rows"]
    log_density: Shaped[np.ndarray, " _ _"]

    def __post_init__(self):
        for name, axis in (("xs", self.xs), ("ys", self.ys)):
            gaps = np.diff(axis)
            if len(axis) < 2 or not np.all(gaps > 0) or np.ptp(gaps) > 1e-3 * gaps.mean():
                raise InputError(f"`{name}` of a density must be at least 2 evenly rising numbers.")
        if self.log_density.shape != (len(self.ys), len(self.xs)):
            raise InputError(
                f"`log_density` must have shape {(len(self.ys), len(self.xs))}, one row for each "
                f"of `ys`; got {self.log_density.shape}."
            )
        if not np.all(self.log_density < np.inf) or np.all(np.isneginf(self.log_density)):
            raise InputError("`log_density` holds NaN or infinity, or is zero density everywhere.")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """Everything that the page of one run shows; what is empty or None is said to be absent.

    `test`, `train`, `draws`: rows in the user's units; the shape of a row picks the pictures:
    (2,) the plane, (h, w), (h, w, 1 or 3) or (1 or 3, h, w) images, (d,) a table.
    `metrics`: a mapping for each line of the log: "step", "seconds" since the start, scalars.
    `evaluation`: name to a number, {"value", "error", "size"} or a sentence, one level of nesting
    allowed; `test_log_likelihood` and `baselines` have the form that `energax evaluate` writes.
    `energies`: of "train", "test", "draws" and "noise" rows, nats.
    `chains`: energies along chains, one in `thin` steps.
    `meanings`: half a line for numbers that the page does not know. `notes`: sentences for its top.
    `partners`: what a generator made, where the run trained one.

    Raises InputError where parts contradict each other, or a real row is not finite. Any other
    number that is not finite is shown as it is, and counted at the top of the page.
    """

    data: str
    objective: str
    command: str
    digest: str
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    metrics: Sequence[Mapping[str, Any]]
    evaluation: Mapping[str, Any]
    energies: Mapping[str, Shaped[np.ndarray, " _"]]
    test: Shaped[np.ndarray, " test ..."]
    train: Shaped[np.ndarray, " train ..."] | None = None
    draws: Shaped[np.ndarray, " draws ..."] | None = None
    chains: Float[np.ndarray, " chains steps"] | None = None
    thin: int = 1
    levels: int | None = None
    columns: Sequence[str] | None = None
    model_density: Density | None = None
    exact_density: Density | None = None
    meanings: Mapping[str, str] | None = None
    notes: Sequence[str] = ()
    partners: Partners | None = None

    def __post_init__(self):
        for name, rows in (("train", self.train), ("draws", self.draws)):
            if rows is not None and rows.shape[1:] != self.shape:
                raise InputError(
                    f"A row of `{name}` has shape {rows.shape[1:]}, one of `test` {self.shape}: "
                    "give both in the user's units."
                )
            if rows is not None and len(rows) == 0:
                raise InputError(f"`{name}` has no rows: give None for what is absent.")
        if len(self.test) == 0:
            raise InputError("`test` has no rows: there is nothing to compare the model with.")
        for name, rows in (("train", self.train), ("test", self.test)):
            if rows is not None and not np.all(np.isfinite(rows)):
                raise InputError(f"`{name}` holds a number that is not finite; real rows must not.")
        if self.columns is not None and (len(self.columns),) != self.shape:
            raise InputError(f"{len(self.columns)} `columns` do not name a row of {self.shape}.")
        for name, values in self.energies.items():
            if name not in SOURCES or np.ndim(values) != 1:
                raise InputError(f"`energies` holds 1-D arrays for {SOURCES}; got {name!r}.")
        if self.chains is not None and (self.chains.ndim != 2 or self.chains.shape[1] < 2):
            raise InputError("`chains` must have shape (chains, steps), with at least 2 steps.")
        if self.partners is not None and self.partners.shape != self.shape:
            raise InputError(
                f"A row of `partners` has shape {self.partners.shape}, one of `test` "
                f"{self.shape}: give both in the user's units."
            )
        for number, line in enumerate(self.metrics, 1):
            if "step" not in line:
                raise InputError(f"Line {number} of the metrics has no `step`.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.test.shape[1:]
