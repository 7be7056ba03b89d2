"""Figures of a generator: draws before and after a chain, reconstructions, interpolations."""

import numpy as np
from matplotlib.figure import Figure

from energax.report.figure import MODEL, NOISE, REAL, Picture, draw_bars, render_svg, tidy_axes
from energax.report.figure_energies import BINS, keep_finite
from energax.report.figure_generator_plane import draw_paths, draw_points, draw_residuals
from energax.report.figure_images import draw_sheet, to_pixels
from energax.report.figure_plane import draw_dots, pad_range
from energax.report.figure_table import COLUMNS
from energax.report.generator_results import GeneratorResults, Reconstructions, RefinedDraws
from energax.report.run_results import RunResults

SIDE = 8
"""Images across and down a sheet."""
ROWS = 12
"""Rows of images that are shown with their reconstructions."""

Placed = list[tuple[str, list[Picture]]]
"""Figures by their layout."""


def draw_draws(generator: GeneratorResults, results: RunResults) -> Placed:
    """The generator's draws, beside the same draws after the chains of training."""
    sides = [("Draws of the generator", generator.initial)]
    if generator.refined is not None:
        sides.append(("The same draws after the chain", generator.refined.after_chain))
    if results.shape == (2,):
        return [("pair", [draw_points(title, _id(title), rows, results) for title, rows in sides])]
    if len(results.shape) == 1:
        return [("quad", _draw_marginals([rows for _, rows in sides], results))]
    low, high = _black_and_white(results)
    notes = (
        f"The first {min(SIDE**2, len(generator.initial))} draws, not selected.",
        "In the same order.",
    )
    return [
        (
            "pair",
            [
                Picture(title, draw_sheet(to_pixels(rows[: SIDE**2], low, high), SIDE, title), note)
                for (title, rows), note in zip(sides, notes, strict=False)
            ],
        )
    ]


def draw_energies(refined: RefinedDraws, test: np.ndarray) -> list[Picture]:
    """The energies of draws before and after the chain beside those of test rows."""
    before, after = keep_finite(refined.energies[:, 0]), keep_finite(refined.energies[:, -1])
    rows = keep_finite(test)
    sources = [part for part in (before, after, rows) if part.size]
    if not before.size or not after.size:
        return []
    ends = np.array([np.quantile(part, (0.01, 0.99)) for part in sources])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    margin = 0.04 * (high - low) or 1.0

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="energy, nats (low is likely)", bins=6)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        edges = np.linspace(low - margin, high + margin, BINS + 1)
        draw_bars(axes, before, edges, NOISE, 0.4)
        draw_bars(axes, rows, edges, REAL)
        draw_bars(axes, after, edges, MODEL)
        axes.set_xlim(edges[0], edges[-1])

    body = render_svg(
        paint, name="refined", label="Energies before and after the chain", size=(440, 250)
    )
    legend = (
        ("noise", "area", "before the chain"),
        ("model", "line", "after the chain"),
        ("real", "line", "test rows"),
    )
    note = "Heights: share of the rows in each bin. The axis covers the middle 98% of each."
    mean = _draw_mean_energy(refined, rows)
    return [Picture("Energies before and after the chain", body, note, legend), mean]


def _draw_mean_energy(refined: RefinedDraws, rows: np.ndarray) -> Picture:
    along = np.where(np.isfinite(refined.energies), refined.energies, np.nan)
    steps, mean = np.arange(along.shape[1]), np.nanmean(along, axis=0)
    low, high = np.nanquantile(along, (0.05, 0.95), axis=0)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="step of the chain", y="energy, nats", bins=6)
        if rows.size:
            axes.axhline(rows.mean(), color=REAL)
        axes.fill_between(steps, low, high, color=MODEL, alpha=0.18, linewidth=0)
        axes.plot(steps, mean, color=MODEL)
        axes.set_xlim(0, steps[-1])

    body = render_svg(
        paint, name="meanenergy", label="Mean energy along the chain", size=(440, 250)
    )
    legend = [("model", "line", "mean of the draws"), ("model", "area", "middle 90% of them")]
    legend += [("real", "line", "mean of test rows")] if rows.size else []
    note = "The chain should bring the draws to the energy of the test rows, and no lower."
    return Picture("Mean energy along the chain", body, note, tuple(legend))


def draw_reconstructions(found: Reconstructions, results: RunResults) -> Placed:
    """Rows beside their reconstructions, before and after the chain on z."""
    moved = found.steps > 0
    if results.shape == (2,):
        sides = [
            ("Before the chain on z", found.initial),
            ("After the chain on z", found.after_chain),
        ]
        pairs = [draw_residuals(t, _id(t), found.rows, x, results) for t, x in sides[: 1 + moved]]
        return [("pair", pairs)]
    if len(results.shape) == 1:
        return [("quad", _draw_against(found, _columns(results)))]
    low, high = _black_and_white(results)
    parts = (found.rows, found.initial, found.after_chain)[: 2 + moved]
    shown = np.concatenate([to_pixels(part[:ROWS], low, high) for part in parts])
    across = len(found.rows[:ROWS])
    label = f"Top: the first {across} test rows. Below: reconstructions from z {found.start}"
    label += f"; last: after {found.steps} steps of the chain on z" if moved else ""
    return [("one", [Picture("", draw_sheet(shown, across, label), f"{label}.")])]


def draw_lines(generator: GeneratorResults, results: RunResults) -> Placed:
    """G(z) along straight lines in z; nothing for rows of a table."""
    if results.shape == (2,):
        return [("pair", [draw_paths(generator.lines, generator.ends, results)])]
    if len(results.shape) == 1:
        return []
    low, high = _black_and_white(results)
    flat = generator.lines.reshape(-1, *results.shape)
    note = f"Each line of images follows a straight line in z, {generator.ends}."
    body = draw_sheet(to_pixels(flat, low, high), generator.lines.shape[1], note)
    return [("pair", [Picture("", body, note)])]


def _id(title: str) -> str:
    return title.lower().replace(" ", "")


def _columns(results: RunResults) -> list[str]:
    return list(results.columns or [f"column {place}" for place in range(results.shape[0])])


def _black_and_white(results: RunResults) -> tuple[float, float]:
    if results.levels is None:
        return float(results.test.min()), float(results.test.max())
    return 0.0, results.levels - 1.0


def _draw_marginals(sides: list[np.ndarray], results: RunResults) -> list[Picture]:
    """A histogram for each column: test rows filled, draws before the chain in grey, draws after it
    in the colour of the model."""
    pictures = []
    for place, column in enumerate(_columns(results)[:COLUMNS]):
        real = keep_finite(results.test[:, place])
        drawn = [keep_finite(rows[:, place]) for rows in sides]

        def paint(figure: Figure, real: np.ndarray = real, drawn: list[np.ndarray] = drawn) -> None:
            axes = figure.add_subplot()
            tidy_axes(axes, bins=4)
            axes.yaxis.set_visible(False)
            axes.spines["left"].set_visible(False)
            edges = np.linspace(*pad_range(real), 31)
            draw_bars(axes, real, edges, REAL, 0.35)
            for rows, colour in zip(drawn, (NOISE, MODEL), strict=False):
                draw_bars(axes, rows, edges, colour)
            axes.set_xlim(*pad_range(real))

        label = f"{column}: draws before and after the chain"
        body = render_svg(paint, name=f"initial{place}", label=label, size=(220, 130))
        pictures.append(Picture(column, body))
    return pictures


def _draw_against(found: Reconstructions, columns: list[str]) -> list[Picture]:
    """Each column of the reconstructions against that of the rows; ideal is the diagonal."""
    pictures = []
    for place, column in enumerate(columns[:COLUMNS]):
        real, made = found.rows[:, place], found.after_chain[:, place]

        def paint(
            figure: Figure, real: np.ndarray = real, made: np.ndarray = made, name: str = column
        ) -> None:
            axes = figure.add_subplot()
            tidy_axes(axes, x=name, y="reconstruction", bins=3)
            low, high = pad_range(keep_finite(real))
            axes.plot([low, high], [low, high], color=NOISE, linewidth=0.8)
            draw_dots(axes, np.stack([real, made], axis=1), MODEL)
            axes.set(xlim=(low, high), ylim=(low, high))

        label = f"{column}: reconstructions against rows"
        pictures.append(
            Picture("", render_svg(paint, name=f"against{place}", label=label, size=(220, 190)))
        )
    return pictures
