"""A generator in the plane: draws, reconstructions and interpolations over the density."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from energax.report.figure import MODEL, NOISE, REAL, Picture, render_svg, tidy_axes
from energax.report.figure_plane import contour_levels, draw_dots, frame_of
from energax.report.run_results import Density, RunResults

SEGMENTS = 150
"""Rows of the plane that are connected to their reconstructions."""
PATHS = 16
"""Interpolations that are drawn in the plane."""
OVER = "Grey: the regions that hold 50, 90 and 99% of the model's mass."


def _backdrop(axes: Axes, results: RunResults) -> None:
    """The axes, with the mass of the model's density in grey."""
    density = results.model_density
    frame = frame_of(results.test, density)
    tidy_axes(axes)
    axes.set(xlim=frame[0], ylim=frame[1], aspect="equal")
    if density is not None:
        _shade(axes, density)


def _size(results: RunResults) -> tuple[int, int]:
    wide, tall = (high - low for low, high in frame_of(results.test, results.model_density))
    return 400, round(400 * min(max(tall / wide, 0.4), 1.2)) + 20


def _shade(axes: Axes, density: Density) -> None:
    axes.grid(visible=False)
    height, levels = contour_levels(density)
    for level in levels:
        axes.contourf(density.xs, density.ys, height, [level, 1.1], colors=[NOISE], alpha=0.22)


def draw_points(title: str, name: str, rows: np.ndarray, results: RunResults) -> Picture:
    """Draws over the energy's density; `name` makes the ids of the drawing unique."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _backdrop(axes, results)
        draw_dots(axes, rows, MODEL)

    note = OVER if results.model_density is not None else ""
    return Picture(title, render_svg(paint, name=name, label=title, size=_size(results)), note)


def _strokes(axes: Axes, points: np.ndarray, colour: str, width: float) -> None:
    """Each line of (line, point, 2), all in one path."""
    kinds = np.full(points.shape[:2], Path.LINETO)
    kinds[:, 0] = Path.MOVETO
    path = Path(points.reshape(-1, 2), kinds.reshape(-1))
    path.should_simplify = False
    axes.add_patch(PathPatch(path, edgecolor=colour, facecolor="none", linewidth=width))


def draw_residuals(
    title: str, name: str, rows: np.ndarray, made: np.ndarray, results: RunResults
) -> Picture:
    """Rows of the plane, each connected to its reconstruction; `name` makes the ids unique."""
    rows, made = rows[:SEGMENTS], made[:SEGMENTS]
    fine = np.isfinite(made).all(axis=1)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _backdrop(axes, results)
        _strokes(axes, np.stack([rows, made], axis=1)[fine], MODEL, 1.0)
        draw_dots(axes, rows[fine], REAL)

    body = render_svg(paint, name=name, label=title, size=_size(results))
    legend = (("real", "line", "row"), ("model", "line", "segment to its reconstruction"))
    return Picture(title, body, f"{len(rows):,} test rows.", legend)


def draw_paths(points: np.ndarray, ends: str, results: RunResults) -> Picture:
    """G(z) along straight lines in z, with marked end points."""
    points = points[:PATHS]
    fine = np.isfinite(points).all(axis=(1, 2))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _backdrop(axes, results)
        _strokes(axes, points[fine], MODEL, 1.2)
        draw_dots(axes, points[fine][:, [0, -1]].reshape(-1, 2), REAL)

    label = f"G(z) along {len(points)} straight lines in z"
    body = render_svg(paint, name="paths", label=label, size=_size(results))
    return Picture("", body, f"{label}, {ends}.")
