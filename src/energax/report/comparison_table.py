"""The table of a comparison: one line for each method, as cells and as Markdown."""

import dataclasses
import math
from collections.abc import Callable

from energax.report.comparison import Comparison, Method
from energax.report.number import format_number

DASH = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table: its heading, what it is, and its text for a method."""

    heading: str
    meaning: str
    cell: Callable[[Method], str]


def make_columns(comparison: Comparison) -> list[Column]:
    """The columns that these runs have, in the order of the table."""
    methods = comparison.methods
    found = [
        Column("test nats", "mean log-density of a test row over seeds, certified", _likelihood),
        Column("worst seed", "the lowest certified test log-likelihood", _worst),
    ]
    if comparison.truth is not None:
        truth = comparison.truth.value
        found.append(
            Column(
                "gap to truth",
                "nats below the true distribution on the same rows",
                lambda m: format_fixed(truth - m.mean, 3),
            )
        )
    for name, heading, meaning, digits in _FIGURES:
        if any(math.isfinite(method.figure(name)) for method in methods):
            found.append(Column(heading, meaning, _cell(name, digits)))
    return [
        *found,
        Column("seconds", "of training, median over seeds", lambda m: format_fixed(m.seconds, 1)),
        Column("diverged", "runs stopped by a number that was not finite", _count_diverged),
    ]


_FIGURES = (
    (
        "baselines/base distribution, before training",
        "before",
        "test nats of the base distribution alone",
        3,
    ),
    (
        "mmd",
        "1000 MMD²",
        "draws against test rows, mean over seeds; 0 if the distributions agree",
        1,
    ),
    ("kernel_stein", "1000 Stein²", "squared kernel Stein discrepancy of test rows", 1),
    ("modes_covered", "modes", "share of true modes that get at least half their weight", None),
    ("mode_shares_off", "mode error", "total variation between mode weights and the true ones", 3),
    ("coverage", "coverage", "share of test rows with a draw closer than their fifth neighbour", 2),
)


def _cell(name: str, digits: int | None) -> Callable[[Method], str]:
    scale = 1000 if name in ("mmd", "kernel_stein") else 1
    if digits is None:
        return lambda m: f"{100 * m.figure(name):.0f}%" if math.isfinite(m.figure(name)) else DASH
    return lambda m: format_fixed(scale * m.figure(name), digits)


def _likelihood(method: Method) -> str:
    if not method.certified:
        return "not certified" if method.diverged < len(method.entries) else DASH
    width = method.upper - method.lower
    text = format_fixed(method.mean, 3 if width < 0.01 else 2)
    if method.spread is not None:
        text += f" ± {method.spread:.3f}" if width < 0.01 else f" ± {method.spread:.2f}"
    if width >= 0.01:
        text += f" [{format_fixed(method.lower, 2)}, {format_fixed(method.upper, 2)}]"
    some = len(method.certified)
    return text if some == len(method.entries) else f"{text} ({some} of {len(method.entries)})"


def _worst(method: Method) -> str:
    width = method.upper - method.lower
    return format_fixed(method.worst, 3 if width < 0.01 else 2)


def _count_diverged(method: Method) -> str:
    return f"{method.diverged} of {len(method.entries)}"


def format_fixed(value: float, digits: int) -> str:
    """`value` with a fixed number of digits after the point; a dash where there is none."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else DASH


def render_markdown(comparison: Comparison) -> str:
    """The table of a comparison as Markdown: one line for each method, best first.

    Example:
        >>> run = {"method": "nce", "title": "NCE", "seed": 0, "path": "runs/a", "seconds": 9.5}
        >>> some = {"data": "a", "entries": [ex.report.Entry(**run, evaluation={"mmd": 0.25})]}
        >>> print(ex.report.render_markdown(ex.report.Comparison(**some, test=np.zeros((8, 2)))))
        | method | test nats | worst seed | 1000 MMD² | seconds | diverged |
        | --- | --- | --- | --- | --- | --- |
        | `nce` | not certified | – | 250.0 | 9.5 | 0 of 1 |
        <BLANKLINE>
    """
    table = make_columns(comparison)
    lines = [["method", *(column.heading for column in table)]]
    lines.append(["---"] * len(lines[0]))
    lines += [[f"`{m.name}`", *(c.cell(m) for c in table)] for m in comparison.methods]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    if comparison.truth is not None:
        truth = format_number(comparison.truth.value, 0.01)
        text += f"\nTrue distribution on the same rows: {truth} nats.\n"
    return text
