"""Ours beside the published numbers, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from energax.reproduce.dual.plan import Setting
from energax.reproduce.dual.published import INITIAL, RESULTS, Published
from energax.reproduce.experiment import Records, Runs, fine, markdown, short, spread

COLUMNS = (50, 100, 200, 500, 1000, 2000, 4000)
"""Iterations whose KL has a column, where the runs are long enough."""
BELOW = 0.03
"""The KL whose first crossing is reported."""
EARLY = 200
"""The iteration whose mean weight shows the plateau of a teacher with near directions."""

_WORDS = (
    "SM: twice the Fisher divergence. Weight: mean weight of the neurons. Last 500: means over the "
    "last 500 iterations. Cosine: of the nearest neuron with the direction of the teacher that is "
    "missed more. Weight near: share on neurons whose cosine with a direction is at least 0.95. "
    "Beats the first: seeds whose KL over the last 500 is below that of the first line at the same "
    "seed, on the same rows. Gap: the duality gap at the end, nats; decayed: after a quarter "
    "as many iterations more, in which the steps of the neurons fall to 0 along a cosine."
)


def table(name: str, runs: Runs) -> str:
    """The whole table.md of an experiment."""
    seeds = max(len(records) for records in runs.values())
    parts = [f"# {name}\n", f"Mean [least, greatest] over seeds, {seeds} at most. {_WORDS}\n"]
    groups = dict.fromkeys(setting.group for setting in runs)
    for group in groups:
        these = {setting: records for setting, records in runs.items() if setting.group == group}
        parts += [f"## {group}\n", _main(name, these), _ends(these)]
    return "\n".join(parts)


def at(record: Mapping[str, Any], measure: str, iteration: int) -> float:
    """The measure at one of the iterations that were measured."""
    return record[measure][record["iteration"].index(iteration)]


def last(record: Mapping[str, Any], measure: str, span: int = 500) -> float:
    """Mean over the last `span` iterations, of those that were measured."""
    end = record["iteration"][-1]
    late = [i > end - span for i in record["iteration"]]
    return float(np.mean(np.array(record[measure])[late]))


def first_below(record: Mapping[str, Any]) -> int | None:
    """The first measured iteration with KL below `BELOW`."""
    hits = (i for i, kl in zip(record["iteration"], record["kl"], strict=True) if kl < BELOW)
    return next(hits, None)


def _main(name: str, runs: Runs) -> str:
    longest = max(setting.steps for setting in runs)
    columns = [column for column in COLUMNS if column < longest] + [longest]
    head = ["setting", "", *(f"KL at {column:,}" for column in columns)]
    head += ["last 500: KL", "SM", "weight", f"weight at {EARLY}", f"KL < {BELOW} from"]
    lines = [head]
    for setting, records in runs.items():
        lines.append(_ours(setting, fine(records), columns))
        known = RESULTS.get((name, setting.word))
        if known is not None:
            lines.append(_theirs(known, columns))
    return markdown(lines)


def _ours(setting: Setting, records: Records, columns: Sequence[int]) -> list[str]:
    cells = [setting.label, "ours"]
    for column in columns:
        found = [at(r, "kl", column) for r in records if column in r["iteration"]]
        cells.append(spread(found) if found else "")
    for measure in ("kl", "sm", "variation"):
        cells.append(spread([last(record, measure) for record in records]))
    found = [at(r, "variation", EARLY) for r in records if EARLY in r["iteration"]]
    cells.append(spread(found) if found else "")
    crossed = [first for first in map(first_below, records) if first is not None]
    never = len(records) - len(crossed)
    cells.append((spread(crossed) if crossed else "") + (f" ({never} never)" if never else ""))
    return cells


def _theirs(known: Published, columns: Sequence[int]) -> list[str]:
    cells = ["", known.word] + [_known(known.kl.get(column)) for column in columns]
    cells += [_known(known.last_kl), _known(known.last_sm), _known(known.variation)]
    return [*cells, _known(known.early), _known(known.below)]


def _known(value: float | int | None) -> str:
    return "" if value is None else short(value)


def _ends(runs: Runs) -> str:
    """Start and end of the runs: what they begin with, where the neurons point, the gap, time."""
    head = ["setting", "KL at 0", "SM at 0", "cosine", "weight near", "beats the first", "gap"]
    lines = [[*head, "gap, decayed", "seconds"]]
    first = fine(next(iter(runs.values())))
    for setting, all_records in runs.items():
        records = fine(all_records)
        lost = len(all_records) - len(records)
        gaps, decayed = (
            [r[name] for r in records if r.get(name) is not None]
            for name in ("gap", "gap_after_decay")
        )
        lines.append(
            [
                setting.label + (f" ({lost} diverged)" if lost else ""),
                spread([record["kl"][0] for record in records]),
                spread([record["sm"][0] for record in records]),
                spread([min(record["cosines"]) for record in records]),
                spread([record["near"][-1] for record in records]),
                "" if setting == next(iter(runs)) else beats(records, first),
                spread(gaps) if gaps else "",
                spread(decayed) if decayed else "",
                spread([record["seconds"] for record in records]),
            ]
        )
    words = {setting.teacher for setting in runs}
    start = ", ".join(f"KL {INITIAL[word][0]}, SM {INITIAL[word][1]}" for word in sorted(words))
    return f"Published at iteration 0, all signs \N{MINUS SIGN}1: {start}.\n\n{markdown(lines)}"


def beats(records: Records, others: Records) -> str:
    """In how many seeds that both have the late KL of the first is below that of the second."""
    known = {record["seed"]: last(record, "kl") for record in others}
    pairs = [(last(r, "kl"), known[r["seed"]]) for r in records if r["seed"] in known]
    return f"{sum(ours < theirs for ours, theirs in pairs)} of {len(pairs)}"
