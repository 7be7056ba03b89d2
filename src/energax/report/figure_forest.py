"""The model beside its baselines: a dot and an interval for each, on one axis."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from energax.report.figure import locator, tick
from energax.report.number import Interval, Number, number
from energax.report.words import title


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: words, and where dot and ends lie on the axis, in percent (None: nowhere)."""

    kind: str
    name: str
    setting: str
    exact: float
    text: str
    error: str
    ends: tuple[float, float]
    at: float | None = None
    left: float | None = None
    right: float | None = None


@dataclasses.dataclass(frozen=True)
class Forest:
    """Lines, best first, and the ticks of their axis as (percent, text)."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]


def baselines(entries: Mapping[str, Any]) -> list[Row]:
    """One line for each baseline: value, and one standard error to either side."""
    rows = []
    for name, entry in entries.items():
        figure = number(entry, f"baselines.{name}")
        match entry:
            case {"setting": setting} if setting:
                detail = str(setting)
            case _:
                detail = ""
        error = figure.error or 0.0
        ends = figure.value - error, figure.value + error
        rows.append(
            Row("baseline", title(name), detail, figure.value, figure.text, figure.error_text, ends)
        )
    return sorted(rows, key=_rank)


def _rank(row: Row) -> tuple[bool, float]:
    return math.isnan(row.exact), -row.exact


def forest(
    model: Interval | None, entries: Mapping[str, Any], truth: Number | None = None
) -> Forest | None:
    """All lines on one axis; None where there is nothing to compare. Not finite: no mark.

    `truth` is the true distribution of the data, where it is known: a limit, not a baseline.
    """
    rows = baselines(entries)
    if truth is not None:
        error = truth.error or 0.0
        ends = truth.value - error, truth.value + error
        detail = "exact: no model can be expected to do better"
        rows.append(
            Row(
                "truth",
                "True distribution",
                detail,
                truth.value,
                truth.text,
                truth.error_text,
                ends,
            )
        )
    if model is not None and not model.absent:
        kind = "model" if model.certified else "uncertified"
        detail = "certified interval" if model.certified else "not certified"
        ends = model.lower, model.upper
        rows.append(Row(kind, "This model", detail, model.value, model.text, model.span, ends))
    if not rows:
        return None
    seen = [x for row in rows for x in (row.exact, *row.ends) if math.isfinite(x)] or [0.0]
    ticks = locator(5).tick_values(min(seen), max(seen))
    low, high = float(ticks[0]), float(ticks[-1])

    def place(value: float) -> float | None:
        return 100 * (value - low) / (high - low) if math.isfinite(value) else None

    placed = [
        dataclasses.replace(r, at=place(r.exact), left=place(r.ends[0]), right=place(r.ends[1]))
        for r in rows
    ]
    marks = tuple((100 * (t - low) / (high - low), tick(float(t))) for t in ticks)
    return Forest(tuple(sorted(placed, key=_rank)), marks)


def verdict(model: Interval | None, entries: Mapping[str, Any]) -> tuple[str, str]:
    """("good", "fair", "poor" or "unknown") and the one sentence that sums the run up."""
    if model is None:
        return "unknown", (
            "The normaliser Z is not known for this run, so there is no test log-likelihood: "
            "judge by the draws, the energies and the distances below."
        )
    why = model.why.rstrip(".") or "no reason was recorded"
    if model.absent:
        return "unknown", f"There is no test log-likelihood. {why}."
    if not model.certified:
        return "poor", f"The test log-likelihood is not certified: {why}."
    if not model.finite:
        return "poor", f"The test log-likelihood is not finite: {model.text}, {model.span}."
    rivals = [row for row in baselines(entries) if not math.isnan(row.exact)]
    if not rivals:
        return (
            "good",
            "The test log-likelihood is certified; there is no baseline to hold it against.",
        )
    best = rivals[0]
    name = f"{best.name} ({best.setting})" if best.setting else best.name
    if model.lower > best.exact:
        gain = tick(round(model.lower - best.exact, 2))
        return "good", (
            f"Better than every baseline: the whole certified interval lies above the best one, "
            f"{name}, by at least {gain} nats per row."
        )
    if model.upper < best.exact:
        loss = tick(round(best.exact - model.upper, 2))
        return "poor", f"The best baseline, {name}, is better by at least {loss} nats per row."
    return "fair", f"On a par with the best baseline, {name}: its value lies inside the interval."
