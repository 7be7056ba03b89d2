"""The page of a comparison: all methods on one axis, in one table, and in figures."""

import dataclasses
import math

import numpy as np

from energax.report.comparison import Comparison, Method
from energax.report.comparison_table import format_fixed, make_columns
from energax.report.figure import MODEL, REAL, Picture, format_tick, make_locator
from energax.report.figure_forest import baseline_rows
from energax.report.figure_images import draw_sheet, is_image, to_pixels
from energax.report.figure_plane import draw_panel, frame_of
from energax.report.run_page import TEMPLATES

FAR = 6.0
"""A method whose gap to the best is this many times the median gap lies beyond the axis."""

SHEET = 36
"""Draws of each method that are shown."""


@dataclasses.dataclass(frozen=True)
class Strip:
    """One line: text, dots and ends in percent of the axis; `beyond`: a dot lies left of it."""

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


def render_comparison(comparison: Comparison) -> str:
    """The page of a comparison as HTML: self-contained, without scripts and network access.

    Every string is escaped.

    Returns:
        The text of one HTML file.

    Raises:
        InputError: an evaluation holds something that is not a number where a number belongs.

    Example:
        >>> run = {"method": "nce", "title": "NCE", "seed": 0, "path": "runs/a", "seconds": 9.5}
        >>> some = {"data": "a", "entries": [ex.report.Entry(**run, evaluation={"mmd": 0.25})]}
        >>> ex.report.render_comparison(ex.report.Comparison(**some, test=np.zeros((8, 2))))[:15]
        '<!doctype html>'
    """
    methods = comparison.methods
    low, high, ticks = _axis(comparison, methods)
    truth = comparison.truth
    mood, headline = _summarise(comparison, methods)
    lead, samples = _samples(comparison, methods)
    return TEMPLATES.get_template("comparison.html").render(
        results=comparison,
        methods=methods,
        columns=make_columns(comparison),
        mood=mood,
        headline=headline,
        strips=_strips(comparison, methods, low, high),
        ticks=[(100 * (at - low) / (high - low), format_tick(at)) for at in ticks],
        truth_at=None if truth is None else 100 * (truth.value - low) / (high - low),
        caption=_caption(comparison),
        plane=comparison.test.shape[1:] == (2,),
        lead=lead,
        samples=samples,
        refusals=[(m.name, m.why) for m in methods if m.why],
        format_fixed=format_fixed,
    )


def _axis(comparison: Comparison, methods: list[Method]) -> tuple[float, float, list[float]]:
    """Left end, right end, ticks."""
    seen = [method.mean for method in methods if method.certified]
    others = [row.exact for row in baseline_rows(comparison.baselines or {})]
    top = [comparison.truth.value] if comparison.truth is not None else []
    best = max([*seen, *top], default=0.0)
    gaps = [best - value for value in seen]
    reach = FAR * float(np.median(gaps)) if gaps else 1.0
    near = [v for v in [*seen, *others] if best - v <= reach and math.isfinite(v)]
    ends = [
        end
        for method in methods
        if method.certified and best - method.mean <= reach
        for found in method.certified
        for end in (found.lower, found.upper, found.value)
    ]
    points = [*near, *ends, *top] or [0.0]
    marks = [float(at) for at in make_locator(6).tick_values(min(points), max(points))]
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
            "the upper limit, up to the error over rows",
            format_fixed(truth.value, 3),
        )
        found.append(Strip(*words, truth.error_text, truth.value, (place(truth.value),)))
    for method in methods:
        values = [entry.value for entry in method.certified]
        inside = [value for value in values if value >= low]
        ends = [max(e, low) for c in method.certified for e in (c.lower, c.upper) if c.upper >= low]
        spread = "" if method.spread is None else f"± {format_fixed(method.spread, 3)} over seeds"
        found.append(
            Strip(
                "method-row",
                method.title,
                method.name,
                format_fixed(method.mean, 3) if values else "not certified",
                spread,
                method.mean if values else None,
                tuple(place(value) for value in inside),
                place(min(ends)) if ends else None,
                place(max(ends)) if ends else None,
                len(inside) < len(values),
            )
        )
    for row in baseline_rows(comparison.baselines or {})[:3]:
        beyond = row.exact < low
        dots = () if beyond else (place(row.exact),)
        words = ("baseline", row.name, row.setting, format_fixed(row.exact, 3))
        found.append(Strip(*words, row.error, row.exact, dots, beyond=beyond))
    return found


def _summarise(comparison: Comparison, methods: list[Method]) -> tuple[str, str]:
    known = [method for method in methods if method.certified]
    lost = sum(method.diverged for method in methods)
    ending = f" {lost} of {len(comparison.entries)} runs diverged." if lost else " No run diverged."
    if not known:
        return "poor", f"No method has a certified likelihood.{ending}"
    best = known[0]
    text = f"Highest mean test log-likelihood: {best.title}, {format_fixed(best.mean, 3)} nats"
    if comparison.truth is not None:
        gap = format_fixed(comparison.truth.value - best.mean, 3)
        text += f", {gap} below the true distribution"
    return ("good" if not lost else "fair"), f"{text}.{ending}"


def _caption(comparison: Comparison) -> str:
    text = "All on the same test rows."
    if comparison.truth is not None:
        text += " The dashed line is the true distribution of the data."
    if comparison.baselines:
        text += " Grey: the best baselines."
    return f"{text} An arrow at the left edge: some seeds lie off the axis."


def _samples(comparison: Comparison, methods: list[Method]) -> tuple[str, list[Picture]]:
    """A figure of the data, then one of each method, from its first run that has draws."""
    shape, test = comparison.test.shape[1:], comparison.test
    if shape == (2,):
        return _densities(comparison, methods)
    if not is_image(shape):
        return "For draws of a table, open the report of each run.", []
    low, high = (
        (float(test.min()), float(test.max()))
        if comparison.levels is None
        else (0.0, comparison.levels - 1.0)
    )
    label = f"The first {SHEET} test rows"
    found = [
        Picture("Test rows", draw_sheet(to_pixels(test[:SHEET], low, high), 6, label), f"{label}.")
    ]
    for method in methods:
        drawn = [entry.draws for entry in method.entries if entry.draws is not None]
        if drawn:
            body = draw_sheet(to_pixels(drawn[0][:SHEET], low, high), 6, f"Draws of {method.name}")
            found.append(Picture(method.name, body, _value(method)))
    return "The first draws of the first seed of each method, not selected.", found


def _densities(comparison: Comparison, methods: list[Method]) -> tuple[str, list[Picture]]:
    exact = comparison.exact_density
    frame, found = frame_of(comparison.test, exact), []
    if exact is not None:
        note = "The density that the data were drawn from."
        found.append(draw_panel("True distribution", exact, REAL, note, frame=frame, name="exact"))
    for place, method in enumerate(methods):
        known = [entry.density for entry in method.entries if entry.density is not None]
        if known:
            name = f"method{place}"
            words = (method.name, known[0], MODEL, _value(method))
            found.append(draw_panel(*words, frame=frame, name=name))
    lead = (
        "The first seed of each method, all on the same axes. Contours: 50, 90 and 99% of the mass."
    )
    return lead, found


def _value(method: Method) -> str:
    return (
        f"{format_fixed(method.mean, 3)} nats" if method.certified else "No certified likelihood."
    )
