"""Particles and neurons on the 2-sphere during training, in an equal-area map: a PNG."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from energax.report.figure import INK, MODEL, MUTED, REAL, RULE, SETTINGS
from energax.report.figure_runs import PAPER, write_png

AREA = 9.0
"""Area of the dot of a neuron of weight 1, in square points."""
SHOWN = 2_200
"""Most particles that are drawn of one iteration."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """One iteration: `note` stands beside its number."""

    iteration: int
    note: str
    particles: np.ndarray
    directions: np.ndarray
    weights: np.ndarray


def frame_of(targets: np.ndarray) -> np.ndarray:
    """Axes of the map, as rows: middle between the two directions, east in their plane, north."""
    first, second = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    middle = (first + second) / np.linalg.norm(first + second)
    east = (second - first) / np.linalg.norm(second - first)
    return np.stack([middle, east, np.cross(middle, east)])


def on_map(points: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of unit vectors in the frame, in radians."""
    x, y, z = frame @ points.T
    return np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))


def sphere_figure(
    path: Path,
    moments: Sequence[Moment],
    targets: np.ndarray,
    energy: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Moments in two columns, in Hammer's projection; exp(-energy) is shaded, `targets` are
    circled."""
    rows = math.ceil(len(moments) / 2)
    frame = frame_of(targets)
    with mpl.rc_context({**SETTINGS, "font.size": 10.0}):
        figure = Figure(figsize=(9.6, 2.67 * rows + 0.45))
        figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
        for place, moment in enumerate(moments, 1):
            axes = figure.add_subplot(rows, 2, place, projection="hammer")
            _shade(axes, frame, energy)
            _points(axes, frame, moment, targets)
            axes.set_title(
                f"iteration {moment.iteration:,}   ", fontweight="bold", fontsize=10.5, loc="left"
            )
            axes.set_title(moment.note, fontsize=9.5, color=MUTED, loc="right")
        _legend(figure)
        write_png(figure, path)


def _shade(axes: Axes, frame: np.ndarray, energy: Callable[[np.ndarray], np.ndarray]) -> None:
    east = np.linspace(-math.pi, math.pi, 361)
    north = np.linspace(-math.pi / 2, math.pi / 2, 181)
    turn, up = np.meshgrid(east, north)
    local = np.stack([np.cos(up) * np.cos(turn), np.cos(up) * np.sin(turn), np.sin(up)], axis=-1)
    height = -energy(local.reshape(-1, 3) @ frame).reshape(turn.shape)
    tint = LinearSegmentedColormap.from_list("tint", [PAPER, "#a9c6e6", REAL])
    axes.pcolormesh(
        east, north, np.exp(height - height.max()), cmap=tint, vmax=1.5, shading="gouraud",
        rasterized=True,
    )  # fmt: skip


def _points(axes: Axes, frame: np.ndarray, moment: Moment, targets: np.ndarray) -> None:
    few = moment.particles[:: max(1, len(moment.particles) // SHOWN)]
    axes.scatter(*on_map(few, frame), s=1.8, color=MODEL, alpha=0.5, linewidths=0)
    # Rims of all neurons first, then their dots, so that no rim covers a dot.
    for rim, hue, height in ((1.6, PAPER, 3), (0.0, INK, 4)):
        axes.scatter(
            *on_map(moment.directions, frame), s=AREA * moment.weights, color=hue, zorder=height,
            edgecolors=hue, linewidths=rim,
        )  # fmt: skip
    axes.scatter(
        *on_map(targets, frame), s=330, facecolors="none", edgecolors=INK, linewidths=1.5, zorder=5
    )
    axes.set_xticks(np.deg2rad([-120, -60, 0, 60, 120]))
    axes.set_yticks(np.deg2rad([-60, -30, 0, 30, 60]))
    axes.set(xticklabels=[], yticklabels=[])
    axes.grid(visible=True, color=RULE, linewidth=0.5)
    axes.spines["geo"].set_color(MUTED)
    axes.spines["geo"].set_linewidth(0.8)


def _legend(figure: Figure) -> None:
    def mark(label: str, hue: str, size: float, face: str) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker="o", markersize=size, markeredgecolor=hue,
            markerfacecolor=face, label=label,
        )  # fmt: skip

    figure.legend(
        handles=[
            mark("distribution of the data", "#8fb3d6", 9.0, "#8fb3d6"),
            mark("particle", MODEL, 3.0, MODEL),
            mark("neuron, area as its weight", INK, 6.0, INK),
            mark("target direction", INK, 11.0, "none"),
        ],
        loc="outside lower center", ncols=4, frameon=False, fontsize=9.5, labelcolor=MUTED,
        handletextpad=0.4, columnspacing=2.2,
    )  # fmt: skip
