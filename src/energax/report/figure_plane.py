"""Draws beside real rows in the plane."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from energax.report.figure import INK, MODEL, REAL, Picture, render_svg, tidy_axes
from energax.report.figure_energies import keep_finite
from energax.report.run_results import Density

DOTS = 2000
MASSES = (0.99, 0.9, 0.5)


def draw_dots(axes: Axes, rows: np.ndarray, colour: str) -> None:
    """The first rows as one path of round dots: a tenth of the bytes of separate markers."""
    rows = rows[:DOTS][np.isfinite(rows[:DOTS]).all(axis=1)]
    ends = np.repeat(rows, 2, axis=0)
    path = Path(ends, np.tile(np.array([Path.MOVETO, Path.LINETO]), len(rows)))
    path.should_simplify = False
    axes.add_patch(
        PathPatch(path, edgecolor=colour, facecolor="none", linewidth=2.2, capstyle="round")
    )


def pad_range(values: np.ndarray) -> tuple[float, float]:
    """Nearly all of the values, with a margin."""
    low, high = np.quantile(values, (0.002, 0.998))
    margin = 0.08 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def mass_levels(density: Density) -> np.ndarray:
    """Heights, relative to the peak, of the highest-density regions that hold `MASSES`."""
    height = np.exp(density.log_density - density.log_density.max())
    ranked = np.sort(height, axis=None)[::-1]
    held = np.cumsum(ranked) / ranked.sum()
    return ranked[np.minimum(np.searchsorted(held, MASSES), len(ranked) - 1)]


def contour_levels(density: Density) -> tuple[np.ndarray, np.ndarray]:
    """Density relative to its peak, and the increasing heights of the contours for `MASSES`."""
    height = np.exp(density.log_density - density.log_density.max())
    return height, np.unique(np.minimum(mass_levels(density), 0.999))


def _heat(axes: Axes, density: Density, colour: str) -> None:
    height, levels = contour_levels(density)
    shade = np.empty((*height.shape, 4))
    shade[..., :3] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    shade[..., 3] = 0.95 * height**0.6
    (left, right), (low, high) = density.xs[[0, -1]], density.ys[[0, -1]]
    across, up = (density.xs[1] - left) / 2, (density.ys[1] - low) / 2
    extent = (left - across, right + across, low - up, high + up)
    axes.grid(visible=False)
    axes.imshow(shade, origin="lower", extent=extent, interpolation="none", aspect="auto")
    axes.contour(density.xs, density.ys, height, levels, colors=INK, linewidths=0.7, alpha=0.8)


Frame = tuple[tuple[float, float], tuple[float, float]]


def frame_of(test: np.ndarray, grid: Density | None) -> Frame:
    """The ends of both axes: those of the grid, where there is one, else of nearly all rows."""
    if grid is None:
        return pad_range(keep_finite(test[:, 0])), pad_range(keep_finite(test[:, 1]))
    (left, right), (low, high) = grid.xs[[0, -1]], grid.ys[[0, -1]]
    return (float(left), float(right)), (float(low), float(high))


def draw_panel(
    heading: str, content: np.ndarray | Density, colour: str, note: str, *, frame: Frame, name: str
) -> Picture:
    """Points or a density in a frame; `name` makes the ids of the drawing unique."""
    wide, tall = (high - low for low, high in frame)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes)
        axes.set(xlim=frame[0], ylim=frame[1], aspect="equal")
        match content:
            case Density():
                _heat(axes, content, colour)
                axes.set(xlim=frame[0], ylim=frame[1], aspect="equal")
            case _:
                draw_dots(axes, content, colour)

    size = (400, round(400 * min(max(tall / wide, 0.4), 1.2)) + 20)
    return Picture(heading, render_svg(paint, name=name, label=heading, size=size), note)


def draw_plane(
    test: np.ndarray, draws: np.ndarray | None, model: Density | None, exact: Density | None
) -> list[Picture]:
    """Points and densities, all on the same axes."""
    frame, held = frame_of(test, model or exact), "Contours hold 50, 90 and 99% of the mass."
    parts = (
        ("Test rows", test, REAL, _count(test)),
        ("Draws", draws, MODEL, "" if draws is None else _count(draws)),
        ("Learned density", model, MODEL, held),
        ("Exact density", exact, REAL, held),
    )
    return [
        draw_panel(head, part, hue, note, frame=frame, name=head.lower().replace(" ", ""))
        for head, part, hue, note in parts
        if part is not None
    ]


def _count(rows: np.ndarray) -> str:
    shown = f"the first {DOTS:,} of " if len(rows) > DOTS else ""
    return f"{shown}{len(rows):,} rows".capitalize() + "."
