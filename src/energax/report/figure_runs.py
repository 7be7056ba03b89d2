"""Repeated runs against the iteration, with published values as marks: a PNG for a page."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from energax.report.figure import INK, MODEL, MUTED, NOISE, REAL, SETTINGS, format_tick, tidy_axes

PAPER = "#fbfaf7"
DPI = 120
FIRST = 10
"""Where the logarithmic axis of iterations begins."""


@dataclasses.dataclass(frozen=True)
class Line:
    """Runs of one setting: `values` of each measure are (runs, iterations).

    `known`: published values by iteration, for the measures that have any; `source`: their source.
    """

    label: str
    iterations: np.ndarray
    values: Mapping[str, np.ndarray]
    known: Mapping[str, Mapping[int, float]]
    source: str


@dataclasses.dataclass(frozen=True)
class Measure:
    """What one column of panels shows. `log`: is its axis logarithmic?"""

    name: str
    title: str
    log: bool


def colours(count: int) -> list[str]:
    """One for each line: distinct hues up to four, then a ramp from blue to orange."""
    if count <= 4:
        return [REAL, MODEL, INK, NOISE][:count]
    ramp = LinearSegmentedColormap.from_list("ramp", ["#16345c", REAL, "#8fb8de", "#e6a15c", MODEL])
    return [to_hex(ramp(share)) for share in np.linspace(0, 1, count)]


def write_png(figure: Figure, path: Path) -> None:
    """Save the figure on the background colour of the report's pages."""
    figure.set_facecolor(PAPER)
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


def runs_figure(
    path: Path, groups: Mapping[str, Sequence[Line]], measures: Sequence[Measure]
) -> None:
    """A row of panels for each group, a panel for each measure: mean, and the band of all runs."""
    with mpl.rc_context({**SETTINGS, "font.size": 9.0}):
        figure = Figure(figsize=(11.6, 2.75 * len(groups) + 0.2), layout="constrained")
        grid = figure.subplots(len(groups), len(measures), squeeze=False)
        for row, (heading, lines) in zip(grid, groups.items(), strict=True):
            for axes, measure in zip(row, measures, strict=True):
                _panel(axes, lines, measure)
            row[0].set_title(heading, loc="left", fontsize=9.5, fontweight="bold", color=INK)
            _legend(row[-1], lines)
        write_png(figure, path)


def _panel(axes: Axes, lines: Sequence[Line], measure: Measure) -> None:
    tidy_axes(axes, x="iteration", y=measure.title)
    last = max(int(line.iterations[-1]) for line in lines)
    for line, colour in zip(lines, colours(len(lines)), strict=True):
        shown = line.iterations >= min(FIRST, last)
        x, values = line.iterations[shown], line.values[measure.name][:, shown]
        axes.fill_between(x, values.min(0), values.max(0), color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, values.mean(0), color=colour)
        known = {at: v for at, v in line.known.get(measure.name, {}).items() if at <= last}
        axes.plot(
            list(known), list(known.values()), "o", color=colour, markersize=5.5,
            markeredgecolor=PAPER, markeredgewidth=1.1, zorder=4,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(min(FIRST, last), last * 1.12)
    sides = [axes.xaxis, axes.yaxis] if measure.log else [axes.xaxis]
    if measure.log:
        axes.set_yscale("log")
    for side in sides:
        side.set_major_locator(LogLocator(numticks=6))
        side.set_major_formatter(FuncFormatter(format_tick))
        side.set_minor_formatter(NullFormatter())
    axes.tick_params(which="both", length=0)


def _legend(axes: Axes, lines: Sequence[Line]) -> None:
    hues = colours(len(lines))
    marks = [
        Line2D([], [], color=hue, label=line.label) for line, hue in zip(lines, hues, strict=True)
    ]
    for source in dict.fromkeys(line.source for line in lines if line.known):
        marks.append(Line2D([], [], color=MUTED, marker="o", ls="", markersize=5, label=source))
    axes.legend(
        handles=marks, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize=8.5,
        labelcolor=MUTED, handlelength=1.4, labelspacing=0.5, borderaxespad=0.0,
    )  # fmt: skip
