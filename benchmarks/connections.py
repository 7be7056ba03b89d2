"""The figure of docs/connections.md: how far each method is from the one whose limit it is.

uv run python benchmarks/connections.py [FIGURE.png]
"""

import sys
from pathlib import Path

import jax
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from energax.report.figure import INK, MODEL, MUTED, NOISE, REAL, SETTINGS, format_tick

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from identities import IDENTITIES, worst
from limits import LIMITS, gap

PARAMETERS = np.geomspace(1, 0.01, 13)
TWINS = {"nce-conditional": "nce-self"}
"""The two have the same mean, so one line stands for both."""
NAMES = {"cd": "cd, one step"}
COLOURS = {"cd": MODEL, "ssm-finite": INK, "dsm --control-variate": INK}
"""Chains, slopes, and what compares a row with others."""


def table(errors: dict[str, np.ndarray]) -> str:
    """A row for each method; every third parameter, and the order seen at the two smallest."""
    shown = range(0, len(PARAMETERS), 3)
    lines = [
        "| objective | " + " | ".join(f"{PARAMETERS[i]:.2g}" for i in shown) + " | order |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for name, error in errors.items():
        order = np.log(error[-2] / error[-1]) / np.log(PARAMETERS[-2] / PARAMETERS[-1])
        cells = " | ".join(f"{error[i]:.2g}" for i in shown)
        lines.append(f"| `{name}` | {cells} | {order:.2f} |")
    return "\n".join(lines)


def apart(heights: np.ndarray, least: float) -> np.ndarray:
    """Heights of labels, moved by as little as it takes to be `least` apart."""
    order = np.argsort(heights)
    moved = heights[order].copy()
    for _ in range(200):
        for low in range(len(moved) - 1):
            lift = max(0.0, least - (moved[low + 1] - moved[low])) / 2
            moved[low : low + 2] += (-lift, lift)
    return moved[np.argsort(order)]


def guide(axes: Axes, order: int, start: tuple[float, float], end: float) -> None:
    """A thin line of a slope, which it names in its middle."""
    x = np.array([start[0], np.sqrt(start[0] * end), end])
    y = start[1] * (x / x[0]) ** order
    axes.plot(x, y, color=NOISE, lw=0.8, ls=(0, (2, 2)), zorder=1)
    words = {"color": MUTED, "ha": "center", "va": "center", "size": 9, "backgroundcolor": "white"}
    axes.text(x[1], y[1], f"slope {order}", **words)


def draw(errors: dict[str, np.ndarray], path: str) -> None:
    """Error against parameter, each line named at its end."""
    lines = {name: error for name, error in errors.items() if name not in TWINS}
    figure = Figure(figsize=(8, 4.8), dpi=110, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log", xlim=(1.1, PARAMETERS[-1]), ylim=(2e-5, 50))
    guide(axes, 1, (0.3, 4.5), 0.012)
    guide(axes, 2, (0.6, 0.025), 0.02)
    heights = apart(np.log10([error[-1] for error in lines.values()]), 0.3)
    for (name, error), height in zip(lines.items(), heights, strict=True):
        colour = COLOURS.get(name, REAL)
        axes.plot(PARAMETERS, error, color=colour, marker="o", ms=3.5, clip_on=False, zorder=3)
        ends = PARAMETERS[-1] * np.array([0.97, 0.88])
        leader = {"color": colour, "lw": 0.7, "clip_on": False}
        axes.plot(ends, [error[-1], 10**height], **leader)
        label = ", ".join(
            [NAMES.get(name, name), *(twin for twin, same in TWINS.items() if same == name)]
        )
        axes.text(ends[1] * 0.98, 10**height, label, color=colour, va="center_baseline")
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_formatter(FuncFormatter(format_tick))
        side.set_major_locator(LogLocator(numticks=9))
        side.set_minor_locator(NullLocator())
    axes.tick_params(length=0)
    axes.set_xlabel("noise s, difference h, or step h of the chain")
    axes.set_title("Relative distance from score matching", loc="left", size=11)
    figure.savefig(path)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    errors = {name: np.array([gap(name, s) for s in PARAMETERS]) for name in LIMITS}
    print("relative distance from the limit, by noise, difference or step:\n")
    print(table(errors))
    print("\nlargest relative error of what is equal:\n")
    for name in IDENTITIES:
        print(f"{name}: {worst(name):.1g}")
    if len(sys.argv) > 1:
        with mpl.rc_context(SETTINGS):
            draw(errors, sys.argv[1])


if __name__ == "__main__":
    main()
