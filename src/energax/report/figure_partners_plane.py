"""A generator in the plane: draws, reconstructions and lines over the energy's density."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from energax.report.figure import MODEL, NOISE, REAL, Picture, svg, tidy
from energax.report.figure_plane import dots, frame_of, held_by
from energax.report.material import Density, Material

SEGMENTS = 150
"""Rows of the plane that are joined to their reconstructions."""
PATHS = 16
"""Lines between codes that are drawn in the plane."""
OVER = "Grey holds 50, 90 and 99% of the mass of the energy's density."


def _backdrop(axes: Axes, material: Material) -> None:
    """The frame of the plane, and in it, in grey, where the energy's density has its mass."""
    density = material.model_density
    frame = frame_of(material.test, density)
    tidy(axes)
    axes.set(xlim=frame[0], ylim=frame[1], aspect="equal")
    if density is not None:
        _shade(axes, density)


def _size(material: Material) -> tuple[int, int]:
    wide, tall = (high - low for low, high in frame_of(material.test, material.model_density))
    return 400, round(400 * min(max(tall / wide, 0.4), 1.2)) + 20


def _shade(axes: Axes, density: Density) -> None:
    axes.grid(visible=False)
    height, levels = held_by(density)
    for level in levels:
        axes.contourf(density.xs, density.ys, height, [level, 1.1], colors=[NOISE], alpha=0.22)


def cloud(title: str, name: str, rows: np.ndarray, material: Material) -> Picture:
    """Draws over the energy's density; `name` makes the ids of the drawing unique."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _backdrop(axes, material)
        dots(axes, rows, MODEL)

    note = OVER if material.model_density is not None else ""
    return Picture(title, svg(paint, name=name, label=title, size=_size(material)), note)


def _strokes(axes: Axes, points: np.ndarray, colour: str, width: float) -> None:
    """Each of (line, point, 2) as one stroke, all in one path."""
    kinds = np.full(points.shape[:2], Path.LINETO)
    kinds[:, 0] = Path.MOVETO
    path = Path(points.reshape(-1, 2), kinds.reshape(-1))
    path.should_simplify = False
    axes.add_patch(PathPatch(path, edgecolor=colour, facecolor="none", linewidth=width))


def joined(
    title: str, name: str, rows: np.ndarray, made: np.ndarray, material: Material
) -> Picture:
    """Rows of the plane, each joined to its reconstruction; `name` makes the ids unique."""
    rows, made = rows[:SEGMENTS], made[:SEGMENTS]
    fine = np.isfinite(made).all(axis=1)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _backdrop(axes, material)
        _strokes(axes, np.stack([rows, made], axis=1)[fine], MODEL, 1.0)
        dots(axes, rows[fine], REAL)

    body = svg(paint, name=name, label=title, size=_size(material))
    legend = (("real", "line", "row"), ("model", "line", "to its reconstruction"))
    return Picture(title, body, f"{len(rows):,} test rows.", legend)


def paths(points: np.ndarray, ends: str, material: Material) -> Picture:
    """What a generator makes along lines in z, and where they begin and end."""
    points = points[:PATHS]
    fine = np.isfinite(points).all(axis=(1, 2))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _backdrop(axes, material)
        _strokes(axes, points[fine], MODEL, 1.2)
        dots(axes, points[fine][:, [0, -1]].reshape(-1, 2), REAL)

    label = f"{len(points)} straight lines in z, seen in the plane"
    body = svg(paint, name="paths", label=label, size=_size(material))
    return Picture("", body, f"{label}, {ends}.")
