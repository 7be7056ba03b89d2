"""The page of a detection: how many rows are unusual, which ones, and what makes them so."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from energax.report.detection_results import DetectionResults
from energax.report.figure import (
    INK,
    MODEL,
    NOISE,
    REAL,
    Picture,
    draw_bars,
    format_tick,
    render_svg,
    tidy_axes,
)
from energax.report.run_page import TEMPLATES

SHOWN, REASONS = 25, 3
"""Rows that the page lists, at most, and columns that it names for each."""

NOTABLE = 0.05
"""Share of a row's excess from which a column is named."""

BINS = 60


@dataclasses.dataclass(frozen=True)
class Reason:
    """A column, its value, the value at which the row would be usual, and its share in percent."""

    column: str
    value: str
    usual: str
    share: int


@dataclasses.dataclass(frozen=True)
class Unusual:
    """A row of the table: its number from 1, its p-value, and the columns that count."""

    row: int
    p_value: str
    rejected: bool
    reasons: tuple[Reason, ...]


def render_detection(results: DetectionResults) -> str:
    """The page of a detection as HTML: self-contained, without scripts and network access.

    Every string is escaped.

    Returns:
        The text of one HTML file.

    Example:
        >>> one, cell = np.zeros(1), np.zeros((1, 1))
        >>> about = {"data": "a", "train": "b", "level": 0.1, "threshold": 0.0, "columns": ("x",)}
        >>> ex.report.render_detection(ex.report.DetectionResults(
        ...     **about, scores=one, calibration_scores=one, p_values=one + 0.5, rejected=one > 1,
        ...     worst=np.zeros(1, int), values=cell, excess=cell, usual=cell,
        ... ))[:15]
        '<!doctype html>'
    """
    mood, headline = results.summary
    return TEMPLATES.get_template("detection.html").render(
        results=results,
        mood=mood,
        headline=headline,
        pictures=[_draw_curve(results), _draw_scores(results)],
        unusual=list_unusual(results)[:SHOWN],
        columns=_rank_columns(results),
        held=len(results.calibration_scores),
        size=len(results.scores),
    )


def _draw_curve(results: DetectionResults) -> Picture:
    """The share of rows up to each p-value, beside that of usual rows."""
    held = len(results.calibration_scores)
    levels = np.geomspace(1 / (1 + held), 1, 200)
    shares = np.searchsorted(np.sort(results.p_values), levels, side="right") / len(results.scores)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="p-value", y="share of rows up to it")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: format_tick(value))
        axes.plot(levels, levels, color=NOISE, linestyle="--")
        axes.plot(levels, shares, color=MODEL)
        axes.axvline(results.level, color=INK, linewidth=0.8)

    label = "Share of rows against the p-value"
    body = render_svg(paint, name="curve", label=label, size=(400, 240))
    legend = (("model", "line", "new rows"), ("noise", "line", "usual rows, expected"))
    caption = f"The vertical line is the level, {results.level:g}."
    return Picture("Rows with a p-value up to a level", body, caption, legend)


def _draw_scores(results: DetectionResults) -> Picture:
    """Energies of new rows and of usual ones, and the threshold."""
    new, usual = -results.scores, -results.calibration_scores
    low, high = min(usual.min(), new.min()), np.quantile(usual, 0.99)
    high = max(high, np.quantile(new, 0.9), -results.threshold)
    high += 0.5 * (high - low) or 1.0

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="energy (low is usual)")
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        edges = np.linspace(low, high, BINS + 1)
        draw_bars(axes, usual, edges, REAL, 0.35)
        draw_bars(axes, new, edges, MODEL)
        axes.axvline(-results.threshold, color=INK, linewidth=0.8)
        axes.set_xlim(low, high)

    beyond = float(np.mean(new > high))
    caption = "The vertical line is the threshold."
    caption += f" {beyond:.1%} of the new rows are off the axis." if beyond else ""
    body = render_svg(paint, name="scores", label="Energies of rows", size=(400, 240))
    legend = (("real", "area", "usual rows, held out"), ("model", "line", "new rows"))
    return Picture("Energies", body, caption, legend)


def list_unusual(results: DetectionResults) -> list[Unusual]:
    """The worst rows, each with the columns that count most."""
    found = []
    for place, row in enumerate(results.worst):
        whole = results.excess[place].sum()
        order = np.argsort(-results.excess[place], kind="stable")[:REASONS]
        share = results.excess[place] / (whole if whole > 0 else 1.0)
        reasons = tuple(
            Reason(
                results.columns[column],
                f"{results.values[place, column]:.4g}",
                f"{results.usual[place, column]:.4g}",
                round(100 * share[column]),
            )
            for column in order
            if share[column] >= NOTABLE
        )
        p_value = f"{results.p_values[row]:.2g}"
        found.append(Unusual(int(row) + 1, p_value, bool(results.rejected[row]), reasons))
    return found


def _rank_columns(results: DetectionResults) -> list[tuple[str, str]]:
    """The columns that count most in the worst rows, with their share of the excess."""
    total = results.excess.sum(axis=1, keepdims=True)
    shares = (results.excess / np.where(total > 0, total, 1.0)).mean(axis=0) if len(total) else []
    order = np.argsort(-np.asarray(shares), kind="stable")[:10]
    return [(results.columns[at], f"{shares[at]:.0%}") for at in order if shares[at] > 0]
