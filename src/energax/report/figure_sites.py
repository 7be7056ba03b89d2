"""Figures of bits and categories: rows, frequencies of sites and of pairs, and couplings."""

import numpy as np
from jaxtyping import Float, Int, Shaped
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energax.report.figure import (
    MODEL,
    MUTED,
    Picture,
    make_locator,
    render_svg,
    tidy_axes,
)
from energax.report.figure_images import draw_sheet

SHOWN = 40
"""Rows of a picture of rows."""

DOTS = 4000
"""Pairs of sites of a scatter plot, at most, thinned out evenly."""

PALETTE = np.array(
    [(244, 243, 239), (47, 109, 179), (201, 84, 46), (94, 148, 98), (222, 178, 71), (123, 97, 160)],
    np.uint8,
)
"""Colours of the first states."""

Rows = Shaped[np.ndarray, "_ _"]


def draw_rows(test: Rows, draws: Rows | None, states: int) -> list[Picture]:
    """Test rows beside draws: a line for each row, a coloured cell for each site."""
    found = []
    for title, rows in (("Test rows", test), ("Draws of the model", draws)):
        if rows is None:
            continue
        some = rows[:SHOWN]
        label = f"The first {len(some)} {title.lower()}, not selected"
        sheet = draw_sheet(_paint(some, states)[None], 1, label)
        note = "A line is a row, a cell is a site, a colour is a state."
        found.append(Picture(title, sheet, f"{label}. {note}"))
    return found


def _paint(rows: Rows, states: int) -> Shaped[np.ndarray, " size sites 3"]:
    if states <= len(PALETTE):
        return PALETTE[rows]
    grey = (255 * rows.astype(np.float64) / (states - 1)).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def embed(rows: Rows, states: int) -> Float[np.ndarray, " size numbers"]:
    """Bits as they are, categories as one-hot columns."""
    if states == 2:
        return rows.astype(np.float64)
    return (rows[..., None] == np.arange(states)).reshape(len(rows), -1).astype(np.float64)


def draw_frequencies(test: Rows, draws: Rows, states: int) -> list[Picture]:
    """Frequencies of states and covariances of pairs: draws against test rows."""
    x, y = embed(test, states), embed(draws, states)
    return draw_scatters(x, y, np.arange(x.shape[1]) // (1 if states == 2 else states))


def draw_scatters(
    x: Float[np.ndarray, " test numbers"],
    y: Float[np.ndarray, " draws numbers"],
    sites: Int[np.ndarray, " numbers"],
) -> list[Picture]:
    """Means of embedded rows, and covariances of numbers that belong to two sites: draws against
    test rows."""
    step = max(1, int(np.ceil(x.shape[1] / 600)))
    first, second = (np.cov(part[:, ::step], rowvar=False) for part in (x, y))
    apart = np.triu(sites[::step, None] != sites[None, ::step], 1)
    pairs = np.stack([first[apart], second[apart]])
    pairs = pairs[:, :: max(1, pairs.shape[1] // DOTS)]
    noise = 1 / np.sqrt(min(len(x), len(y)))
    return [
        _scatter(
            "Frequencies of single states",
            np.stack([x.mean(axis=0), y.mean(axis=0)]),
            f"Each dot is a state of a site. Noise of the counts is about {noise / 2:.2g}.",
        ),
        _scatter(
            "Covariances of pairs",
            pairs,
            f"Each dot is a pair of sites. Noise of the counts is about {noise / 4:.2g}.",
        ),
    ]


def _scatter(title: str, points: Float[np.ndarray, "2 dots"], note: str) -> Picture:
    low, high = float(points.min()), float(points.max())
    margin = 0.05 * ((high - low) or 1.0)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="test rows", y="draws", bins=4)
        ends = [low - margin, high + margin]
        axes.plot(ends, ends, color=MUTED, linewidth=1)
        axes.plot(*points, ".", color=MODEL, markersize=3, alpha=0.5)
        axes.set(xlim=ends, ylim=ends, aspect="equal")

    name = title.split()[0].lower()
    return Picture(title, render_svg(paint, name=name, label=title, size=(300, 300)), note)


def draw_couplings(couplings: Float[np.ndarray, " sites sites"]) -> Picture:
    """The matrix of coupling strengths, as a picture on axes of sites."""
    title = "Couplings"

    def paint(figure: Figure) -> None:
        axes: Axes = figure.add_subplot()
        top = float(np.abs(couplings).max()) or 1.0
        signed = bool((couplings < 0).any())
        shown = axes.imshow(
            couplings,
            cmap="RdBu_r" if signed else "viridis",
            vmin=-top if signed else 0.0,
            vmax=top,
            interpolation="nearest",
        )
        for side in (axes.xaxis, axes.yaxis):
            side.set_major_locator(make_locator(5))
        axes.tick_params(length=0)
        axes.grid(visible=False)
        figure.colorbar(shown, ax=axes, shrink=0.8)

    note = (
        "Strength of the coupling of each pair of sites. For categories: its Frobenius norm in the "
        "zero-sum gauge, corrected by the average product."
    )
    body: Markup = render_svg(paint, name="couplings", label=title, size=(380, 320))
    return Picture(title, body, note)
