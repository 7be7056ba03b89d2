"""Results of one run, as plain arrays, numbers and strings: the input of its page."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from energax.data import Column
from energax.errors import InputError
from energax.report.generator_results import GeneratorResults

SOURCES = ("train", "test", "draws", "noise")
"""Rows whose energies a page can show."""


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """A log-density on an even 2-D grid, nats: `log_density[i, j]` is at (`xs[j]`, `ys[i]`).

    It need not be normalised; minus infinity means density 0.

    Raises:
        InputError: an axis is not evenly spaced, the shapes disagree, or `log_density` holds NaN
            or infinity, or minus infinity everywhere.

    Example:
        >>> axis = np.linspace(-3, 3, 21)
        >>> density = ex.report.Density(axis, axis, -(axis[:, None] ** 2 + axis**2) / 2)
        >>> density.log_density.shape
        (21, 21)
    """

    xs: Shaped[np.ndarray, " columns"]
    ys: Shaped[np.ndarray, " rows"]
    log_density: Shaped[np.ndarray, " _ _"]

    def __post_init__(self):
        for name, axis in (("xs", self.xs), ("ys", self.ys)):
            gaps = np.diff(axis)
            if len(axis) < 2 or not np.all(gaps > 0) or np.ptp(gaps) > 1e-3 * gaps.mean():
                raise InputError(
                    f"`{name}` of a density must be at least 2 evenly spaced, increasing numbers."
                )
        if self.log_density.shape != (len(self.ys), len(self.xs)):
            raise InputError(
                f"`log_density` must have shape {(len(self.ys), len(self.xs))}, one row for each "
                f"of `ys`; got {self.log_density.shape}."
            )
        if not np.all(self.log_density < np.inf) or np.all(np.isneginf(self.log_density)):
            raise InputError("`log_density` holds NaN or infinity, or is zero density everywhere.")


def _is_cell(rows: np.ndarray) -> np.ndarray:
    """Is it a number, or missing?"""
    return ~np.isinf(rows)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RunResults:
    """Everything that the page of one run shows; the page names every part that is absent.

    Args:
        data: name of the data set.
        method: short name of the method, as on the command line.
        title: its full name.
        test: test rows in the user's units, all finite. The shape of a row picks the figures:
            (2,) the plane, (h, w), (h, w, 1 or 3) or (1 or 3, h, w) images, (d,) a table.
        train: training rows, all finite.
        draws: rows drawn from the model; values that are not finite are counted on the page.
        command: the command that repeats the run.
        digest: SHA-256 of the data.
        options: options by group: {"optimiser": {"learning_rate": 0.001}}.
        versions: package to version.
        metrics: one mapping for each line of the training log: "step", "seconds" since the start,
            and scalars.
        evaluation: name to a number, to {"value", "error", "size"} or to a sentence; mappings may
            be nested once. `test_log_likelihood` holds value, lower, upper, certified, why and
            level. `baselines` maps a name to {"value", "error", "size", "setting"}, and to
            {"value", "error", "size"} under "difference": the mean over test rows of (model
            log-density - baseline log-density) with its paired standard error, nats.
        energies: of "train", "test", "draws" and "noise" rows, nats.
        chains: energies along chains, one in `thin` steps.
        thin: steps of a chain between two columns of `chains`.
        levels: number of values of integer data, 256 for bytes.
        states: number of values of a site, for bits and categories; None for all else.
        couplings: strength of the coupling of each pair of sites, for an energy of pairs.
        columns: names of the columns of a table.
        kinds: for mixed columns, what each of them is; then NaN stands for a missing cell.
        model_density: the learned density, in the plane.
        exact_density: the density that the data were drawn from, in the plane.
        meanings: explanations of numbers that the page does not know.
        notes: sentences for the top of the page.
        generator: results of a generator, where the run trained one.

    Raises:
        InputError: the parts contradict each other, or `test` or `train` is not finite.

    Example:
        >>> rows = np.zeros((8, 2))
        >>> ex.report.RunResults(data="zeros", method="nce", title="NCE", test=rows).shape
        (2,)
    """

    data: str
    method: str
    title: str
    test: Shaped[np.ndarray, " test ..."]
    train: Shaped[np.ndarray, " train ..."] | None = None
    draws: Shaped[np.ndarray, " draws ..."] | None = None
    command: str = ""
    digest: str = ""
    options: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    evaluation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    energies: Mapping[str, Shaped[np.ndarray, " _"]] = dataclasses.field(default_factory=dict)
    chains: Float[np.ndarray, " chains steps"] | None = None
    thin: int = 1
    levels: int | None = None
    states: int | None = None
    couplings: Float[np.ndarray, " sites sites"] | None = None
    columns: Sequence[str] | None = None
    kinds: Sequence[Column] | None = None
    model_density: Density | None = None
    exact_density: Density | None = None
    meanings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()
    generator: GeneratorResults | None = None

    def __post_init__(self):
        self._check_rows()
        if self.columns is not None and (len(self.columns),) != self.shape:
            raise InputError(f"{len(self.columns)} `columns` cannot name a row of {self.shape}.")
        for name, values in self.energies.items():
            if name not in SOURCES or np.ndim(values) != 1:
                raise InputError(f"`energies` holds 1-D arrays for {SOURCES}; got {name!r}.")
        if self.chains is not None and (self.chains.ndim != 2 or self.chains.shape[1] < 2):
            raise InputError("`chains` must have shape (chains, steps), with at least 2 steps.")
        if self.generator is not None and self.generator.shape != self.shape:
            raise InputError(
                f"A row of `generator` has shape {self.generator.shape}, one of `test` "
                f"{self.shape}: give both in the user's units."
            )
        for number, line in enumerate(self.metrics, 1):
            if "step" not in line:
                raise InputError(f"Line {number} of the metrics has no `step`.")

    def _check_rows(self):
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
            fine = np.isfinite if self.kinds is None else _is_cell
            if rows is not None and not np.all(fine(rows)):
                raise InputError(f"`{name}` holds NaN or infinity; real rows must be finite.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.test.shape[1:]
