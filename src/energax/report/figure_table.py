"""Figures of a table: marginals of draws and test rows, and a few pairs of columns."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from energax.report.figure import MODEL, REAL, Picture, draw_bars, render_svg, tidy_axes
from energax.report.figure_energies import keep_finite
from energax.report.figure_plane import draw_dots, pad_range

COLUMNS = 12
PAIRS = 2
BINS = 40


def draw_marginals(
    test: np.ndarray, draws: np.ndarray | None, columns: Sequence[str]
) -> list[Picture]:
    """A histogram for each of the first columns: test rows filled, draws as a line."""
    pictures = []
    for place, column in enumerate(columns[:COLUMNS]):
        real = keep_finite(test[:, place])
        drawn = keep_finite(test[:0, 0] if draws is None else draws[:, place])
        if real.size == 0:
            continue

        def paint(figure: Figure, real: np.ndarray = real, drawn: np.ndarray = drawn) -> None:
            axes = figure.add_subplot()
            tidy_axes(axes, bins=4)
            axes.yaxis.set_visible(False)
            axes.spines["left"].set_visible(False)
            edges = np.linspace(*pad_range(real), BINS + 1)
            draw_bars(axes, real, edges, REAL, 0.35)
            if drawn.size:
                draw_bars(axes, drawn, edges, MODEL)
            axes.set_xlim(*pad_range(real))

        low, high = pad_range(real)
        missed = np.mean((drawn < low) | (drawn > high)) if drawn.size else 0.0
        note = f"{missed:.1%} of draws are off the axis." if missed > 0.01 else ""
        body = render_svg(
            paint, name=f"column{place}", label=f"Histogram of {column}", size=(220, 130)
        )
        pictures.append(Picture(column, body, note))
    return pictures


def find_correlated(rows: np.ndarray) -> list[tuple[int, int]]:
    """The pairs of the first columns with the largest absolute correlation."""
    rows = rows[np.isfinite(rows).all(axis=1)][:, :COLUMNS].astype(np.float64)
    centred = rows - rows.mean(axis=0)
    length = np.sqrt(np.sum(centred**2, axis=0))
    scaled = centred[:, length > 0] / length[length > 0]
    kept = np.flatnonzero(length > 0)
    strength = np.abs(np.triu(scaled.T @ scaled, 1))
    best = np.argsort(-strength, axis=None)[: min(PAIRS, len(kept) * (len(kept) - 1) // 2)]
    firsts, seconds = np.unravel_index(best, strength.shape)
    return list(zip(kept[firsts].tolist(), kept[seconds].tolist(), strict=True))


def draw_pairs(test: np.ndarray, draws: np.ndarray | None, columns: Sequence[str]) -> list[Picture]:
    """Scatter plots of the most correlated columns: test rows at the left, draws at the right."""
    sides = [(test, REAL)] + ([] if draws is None else [(draws, MODEL)])
    pictures = []
    for first, second in find_correlated(test):
        chosen = [first, second]
        frame = (
            pad_range(keep_finite(test[:, first])),
            pad_range(keep_finite(test[:, second])),
        )

        def paint(figure: Figure, chosen: list[int] = chosen, frame: tuple = frame) -> None:
            for place, (rows, colour) in enumerate(sides, 1):
                axes = figure.add_subplot(1, len(sides), place)
                tidy_axes(
                    axes, x=columns[chosen[0]], y=columns[chosen[1]] if place == 1 else "", bins=4
                )
                axes.set(xlim=frame[0], ylim=frame[1])
                draw_dots(axes, rows[:, chosen], colour)

        label = f"{columns[second]} against {columns[first]}"
        body = render_svg(paint, name=f"pair{first}x{second}", label=label, size=(400, 210))
        pictures.append(Picture(label, body))
    return pictures
