"""Pictures of a generator and its chains: draws before and after, rows and what is made of them."""

import numpy as np
from matplotlib.figure import Figure

from energax.report.figure import MODEL, NOISE, REAL, Picture, bars, svg, tidy
from energax.report.figure_energies import BINS, finite
from energax.report.figure_images import sheet, tiles
from energax.report.figure_partners_plane import cloud, joined, paths
from energax.report.figure_plane import dots, span
from energax.report.figure_table import COLUMNS
from energax.report.material import Material
from energax.report.partners import Partners, Reconstructed, Revised

SIDE = 8
"""Images a line of a sheet, and lines of it."""
ROWS = 12
"""Rows of images that are shown with their reconstructions."""

Placed = list[tuple[str, list[Picture]]]
"""Pictures by their layout."""


def draws(partners: Partners, material: Material) -> Placed:
    """The generator's draws, and beside them where the chains of training take them."""
    there = [("Before the chain", partners.begun)]
    if partners.revised is not None:
        there.append(("After the chain", partners.revised.ended))
    if material.shape == (2,):
        return [("pair", [cloud(title, _id(title), rows, material) for title, rows in there])]
    if len(material.shape) == 1:
        return [("quad", _marginals([rows for _, rows in there], material))]
    low, high = _light(material)
    notes = (
        f"{SIDE**2} draws of the generator, none chosen.",
        "The same draws, in the same places.",
    )
    return [
        (
            "pair",
            [
                Picture(title, sheet(tiles(rows[: SIDE**2], low, high), SIDE, title), note)
                for (title, rows), note in zip(there, notes, strict=False)
            ],
        )
    ]


def energies(revised: Revised, test: np.ndarray) -> list[Picture]:
    """The energies of draws before and after the chain beside those of rows, and their fall."""
    before, after = finite(revised.energies[:, 0]), finite(revised.energies[:, -1])
    rows = finite(test)
    sources = [part for part in (before, after, rows) if part.size]
    if not before.size or not after.size:
        return []
    ends = np.array([np.quantile(part, (0.01, 0.99)) for part in sources])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    margin = 0.04 * (high - low) or 1.0

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy(axes, x="energy, nats (low is likely)", bins=6)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        edges = np.linspace(low - margin, high + margin, BINS + 1)
        bars(axes, before, edges, NOISE, 0.4)
        bars(axes, rows, edges, REAL)
        bars(axes, after, edges, MODEL)
        axes.set_xlim(edges[0], edges[-1])

    body = svg(paint, name="revised", label="Energies before and after the chain", size=(440, 250))
    legend = (
        ("noise", "area", "before the chain"),
        ("model", "line", "after the chain"),
        ("real", "line", "test rows"),
    )
    note = "All histograms have the same area; the middle 98% of each is shown."
    return [Picture("Energies before and after", body, note, legend), _fall(revised, rows)]


def _fall(revised: Revised, rows: np.ndarray) -> Picture:
    along = np.where(np.isfinite(revised.energies), revised.energies, np.nan)
    steps, mean = np.arange(along.shape[1]), np.nanmean(along, axis=0)
    low, high = np.nanquantile(along, (0.05, 0.95), axis=0)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy(axes, x="step of the chain", y="energy, nats", bins=6)
        if rows.size:
            axes.axhline(rows.mean(), color=REAL)
        axes.fill_between(steps, low, high, color=MODEL, alpha=0.18, linewidth=0)
        axes.plot(steps, mean, color=MODEL)
        axes.set_xlim(0, steps[-1])

    body = svg(paint, name="fall", label="Mean energy along the chain", size=(440, 250))
    legend = [("model", "line", "mean of the draws"), ("model", "area", "middle 90% of them")]
    legend += [("real", "line", "mean of test rows")] if rows.size else []
    note = "The chain should bring its draws to the height of the rows, and no further."
    return Picture("Mean energy along the chain", body, note, tuple(legend))


def reconstructions(found: Reconstructed, material: Material) -> Placed:
    """Rows, and what the generator makes of their z before and after the chain on z."""
    walked = found.steps > 0
    if material.shape == (2,):
        sides = [("Before the chain on z", found.first), ("After the chain on z", found.last)]
        pairs = [joined(t, _id(t), found.rows, x, material) for t, x in sides[: 1 + walked]]
        return [("pair", pairs)]
    if len(material.shape) == 1:
        return [("quad", _against(found, _columns(material)))]
    low, high = _light(material)
    parts = (found.rows, found.first, found.last)[: 2 + walked]
    shown = np.concatenate([tiles(part[:ROWS], low, high) for part in parts])
    across = len(found.rows[:ROWS])
    label = f"The first {across} test rows, below each what is made of its z {found.start}"
    label += f", then after {found.steps} steps of its chain" if walked else ""
    return [("one", [Picture("", sheet(shown, across, label), f"{label}.")])]


def lines(partners: Partners, material: Material) -> Placed:
    """What the generator makes along straight lines in z; nothing for rows of a table."""
    if material.shape == (2,):
        return [("pair", [paths(partners.lines, partners.ends, material)])]
    if len(material.shape) == 1:
        return []
    low, high = _light(material)
    flat = partners.lines.reshape(-1, *material.shape)
    note = f"Each line goes straight in z, {partners.ends}."
    body = sheet(tiles(flat, low, high), partners.lines.shape[1], note)
    return [("pair", [Picture("", body, note)])]


def _id(title: str) -> str:
    return title.lower().replace(" ", "")


def _columns(material: Material) -> list[str]:
    return list(material.columns or [f"column {place}" for place in range(material.shape[0])])


def _light(material: Material) -> tuple[float, float]:
    if material.levels is None:
        return float(material.test.min()), float(material.test.max())
    return 0.0, material.levels - 1.0


def _marginals(sides: list[np.ndarray], material: Material) -> list[Picture]:
    """A histogram for each column: test rows filled, draws before the chain grey, after it in the
    colour of the model."""
    pictures = []
    for place, column in enumerate(_columns(material)[:COLUMNS]):
        real = finite(material.test[:, place])
        drawn = [finite(rows[:, place]) for rows in sides]

        def paint(figure: Figure, real: np.ndarray = real, drawn: list[np.ndarray] = drawn) -> None:
            axes = figure.add_subplot()
            tidy(axes, bins=4)
            axes.yaxis.set_visible(False)
            axes.spines["left"].set_visible(False)
            edges = np.linspace(*span(real), 31)
            bars(axes, real, edges, REAL, 0.35)
            for rows, colour in zip(drawn, (NOISE, MODEL), strict=False):
                bars(axes, rows, edges, colour)
            axes.set_xlim(*span(real))

        label = f"{column}: draws before and after the chain"
        body = svg(paint, name=f"begun{place}", label=label, size=(220, 130))
        pictures.append(Picture(column, body))
    return pictures


def _against(found: Reconstructed, columns: list[str]) -> list[Picture]:
    """Each column of the reconstructions against that of the rows: all on the diagonal is best."""
    pictures = []
    for place, column in enumerate(columns[:COLUMNS]):
        real, made = found.rows[:, place], found.last[:, place]

        def paint(
            figure: Figure, real: np.ndarray = real, made: np.ndarray = made, name: str = column
        ) -> None:
            axes = figure.add_subplot()
            tidy(axes, x=name, y="made of its z", bins=3)
            low, high = span(finite(real))
            axes.plot([low, high], [low, high], color=NOISE, linewidth=0.8)
            dots(axes, np.stack([real, made], axis=1), MODEL)
            axes.set(xlim=(low, high), ylim=(low, high))

        label = f"{column}: reconstructions against rows"
        pictures.append(Picture("", svg(paint, name=f"made{place}", label=label, size=(220, 190))))
    return pictures
