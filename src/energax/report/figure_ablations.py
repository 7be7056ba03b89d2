"""A measure against a number of steps, several seeds: a PNG for a page."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from energax.report.figure import INK, MUTED, SETTINGS, format_tick, tidy_axes
from energax.report.figure_runs import colours, write_png


@dataclasses.dataclass(frozen=True)
class Series:
    """`values[i]`: the value of each seed at `steps[i]`."""

    label: str
    steps: np.ndarray
    values: Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Panel:
    """One pair of axes. `spread`: are the seeds shown as points? Else as a band."""

    x: str
    y: str
    series: Sequence[Series]
    spread: bool = False
    log: bool = False


def ablations_figure(path: Path, rows: Mapping[str, Sequence[Panel]]) -> None:
    """A row of panels for each heading."""
    with mpl.rc_context({**SETTINGS, "font.size": 9.0}):
        across = max(len(panels) for panels in rows.values())
        figure = Figure(figsize=(11.6, 2.9 * len(rows) + 0.2), layout="constrained")
        grid = figure.subplots(len(rows), across, squeeze=False)
        for line, (heading, panels) in zip(grid, rows.items(), strict=True):
            for axes, panel in zip(line, panels, strict=True):
                _paint_panel(axes, panel)
            line[0].set_title(heading, loc="left", fontsize=9.5, fontweight="bold", color=INK)
        write_png(figure, path)


def _paint_panel(axes: Axes, panel: Panel) -> None:
    for series, colour in zip(panel.series, colours(len(panel.series)), strict=True):
        mean = [np.mean(values) for values in series.values]
        axes.plot(series.steps, mean, color=colour, label=series.label)
        if panel.spread:
            x = np.repeat(series.steps, [len(values) for values in series.values])
            axes.plot(
                x, np.concatenate(series.values), "o", color=colour, markersize=3.5, alpha=0.6
            )
        else:
            least, most = ([end(v) for v in series.values] for end in (np.min, np.max))
            axes.fill_between(series.steps, least, most, color=colour, alpha=0.18, linewidth=0)
    tidy_axes(axes, x=panel.x, y=panel.y)
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(format_tick))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if len(panel.series) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=MUTED)
