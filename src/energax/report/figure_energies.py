"""Energies: histograms by source, and traces along the chains."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from energax.report.figure import MODEL, NOISE, REAL, Picture, draw_bars, render_svg, tidy_axes
from energax.report.number import format_number

BINS = 70
TRACES = 6
POINTS = 400
MEANING = {
    "train": "rows that the model was trained on",
    "test": "held-out rows; higher than train is a sign of memorisation",
    "draws": "draws of the model; equal to test if model and sampler are right",
    "noise": "draws of the base distribution; must be higher than data",
}
STYLES = {
    "noise": (NOISE, 0.4),
    "train": (REAL, 0.28),
    "test": (REAL, None),
    "draws": (MODEL, None),
}
LEGEND = {
    "noise": ("noise", "area", "noise (base distribution)"),
    "train": ("real", "area", "train rows"),
    "test": ("real", "line", "test rows"),
    "draws": ("model", "line", "draws of the model"),
}


def keep_finite(values: np.ndarray) -> np.ndarray:
    """The finite values, as float64; the page counts the others in a warning."""
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values)]


def choose_range(energies: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """The range to show: nearly all of data and draws, and the noise where it is near.

    Near: the median of the noise lies within two widths of the others.
    """
    near = [values for name, values in energies.items() if name != "noise" and values.size]
    ends = np.array([np.quantile(values, (0.005, 0.995)) for values in near or energies.values()])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    width = (high - low) or 1.0
    far = keep_finite(energies.get("noise", np.array([])))
    if far.size:
        bottom, middle, top = np.quantile(far, (0.05, 0.5, 0.95))
        if low - 2 * width < middle < high + 2 * width:
            low, high = (
                max(min(low, bottom), low - width),
                min(max(high, top), high + width),
            )
    return low - 0.04 * width, high + 0.04 * width


def draw_histograms(energies: Mapping[str, np.ndarray]) -> Picture | None:
    """All sources on one axis, each with area 1; the caption counts what lies outside."""
    fine = {name: keep_finite(values) for name, values in energies.items()}
    fine = {name: values for name, values in fine.items() if values.size}
    if not fine:
        return None

    low, high = choose_range(fine)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="energy, nats (low is likely)", bins=6)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        edges = np.linspace(low, high, BINS + 1)
        for name, (colour, alpha) in STYLES.items():
            if name in fine:
                draw_bars(axes, fine[name], edges, colour, alpha)
        axes.set_xlim(low, high)

    outside = []
    for name, values in fine.items():
        for share, side in ((np.mean(values < low), "left"), (np.mean(values > high), "right")):
            if share > 0.005:
                middle = format_number(float(np.median(values)))
                outside.append(
                    f"{100 * share:.3g}% of {name} lie off the {side} end (median {middle})."
                )
    body = render_svg(paint, name="energies", label="Histograms of the energies", size=(440, 270))
    legend = tuple(LEGEND[name] for name in LEGEND if name in fine)
    caption = "Heights: share of the rows in each bin. " + " ".join(outside)
    return Picture("Energies on one axis", body, caption, legend)


def draw_traces(chains: np.ndarray, thin: int, test: np.ndarray) -> Picture:
    """The energy of the first chains at each step, over the middle 90% of the test rows."""
    stride = max(1, chains.shape[1] // POINTS)
    steps = thin * np.arange(chains.shape[1])[::stride]
    band = keep_finite(test)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes, x="step of the chain", y="energy, nats", bins=6)
        if band.size:
            low, high = np.quantile(band, (0.05, 0.95))
            axes.axhspan(low, high, color=REAL, alpha=0.18, linewidth=0)
        for chain in chains[:TRACES, ::stride]:
            axes.plot(steps, chain, color=MODEL, alpha=0.6, linewidth=0.7)
        axes.set_xlim(0, steps[-1])

    body = render_svg(paint, name="chains", label="Energy along the chains", size=(440, 270))
    legend = [("model", "line", f"{min(TRACES, len(chains))} of {len(chains):,} chains")]
    if band.size:
        legend.append(("real", "area", "middle 90% of test rows"))
    every = f" One step in {stride * thin} is shown." if stride * thin > 1 else ""
    caption = "Well-mixed chains cross the band repeatedly and overlap." + every
    return Picture("Energy along the chains", body, caption, tuple(legend))
