"""What experiments of one paper have in common with those of another."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Record = Mapping[str, Any]
Records = Sequence[Record]
Runs = Mapping[Any, Records]
"""Settings to the records of their runs, one for each seed that is there."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Experiments of one paper: what they run, how a run goes, and what is made of its records.

    Args:
        plans: Name of an experiment to its settings, frozen dataclasses with a `word`, `steps` and
            `rows`.
        run: The record of a run, and arrays of it that are kept; raises Stopped after Ctrl-C,
            Diverged where a number is not finite.
        summarise: A record in one line.
        write: Everything about finished runs into a folder; the paths that were written.
    """

    plans: Mapping[str, tuple[Any, ...]]
    run: Callable[[Any, int], tuple[dict[str, Any], dict[str, np.ndarray]]]
    summarise: Callable[[Record], str]
    write: Callable[[Path, str, Runs], list[Path]]


def fine(records: Records) -> list[Record]:
    """Those that did not diverge."""
    return [record for record in records if "diverged" not in record]


def spread(values: Sequence[float | int]) -> str:
    """mean [least, greatest], to three digits and no less than whole numbers."""
    if not len(values):
        return "none"
    if len(values) == 1:
        return short(values[0])
    return f"{short(float(np.mean(values)))} [{short(min(values))}, {short(max(values))}]"


def short(value: float | int) -> str:
    """Three digits, and no less than whole numbers."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its head."""
    head, *rest = lines
    every = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in every) + "\n"
