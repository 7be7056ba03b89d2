"""The page of a comparison: all methods on one axis, in one table, and side by side."""

import dataclasses
import math

import numpy as np

from energax.report.comparison import Comparison, Method, columns, plain
from energax.report.figure import MODEL, REAL, Picture, locator, tick
from energax.report.figure_forest import baselines
from energax.report.figure_images import is_image, sheet, tiles
from energax.report.figure_plane import frame_of, panel
from energax.report.run_page import TEMPLATES
from energax.report.words import OBJECTIVES

FAR = 6.0
"""A method whose gap to the best is this many times the median gap lies beyond the axis."""

SHEET = 36
"""Draws of each method that are shown."""


@dataclasses.dataclass(frozen=True)
class Strip:
    """One line: words, dots and ends in percent of the axis; `beyond`: it lies left of it."""

    kind: str
    name: str
    detail: str
    text: str
    note: str
    exact: float | None
    dots: tuple[float, ...] = ()
    left: float | None = None
    right: float | None = None
    beyond: bool = False


def comparison_page(comparison: Comparison) -> str:
    """The whole page as HTML: styles and pictures inside, no script, no address to load from.

    Every string is escaped. Raises InputError for an evaluation of another form.
    """
    methods = comparison.methods
    low, high, ticks = _axis(comparison, methods)
    truth = comparison.truth
    mood, verdict = _verdict(comparison, methods)
    lead, samples = _samples(comparison, methods)
    return TEMPLATES.get_template("comparison.html").render(
        material=comparison,
        methods=methods,
        columns=columns(comparison),
        mood=mood,
        verdict=verdict,
        strips=_strips(comparison, methods, low, high),
        ticks=[(100 * (at - low) / (high - low), tick(at)) for at in ticks],
        truth_at=None if truth is None else 100 * (truth.value - low) / (high - low),
        caption=_caption(comparison),
        plane=comparison.test.shape[1:] == (2,),
        lead=lead,
        samples=samples,
        refusals=[(m.name, m.why) for m in methods if m.why],
        plain=plain,
    )


def _axis(comparison: Comparison, methods: list[Method]) -> tuple[float, float, list[float]]:
    """Left end, right end, ticks."""
    seen = [method.mean for method in methods if method.certified]
    rivals = [row.exact for row in baselines(comparison.baselines or {})]
    top = [comparison.truth.value] if comparison.truth is not None else []
    best = max([*seen, *top], default=0.0)
    gaps = [best - value for value in seen]
    reach = FAR * float(np.median(gaps)) if gaps else 1.0
    near = [v for v in [*seen, *rivals] if best - v <= reach and math.isfinite(v)]
    ends = [
        end
        for method in methods
        if method.certified and best - method.mean <= reach
        for found in method.certified
        for end in (found.lower, found.upper, found.value)
    ]
    points = [*near, *ends, *top] or [0.0]
    marks = [float(at) for at in locator(6).tick_values(min(points), max(points))]
    return marks[0], marks[-1], marks


def _strips(comparison: Comparison, methods: list[Method], low: float, high: float) -> list[Strip]:
    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    found = []
    if comparison.truth is not None:
        truth = comparison.truth
        words = (
            "truth",
            "True distribution",
            "no model can be expected to do better",
            plain(truth.value, 3),
        )
        found.append(Strip(*words, truth.error_text, truth.value, (place(truth.value),)))
    for method in methods:
        values = [entry.value for entry in method.certified]
        inside = [value for value in values if value >= low]
        ends = [max(e, low) for c in method.certified for e in (c.lower, c.upper) if c.upper >= low]
        spread = "" if method.spread is None else f"± {plain(method.spread, 3)} over seeds"
        found.append(
            Strip(
                "method-row",
                OBJECTIVES.get(method.name, method.name),
                method.name,
                plain(method.mean, 3) if values else "not certified",
                spread,
                method.mean if values else None,
                tuple(place(value) for value in inside),
                place(min(ends)) if ends else None,
                place(max(ends)) if ends else None,
                len(inside) < len(values),
            )
        )
    for row in baselines(comparison.baselines or {})[:3]:
        beyond = row.exact < low
        dots = () if beyond else (place(row.exact),)
        words = ("baseline", row.name, row.setting, plain(row.exact, 3))
        found.append(Strip(*words, row.error, row.exact, dots, beyond=beyond))
    return found


def _verdict(comparison: Comparison, methods: list[Method]) -> tuple[str, str]:
    known = [method for method in methods if method.certified]
    lost = sum(method.diverged for method in methods)
    ending = f" {lost} of {len(comparison.entries)} runs diverged." if lost else " No run diverged."
    if not known:
        return "poor", f"No method has a certified likelihood.{ending}"
    best = known[0]
    words = f"{OBJECTIVES.get(best.name, best.name)} is ahead with {plain(best.mean, 3)} nats"
    words = words[0].upper() + words[1:]
    if comparison.truth is not None:
        words += f", {plain(comparison.truth.value - best.mean, 3)} below the true distribution"
    return ("good" if not lost else "fair"), f"{words}.{ending}"


def _caption(comparison: Comparison) -> str:
    words = "All on the same test rows."
    if comparison.truth is not None:
        words += " The dashed line is the true distribution of the data."
    if comparison.baselines:
        words += " Grey: the three best of the simple models."
    return f"{words} An arrow at the left edge: some seeds lie below the axis."


def _samples(comparison: Comparison, methods: list[Method]) -> tuple[str, list[Picture]]:
    """A picture of each method, of its first run that has one; what the data look like first."""
    shape, test = comparison.test.shape[1:], comparison.test
    if shape == (2,):
        return _densities(comparison, methods)
    if not is_image(shape):
        return "Rows of a table: open the reports of the runs for their columns.", []
    low, high = (
        (float(test.min()), float(test.max()))
        if comparison.levels is None
        else (0.0, comparison.levels - 1.0)
    )
    label = f"The first {SHEET} test rows"
    found = [Picture("Real", sheet(tiles(test[:SHEET], low, high), 6, label), f"{label}.")]
    for method in methods:
        drawn = [entry.draws for entry in method.entries if entry.draws is not None]
        if drawn:
            body = sheet(tiles(drawn[0][:SHEET], low, high), 6, f"Draws of {method.name}")
            found.append(Picture(method.name, body, _value(method)))
    return "The first draws of the first seed of each method: none is chosen by hand.", found


def _densities(comparison: Comparison, methods: list[Method]) -> tuple[str, list[Picture]]:
    exact = comparison.exact_density
    frame, found = frame_of(comparison.test, exact), []
    if exact is not None:
        note = "Exact, as the rows were made."
        found.append(panel("True distribution", exact, REAL, note, frame=frame, name="exact"))
    for place, method in enumerate(methods):
        known = [entry.density for entry in method.entries if entry.density is not None]
        if known:
            name = f"method{place}"
            words = (method.name, known[0], MODEL, _value(method))
            found.append(panel(*words, frame=frame, name=name))
    lead = "The first seed of each method, all in one frame. Lines hold 50, 90 and 99% of the mass."
    return lead, found


def _value(method: Method) -> str:
    return f"{plain(method.mean, 3)} nats" if method.certified else "No certified likelihood."
