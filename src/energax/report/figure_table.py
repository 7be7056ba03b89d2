"""A table as pictures: marginals of draws over those of test rows, and a few pairs of columns."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from energax.report.figure import MODEL, REAL, Picture, bars, svg, tidy
from energax.report.figure_energies import finite
from energax.report.figure_plane import dots, span

COLUMNS = 12
PAIRS = 2
BINS = 40


def marginals(test: np.ndarray, draws: np.ndarray | None, columns: Sequence[str]) -> list[Picture]:
    """A histogram for each of the first columns: test rows filled, draws as a line."""
    pictures = []
    for place, column in enumerate(columns[:COLUMNS]):
        real = finite(test[:, place])
        drawn = finite(test[:0, 0] if draws is None else draws[:, place])
        if real.size == 0:
            continue

        def paint(figure: Figure, real: np.ndarray = real, drawn: np.ndarray = drawn) -> None:
            axes = figure.add_subplot()
            tidy(axes, bins=4)
            axes.yaxis.set_visible(False)
            axes.spines["left"].set_visible(False)
            edges = np.linspace(*span(real), BINS + 1)
            bars(axes, real, edges, REAL, 0.35)
            if drawn.size:
                bars(axes, drawn, edges, MODEL)
            axes.set_xlim(*span(real))

        low, high = span(real)
        missed = np.mean((drawn < low) | (drawn > high)) if drawn.size else 0.0
        note = f"{missed:.1%} of draws outside." if missed > 0.01 else ""
        body = svg(paint, name=f"column{place}", label=f"Histogram of {column}", size=(220, 130))
        pictures.append(Picture(column, body, note))
    return pictures


def closest(rows: np.ndarray) -> list[tuple[int, int]]:
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


def pairs(test: np.ndarray, draws: np.ndarray | None, columns: Sequence[str]) -> list[Picture]:
    """Scatter plots of the most correlated columns: test rows at the left, draws at the right."""
    sides = [(test, REAL)] + ([] if draws is None else [(draws, MODEL)])
    pictures = []
    for first, second in closest(test):
        chosen = [first, second]
        frame = span(finite(test[:, first])), span(finite(test[:, second]))

        def paint(figure: Figure, chosen: list[int] = chosen, frame: tuple = frame) -> None:
            for place, (rows, colour) in enumerate(sides, 1):
                axes = figure.add_subplot(1, len(sides), place)
                tidy(axes, x=columns[chosen[0]], y=columns[chosen[1]] if place == 1 else "", bins=4)
                axes.set(xlim=frame[0], ylim=frame[1])
                dots(axes, rows[:, chosen], colour)

        label = f"{columns[second]} against {columns[first]}"
        body = svg(paint, name=f"pair{first}x{second}", label=label, size=(400, 210))
        pictures.append(Picture(label, body))
    return pictures
