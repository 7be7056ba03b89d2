"""How training went: each metric against the step, raw and smoothed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from energax.report.figure import MODEL, NOISE, REAL, Picture, svg, tick, tidy
from energax.report.number import real
from energax.report.words import MEANINGS, title

CLOCK = ("step", "seconds", "steps_per_second", "rows_per_second")
"""Told by the speed card, not by a curve."""
WINDOWS = 40
"""The smoothed line averages over one part in this many of the run."""
POINTS = 800
"""More points than this in one line cannot be seen apart."""
COLOURS = {"energy_data": REAL, "energy_noise": NOISE}
LABELS = {"energy_data": "data", "energy_chain": "chains", "energy_noise": "noise"}
VARIABLES = {REAL: "real", MODEL: "model", NOISE: "noise"}


def curve(metrics: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of the lines that hold `name`, NaN and infinity included."""
    pairs = [(real(m["step"], "step"), real(m[name], name)) for m in metrics if name in m]
    steps, values = np.array(pairs, float).T
    return steps, values


def names(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every metric of the log in the order of its first appearance, without the clock."""
    seen = dict.fromkeys(name for line in metrics for name in line)
    return [name for name in seen if name not in CLOCK]


def steps_per_second(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """Median speed between lines of the log: compiling and a pause between runs leave it alone.

    With one line, what it says, compiling included; None where no line tells.
    """
    timed = [line for line in metrics if "seconds" in line]
    if len(timed) < 2:
        single = [real(m["steps_per_second"], "speed") for m in timed if "steps_per_second" in m]
        return single[0] if single else None
    steps, seconds = curve(timed, "seconds")
    gaps, waits = np.diff(steps), np.diff(seconds)
    forward = (gaps > 0) & (waits > 0)
    return float(np.median(gaps[forward] / waits[forward])) if forward.any() else None


def smoothed(values: np.ndarray) -> np.ndarray:
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


def _paint(figure: Figure, lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    axes = figure.add_subplot()
    tidy(axes, x="step")
    shown = np.concatenate([values for _, values in lines.values()])
    shown = shown[np.isfinite(shown)]
    for name, (steps, values) in lines.items():
        colour = COLOURS.get(name, MODEL)
        axes.plot(_thin(steps), _thin(values), color=colour, alpha=0.3, linewidth=0.8)
        axes.plot(_thin(steps), _thin(smoothed(values)), color=colour)
    if shown.size == 0:
        return
    if shown.min() > 0 and np.quantile(shown, 0.99) > 100 * np.quantile(shown, 0.01):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(tick))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(*_limits(shown))


def curves(
    metrics: Sequence[Mapping[str, Any]],
    meanings: Mapping[str, str] | None,
    shown: Sequence[str],
    name: str = "curve",
) -> list[Picture]:
    """A panel for each title of the `shown` metrics: a faint raw line under its moving average.

    `name` makes the ids of the drawings unique.
    """
    panels: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for metric in shown:
        panels.setdefault(title(metric), {})[metric] = curve(metrics, metric)
    pictures = []
    for order, (heading, lines) in enumerate(panels.items()):
        body = svg(
            lambda figure, lines=lines: _paint(figure, lines),
            name=f"{name}{order}",
            label=f"{heading} against the training step",
            size=(330, 200),
        )
        legend = [
            (VARIABLES[COLOURS.get(name, MODEL)], "line", LABELS.get(name, name)) for name in lines
        ]
        known = MEANINGS | dict(meanings or {})
        caption = known.get(" ".join(sorted(lines)), known.get(next(iter(lines)), ""))
        pictures.append(Picture(heading, body, caption, tuple(legend) if len(lines) > 1 else ()))
    return pictures
