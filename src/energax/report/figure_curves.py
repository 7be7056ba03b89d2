"""How training went: each metric against the step, raw and smoothed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from energax.report.figure import MODEL, NOISE, REAL, Picture, format_tick, render_svg, tidy_axes
from energax.report.labels import MEANINGS, title_of
from energax.report.number import read_float

CLOCK = ("step", "seconds", "steps_per_second", "rows_per_second")
"""Shown on the card of the speed, not as a curve."""
LOOKED, KEPT = "validation", "kept"
"""The loss on validation rows, and the update at which it was best: a mark in its curve."""
WINDOWS = 40
"""The smoothed line averages over this fraction, 1 / WINDOWS, of the run."""
POINTS = 800
"""Most points of one line: more cannot be seen."""
COLOURS = {"energy_data": REAL, "energy_noise": NOISE}
LABELS = {"energy_data": "data", "energy_chain": "chains", "energy_noise": "noise"}
VARIABLES = {REAL: "real", MODEL: "model", NOISE: "noise"}


def read_curve(metrics: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of the lines that hold `name`, NaN and infinity included."""
    pairs = [
        (read_float(m["step"], "step"), read_float(m[name], name)) for m in metrics if name in m
    ]
    steps, values = np.array(pairs, float).T
    return steps, values


def metric_names(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every metric of the log in the order of its first appearance, without times and speeds."""
    seen = dict.fromkeys(name for line in metrics for name in line)
    return [name for name in seen if name not in (*CLOCK, KEPT)]


def steps_per_second(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """Median speed between lines of the log: neither compilation nor a pause changes it.

    With a single line, the speed that it holds, compilation included; None without any.
    """
    timed = [line for line in metrics if "seconds" in line]
    if len(timed) < 2:
        single = [
            read_float(m["steps_per_second"], "speed") for m in timed if "steps_per_second" in m
        ]
        return single[0] if single else None
    steps, seconds = read_curve(timed, "seconds")
    gaps, waits = np.diff(steps), np.diff(seconds)
    forward = (gaps > 0) & (waits > 0)
    return float(np.median(gaps[forward] / waits[forward])) if forward.any() else None


def smooth(values: np.ndarray) -> np.ndarray:
    """Centred moving average over `len(values) / WINDOWS` values, shorter at the two ends.

    Values that are not finite are left out; NaN where a window has none.
    """
    half = max(1, len(values) // WINDOWS) // 2
    fine = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(fine, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(fine)])
    place = np.arange(len(values))
    high, low = np.minimum(place + half + 1, len(values)), np.maximum(place - half, 0)
    number = count[high] - count[low]
    return np.where(number > 0, (total[high] - total[low]) / np.maximum(number, 1), np.nan)


def _thin(values: np.ndarray) -> np.ndarray:
    return values[:: max(1, len(values) // POINTS)]


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The middle 99% with a margin, so that a first spike does not flatten the rest."""
    low, high = np.quantile(values, (0.005, 0.995))
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _paint(
    figure: Figure, lines: dict[str, tuple[np.ndarray, np.ndarray]], mark: float | None
) -> None:
    axes = figure.add_subplot()
    tidy_axes(axes, x="step")
    if mark is not None:
        axes.axvline(mark, color=NOISE, linestyle="--", linewidth=1.0)
    shown = np.concatenate([values for _, values in lines.values()])
    shown = shown[np.isfinite(shown)]
    for name, (steps, values) in lines.items():
        colour = COLOURS.get(name, MODEL)
        axes.plot(_thin(steps), _thin(values), color=colour, alpha=0.3, linewidth=0.8)
        axes.plot(_thin(steps), _thin(smooth(values)), color=colour)
    if shown.size == 0:
        return
    if shown.min() > 0 and np.quantile(shown, 0.99) > 100 * np.quantile(shown, 0.01):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(format_tick))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(*_limits(shown))


def draw_curves(
    metrics: Sequence[Mapping[str, Any]],
    meanings: Mapping[str, str],
    shown: Sequence[str],
    name: str = "curve",
) -> list[Picture]:
    """A panel for each title of the `shown` metrics: a faint raw line under its moving average.

    `name` makes the ids of the drawings unique.
    """
    panels: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for metric in shown:
        panels.setdefault(title_of(metric), {})[metric] = read_curve(metrics, metric)
    pictures = []
    kept = metrics[-1].get(KEPT) if metrics else None
    for order, (heading, lines) in enumerate(panels.items()):
        mark = None if kept is None or LOOKED not in lines else read_float(kept, KEPT)
        body = render_svg(
            lambda figure, lines=lines, mark=mark: _paint(figure, lines, mark),
            name=f"{name}{order}",
            label=f"{heading} against the training step",
            size=(330, 200),
        )
        legend = [
            (VARIABLES[COLOURS.get(name, MODEL)], "line", LABELS.get(name, name)) for name in lines
        ]
        known = MEANINGS | dict(meanings)
        caption = known.get(" ".join(sorted(lines)), known.get(next(iter(lines)), ""))
        caption = f"{caption[:1].upper()}{caption[1:]}"
        pictures.append(Picture(heading, body, caption, tuple(legend) if len(lines) > 1 else ()))
    return pictures
