"""The model beside its baselines: a dot and an interval for each, on one axis."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from energax.report.figure import format_tick, make_locator
from energax.report.labels import title_of
from energax.report.number import Interval, Number, read_number
from energax.report.verdict import Difference, read_difference


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: text, and where dot and ends lie on the axis, in percent (None: off the axis)."""

    kind: str
    name: str
    setting: str
    exact: float
    text: str
    error: str
    ends: tuple[float, float]
    difference: Difference | None = None
    at: float | None = None
    left: float | None = None
    right: float | None = None


@dataclasses.dataclass(frozen=True)
class Forest:
    """Lines, best first, and the ticks of their axis as (percent, text)."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]

    @property
    def paired(self) -> bool:
        """True where a baseline has a paired difference."""
        return any(row.difference is not None for row in self.rows)


def baseline_rows(entries: Mapping[str, Any], model: Interval | None = None) -> list[Row]:
    """One line for each baseline, best first: value, and one standard error to either side."""
    rows = []
    for name, entry in entries.items():
        figure = read_number(entry, f"baselines.{name}")
        match entry:
            case {"setting": setting} if setting:
                detail = str(setting)
            case _:
                detail = ""
        row = _number_row("baseline", title_of(name), detail, figure)
        rows.append(dataclasses.replace(row, difference=read_difference(model, name, entry)))
    return sorted(rows, key=_rank)


def _number_row(kind: str, name: str, detail: str, figure: Number) -> Row:
    error = figure.error or 0.0
    ends = figure.value - error, figure.value + error
    return Row(kind, name, detail, figure.value, figure.text, figure.error_text, ends)


def _rank(row: Row) -> tuple[bool, float]:
    return math.isnan(row.exact), -row.exact


def build_forest(
    model: Interval | None, entries: Mapping[str, Any], truth: Number | None = None
) -> Forest | None:
    """All lines on one axis; None where there is nothing to compare. Not finite: no mark.

    `truth` is the true distribution of the data, where it is known: a limit, not a baseline.
    """
    rows = baseline_rows(entries, model)
    if truth is not None:
        detail = "the upper limit, up to the error over rows"
        rows.append(_number_row("truth", "True distribution", detail, truth))
    if model is not None and not model.absent:
        kind = "model" if model.certified else "uncertified"
        detail = "certified interval of log Z" if model.certified else "not certified"
        ends = model.lower, model.upper
        rows.append(Row(kind, "This model", detail, model.value, model.text, model.span, ends))
    if not rows:
        return None
    seen = [x for row in rows for x in (row.exact, *row.ends) if math.isfinite(x)] or [0.0]
    ticks = make_locator(5).tick_values(min(seen), max(seen))
    low, high = float(ticks[0]), float(ticks[-1])

    def place(value: float) -> float | None:
        return 100 * (value - low) / (high - low) if math.isfinite(value) else None

    placed = [
        dataclasses.replace(r, at=place(r.exact), left=place(r.ends[0]), right=place(r.ends[1]))
        for r in rows
    ]
    marks = tuple((100 * (t - low) / (high - low), format_tick(float(t))) for t in ticks)
    return Forest(tuple(sorted(placed, key=_rank)), marks)
