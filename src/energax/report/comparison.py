"""What the page of a comparison is made from: runs on the same rows, grouped by method."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from energax.errors import InputError
from energax.report.material import Density
from energax.report.number import Interval, Number, interval, number, shown

DASH = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """One run: its method in a word, and what its folder holds.

    `evaluation`: as `energax evaluate` writes it; None for a run that `diverged`, which is then the
    reason in a sentence. `seconds`: of training. `draws` in the user's units.
    """

    method: str
    seed: int
    path: str
    seconds: float
    evaluation: Mapping[str, Any] | None
    diverged: str = ""
    draws: Shaped[np.ndarray, " draws ..."] | None = None
    density: Density | None = None

    @property
    def likelihood(self) -> Interval | None:
        """The test log-likelihood with both ends, certified or not."""
        return interval((self.evaluation or {}).get("test_log_likelihood"))

    @property
    def certified(self) -> Interval | None:
        """The test log-likelihood, where it is certified."""
        found = self.likelihood
        return found if found is not None and found.certified else None

    def figure(self, name: str) -> Number | None:
        """A number of the evaluation; None where there is none, or where it was not finite.

        "outer/inner" names a nested one.
        """
        entry: Any = self.evaluation or {}
        for part in name.split("/"):
            entry = None if entry is None else entry.get(part)
        if entry is None or (isinstance(entry, Mapping) and entry.get("value") is None):
            return None
        return number(entry, name)


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """All runs of one method, in the order of their seeds."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def certified(self) -> tuple[Interval, ...]:
        """The certified test log-likelihoods."""
        return tuple(e.certified for e in self.entries if e.certified is not None)

    @property
    def mean(self) -> float:
        """Mean over seeds of the certified test log-likelihood, nats; NaN where there is none."""
        return _mean([found.value for found in self.certified])

    @property
    def lower(self) -> float:
        """Mean of the lower ends."""
        return _mean([found.lower for found in self.certified])

    @property
    def upper(self) -> float:
        """Mean of the upper ends."""
        return _mean([found.upper for found in self.certified])

    @property
    def worst(self) -> float:
        """The lowest over seeds."""
        return min((found.value for found in self.certified), default=math.nan)

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None for fewer than two."""
        values = [found.value for found in self.certified]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    @property
    def diverged(self) -> int:
        """How many of its runs diverged."""
        return sum(bool(entry.diverged) for entry in self.entries)

    @property
    def why(self) -> str:
        """The first reason why a run has no certified likelihood; empty where all have one."""
        for entry in self.entries:
            if entry.diverged:
                return entry.diverged
            if entry.likelihood is not None and not entry.likelihood.certified:
                return entry.likelihood.why
        return ""

    def figure(self, name: str) -> float:
        """Mean over seeds of a number of the evaluation; NaN where no run has it."""
        found = [figure.value for e in self.entries if (figure := e.figure(name)) is not None]
        return _mean(found)

    @property
    def seconds(self) -> float:
        """Median over seeds of the seconds of training: the first seed also pays for compiling."""
        return float(np.median([entry.seconds for entry in self.entries]))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Everything that the page of a comparison shows; all runs saw the same rows.

    `truth`: the true distribution on the test rows, where it is known. `baselines`: as in
    evaluation.json. Raises InputError without any run.
    """

    data: str
    command: str
    digest: str
    versions: Mapping[str, str]
    entries: Sequence[Entry]
    test: Shaped[np.ndarray, " test ..."]
    levels: int | None = None
    truth: Number | None = None
    baselines: Mapping[str, Any] | None = None
    exact_density: Density | None = None

    def __post_init__(self):
        if not self.entries:
            raise InputError("A comparison needs at least one run.")

    @property
    def methods(self) -> list[Method]:
        """By mean certified likelihood, best first; methods without one last, in their order."""
        names = list(dict.fromkeys(entry.method for entry in self.entries))
        found = [Method(n, tuple(e for e in self.entries if e.method == n)) for n in names]
        return sorted(found, key=lambda m: (math.isnan(m.mean), -m.mean if m.certified else 0.0))


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure of the table: its heading, what it is, and how it is written for a method."""

    heading: str
    meaning: str
    cell: Callable[[Method], str]


def columns(comparison: Comparison) -> list[Column]:
    """The figures that these runs have, in the order of the table."""
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
                "nats below the true distribution of the data on the same rows",
                lambda m: plain(truth - m.mean, 3),
            )
        )
    for name, heading, meaning, digits in _FIGURES:
        if any(math.isfinite(method.figure(name)) for method in methods):
            found.append(Column(heading, meaning, _cell(name, digits)))
    return [
        *found,
        Column("seconds", "of training, median over seeds", lambda m: plain(m.seconds, 1)),
        Column("diverged", "runs that stopped at a number that was not finite", _diverged),
    ]


_FIGURES = (
    (
        "baselines/base distribution, before training",
        "before",
        "the base distribution alone, on the same rows",
        3,
    ),
    (
        "mmd",
        "1000 MMD²",
        "draws against test rows, mean over seeds; 0 if the distributions agree",
        1,
    ),
    ("kernel_stein", "1000 Stein²", "squared kernel Stein discrepancy of test rows", 1),
    ("modes_covered", "modes", "share of modes with at least half of their true mass", None),
    ("mode_shares_off", "shares off", "total variation between the shares of modes", 3),
    ("coverage", "coverage", "test rows with a draw among their neighbours", 2),
)


def _cell(name: str, digits: int | None) -> Callable[[Method], str]:
    scale = 1000 if name in ("mmd", "kernel_stein") else 1
    if digits is None:
        return lambda m: f"{100 * m.figure(name):.0f}%" if math.isfinite(m.figure(name)) else DASH
    return lambda m: plain(scale * m.figure(name), digits)


def _likelihood(method: Method) -> str:
    if not method.certified:
        return "not certified" if method.diverged < len(method.entries) else DASH
    width = method.upper - method.lower
    text = plain(method.mean, 3 if width < 0.01 else 2)
    if method.spread is not None:
        text += f" ± {method.spread:.3f}" if width < 0.01 else f" ± {method.spread:.2f}"
    if width >= 0.01:
        text += f" [{plain(method.lower, 2)}, {plain(method.upper, 2)}]"
    some = len(method.certified)
    return text if some == len(method.entries) else f"{text} ({some} of {len(method.entries)})"


def _worst(method: Method) -> str:
    width = method.upper - method.lower
    return plain(method.worst, 3 if width < 0.01 else 2)


def _diverged(method: Method) -> str:
    return f"{method.diverged} of {len(method.entries)}"


def plain(value: float, digits: int) -> str:
    """`value` with a fixed number of digits after the point; a dash where there is none."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else DASH


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, one line for each method, best first."""
    table = columns(comparison)
    lines = [["objective", *(column.heading for column in table)]]
    lines.append(["---"] * len(lines[0]))
    lines += [[f"`{m.name}`", *(c.cell(m) for c in table)] for m in comparison.methods]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    if comparison.truth is not None:
        text += (
            f"\nTrue distribution on the same rows: {shown(comparison.truth.value, 0.01)} nats.\n"
        )
    return text
