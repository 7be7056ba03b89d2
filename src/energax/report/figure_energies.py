"""Where the energies lie: histograms by source, and traces along the chains."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from energax.report.figure import MODEL, NOISE, REAL, Picture, bars, svg, tidy
from energax.report.number import shown

BINS = 70
TRACES = 6
POINTS = 400
MEANING = {
    "train": "rows that the model was trained on",
    "test": "rows kept aside: as low as train, or the model has memorised",
    "draws": "rows drawn from the model: where the test rows lie, if model and sampler are right",
    "noise": "rows of the base distribution: higher than data, or nothing was learned",
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


def finite(values: np.ndarray) -> np.ndarray:
    """The finite ones, as float64; the page counts the others in a warning."""
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values)]


def view(energies: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """The range to show: nearly all of data and draws, and the noise if it lies near them.

    Near: the middle of the noise is within two widths of the others.
    """
    near = [values for name, values in energies.items() if name != "noise" and values.size]
    ends = np.array([np.quantile(values, (0.002, 0.998)) for values in near or energies.values()])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    width = (high - low) or 1.0
    far = finite(energies.get("noise", np.array([])))
    if far.size:
        bottom, middle, top = np.quantile(far, (0.01, 0.5, 0.99))
        if low - 2 * width < middle < high + 2 * width:
            low, high = (
                max(min(low, bottom), low - 3 * width),
                min(max(high, top), high + 3 * width),
            )
    return low - 0.04 * width, high + 0.04 * width


def histograms(energies: Mapping[str, np.ndarray]) -> Picture | None:
    """All sources on one axis, with the same area; what lies outside is said in words."""
    fine = {name: finite(values) for name, values in energies.items()}
    fine = {name: values for name, values in fine.items() if values.size}
    if not fine:
        return None

    low, high = view(fine)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy(axes, x="energy, nats (low is likely)", bins=6)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        edges = np.linspace(low, high, BINS + 1)
        for name, (colour, alpha) in STYLES.items():
            if name in fine:
                bars(axes, fine[name], edges, colour, alpha)
        axes.set_xlim(low, high)

    outside = []
    for name, values in fine.items():
        for share, side in ((np.mean(values < low), "left"), (np.mean(values > high), "right")):
            if share > 0.005:
                middle = shown(float(np.median(values)))
                outside.append(f"{100 * share:.3g}% of {name} lie further {side}, median {middle}.")
    body = svg(paint, name="energies", label="Histograms of the energies", size=(440, 270))
    legend = tuple(LEGEND[name] for name in LEGEND if name in fine)
    caption = "All histograms have the same area. " + " ".join(outside)
    return Picture("Energies on one axis", body, caption, legend)


def traces(chains: np.ndarray, thin: int, test: np.ndarray) -> Picture:
    """The energy of the first chains at each step, over the middle 90% of the test rows."""
    stride = max(1, chains.shape[1] // POINTS)
    steps = thin * np.arange(chains.shape[1])[::stride]
    band = finite(test)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy(axes, x="step of the chain", y="energy, nats", bins=6)
        if band.size:
            low, high = np.quantile(band, (0.05, 0.95))
            axes.axhspan(low, high, color=REAL, alpha=0.18, linewidth=0)
        for chain in chains[:TRACES, ::stride]:
            axes.plot(steps, chain, color=MODEL, alpha=0.6, linewidth=0.7)
        axes.set_xlim(0, steps[-1])

    body = svg(paint, name="chains", label="Energy along the chains", size=(440, 270))
    legend = [("model", "line", f"{min(TRACES, len(chains))} of {len(chains):,} chains")]
    if band.size:
        legend.append(("real", "area", "middle 90% of test rows"))
    every = f" One step in {stride * thin} is drawn." if stride * thin > 1 else ""
    caption = "Healthy chains cross the whole band again and again, and look alike." + every
    return Picture("Energy along the chains", body, caption, tuple(legend))
