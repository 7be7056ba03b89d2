"""Figures as inline SVG whose colours follow the page, light or dark."""

import dataclasses
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.typing import RcKeyType

INK, MUTED, RULE = "#1d232b", "#6a717c", "#d8d6cf"
REAL, MODEL, NOISE = "#2f6db3", "#c9542e", "#8c9199"

ROLES = {INK: "ink", MUTED: "muted", RULE: "rule", REAL: "real", MODEL: "model", NOISE: "noise"}
"""From a drawn colour to the CSS variable that replaces it."""

SETTINGS: dict[RcKeyType, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
}
"""Text stays text, and a dollar sign in a column name is a dollar sign, not mathematics."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure with title and caption. `body`: safe HTML. `legend`: (CSS variable, mark, text)."""

    title: str
    body: Markup
    caption: str = ""
    legend: tuple[tuple[str, str, str], ...] = ()


def _apply_theme(tag: str, name: str) -> str:
    """The tag with CSS variables for colours and ids that start with `name`."""
    for colour, role in ROLES.items():
        tag = tag.replace(colour, f"var(--{role})")
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", tag)


def render_svg(
    paint: Callable[[Figure], None], *, name: str, label: str, size: tuple[int, int]
) -> Markup:
    """SVG of what `paint` draws, `size` in points.

    `name` makes ids unique; `label` is the text for screen readers. The same figure gives the same
    bytes, and matplotlib's settings stay as they were.
    """
    out = io.StringIO()
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        paint(figure)
        blank = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=blank)
    body = out.getvalue().partition("<svg")[2].partition(">")[2]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", lambda tag: _apply_theme(tag.group(), name), body)
    opening = Markup('<svg viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">').format(
        *size, size[0], label
    )
    return opening + Markup(body)


def draw_bars(
    axes: Axes, values: np.ndarray, edges: np.ndarray, colour: str, alpha: float | None = None
) -> None:
    """The share of `values` in each bin: an area if `alpha` is given, else a line."""
    shares = np.histogram(values, edges)[0] / max(len(values), 1)
    filled = alpha is not None
    axes.stairs(shares, edges, color=colour, fill=filled, alpha=alpha, linewidth=1.7 * (not filled))


def make_locator(bins: int) -> MaxNLocator:
    """At most `bins` steps of 1, 2, 2.5 or 5 times a power of ten."""
    return MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10])


def tidy_axes(axes: Axes, *, x: str = "", y: str = "", bins: int = 5) -> None:
    """Few ticks, without marks, and short labels."""
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(make_locator(bins))
        side.set_major_formatter(FuncFormatter(format_tick))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.tick_params(length=0)


def format_tick(value: float, _: int | None = None) -> str:
    """The label of a tick; matplotlib also passes its position."""
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e10 else f"{value:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")
