"""Results of several runs on the same rows, grouped by method: the input of a comparison."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from energax.errors import InputError
from energax.report.number import Interval, Number, read_interval, read_number
from energax.report.run_results import Density


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """One run of a comparison.

    Args:
        method: short name of the method; runs with the same name share a line.
        title: full name of the method.
        seed: seed of the run.
        path: where the run is kept.
        seconds: of training.
        evaluation: as in `RunResults`; None for a run that diverged.
        diverged: the reason in a sentence; empty for a run that did not diverge.
        draws: rows drawn from the model, in the user's units.
        density: the learned density, in the plane.

    Example:
        >>> run = {"method": "nce", "title": "NCE", "seed": 0, "path": "runs/a", "seconds": 9.5}
        >>> ex.report.Entry(**run, evaluation={"mmd": 0.25}).figure("mmd").value
        0.25
    """

    method: str
    title: str
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
        return read_interval((self.evaluation or {}).get("test_log_likelihood"))

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
        return read_number(entry, name)


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """All runs of one method, in the order given."""

    name: str
    title: str
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

    Args:
        data: name of the data set.
        entries: the runs.
        test: test rows in the user's units.
        command: the command that repeats the comparison.
        digest: SHA-256 of the data.
        versions: package to version.
        levels: number of values of integer data, 256 for bytes.
        truth: mean log-density of the true distribution on the test rows, where it is known.
        baselines: as in `RunResults.evaluation`.
        exact_density: the density that the data were drawn from, in the plane.

    Raises:
        InputError: `entries` is empty.

    Example:
        >>> run = {"method": "nce", "title": "NCE", "seed": 0, "path": "runs/a", "seconds": 9.5}
        >>> entries = [ex.report.Entry(**run, evaluation={})]
        >>> len(ex.report.Comparison(data="a", entries=entries, test=np.zeros((8, 2))).methods)
        1
    """

    data: str
    entries: Sequence[Entry]
    test: Shaped[np.ndarray, " test ..."]
    command: str = ""
    digest: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
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
        groups: dict[str, list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault(entry.method, []).append(entry)
        found = [Method(name, runs[0].title, tuple(runs)) for name, runs in groups.items()]
        return sorted(found, key=lambda m: (math.isnan(m.mean), -m.mean if m.certified else 0.0))
