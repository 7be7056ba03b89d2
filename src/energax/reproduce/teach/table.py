"""Ours beside the published figures, and which of the published orders hold, as Markdown."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from energax.reproduce.experiment import Record, Records, Runs, fine, markdown, short, spread
from energax.reproduce.teach.images import SIDE, Judge
from energax.reproduce.teach.plan import TITLES, Images, Setting
from energax.reproduce.teach.published import RESULTS

VIEWS: dict[str, tuple[str, ...]] = {
    "28 x 28": ("large",),
    "14 x 14: steps on x": ("x10", "x20", "base", "x50"),
    "14 x 14: steps on z": ("noise10", "noise30", "base", "encoder30"),
    "14 x 14: the family": (
        *("base", "kept", "variational", "cooperative", "triangle", "no-energy"),
    ),
}
"""Headings to the endings of the words of their lines."""

_WORDS = (
    "Mean [least, greatest] over seeds, {seeds} at most. Fréchet and kernel distance: of "
    "features of a classifier of the labels, 5,000 draws against all test rows, before the "
    "chain on x and after it. Energy: its mean where chains on x begin and end. Squared error: "
    "mean over the pixels of 2,000 test rows, where chains on z begin and after them. "
    "What the paper reports has a table of its own, at the end: it is on another scale."
)

_SCALES = (
    "Cui and Han (2023) on CIFAR-10. Their Fréchet distance is one of the 2,048 features of an "
    "Inception network, ours one of the 64 features of a small classifier, and neither images, "
    "networks nor machines are the same: no number here can be compared with one above, only the "
    "order of the settings can."
)

Seed = Mapping[str, Record]
"""Runs of one seed by the ending of their word."""

_Order = tuple[str, tuple[str, ...], Callable[[Seed], bool]]


def _last(record: Record) -> float:
    return record["frechet"][-1]


def _falls(values: list[float]) -> bool:
    return bool(np.all(np.diff(values) < 0))


ORDERS: tuple[_Order, ...] = (
    (
        "The chain on x improves the generator's draws (28 x 28)",
        ("large",),
        lambda of: of["large"]["frechet"][1] < of["large"]["frechet"][0],
    ),
    (
        "The chain on x improves the generator's draws (14 x 14)",
        ("base",),
        lambda of: of["base"]["frechet"][1] < of["base"]["frechet"][0],
    ),
    ("20 steps on x beat 10", ("x10", "x20"), lambda of: _last(of["x20"]) < _last(of["x10"])),
    ("30 steps on x beat 20", ("x20", "base"), lambda of: _last(of["base"]) < _last(of["x20"])),
    ("50 steps on x beat 30", ("base", "x50"), lambda of: _last(of["x50"]) < _last(of["base"])),
    (
        "A step on x gains less from 30 to 50 than from 10 to 30",
        ("x10", "base", "x50"),
        lambda of: (
            (_last(of["base"]) - _last(of["x50"])) / 20
            < (_last(of["x10"]) - _last(of["base"])) / 20
        ),
    ),
    (
        "More steps on x take longer",
        ("x10", "x20", "base", "x50"),
        lambda of: _falls([of[word]["seconds"] for word in ("x50", "base", "x20", "x10")]),
    ),
    (
        "Encoder and 10 steps on z beat 30 from noise, Fréchet distance",
        ("base", "noise30"),
        lambda of: _last(of["base"]) < _last(of["noise30"]),
    ),
    (
        "Encoder and 10 steps on z beat 30 from noise, squared error",
        ("base", "noise30"),
        lambda of: of["base"]["errors"][-1] < of["noise30"]["errors"][-1],
    ),
    (
        "30 steps from noise beat 10, squared error",
        ("noise10", "noise30"),
        lambda of: of["noise30"]["errors"][-1] < of["noise10"]["errors"][-1],
    ),
    (
        "The squared error falls along the chain on z",
        ("base",),
        lambda of: of["base"]["errors"][-1] < of["base"]["errors"][0],
    ),
    (
        "The energy falls at every step on x",
        ("base",),
        lambda of: _falls(of["base"]["energies"]),
    ),
    (
        "Teaching beats cooperative learning, Fréchet distance",
        ("base", "cooperative"),
        lambda of: _last(of["base"]) < _last(of["cooperative"]),
    ),
    (
        "Teaching beats the divergence triangle, Fréchet distance",
        ("base", "triangle"),
        lambda of: _last(of["base"]) < _last(of["triangle"]),
    ),
)
"""A published order, the settings that it compares, and whether it holds at one seed."""


def table(runs: Runs, judges: Mapping[tuple[Images, int], Judge]) -> str:
    """The whole table.md of `teaching-mnist`; `judges` by data set and pooling."""
    seeds = max(len(records) for records in runs.values())
    parts = ["# teaching-mnist\n", _WORDS.format(seeds=seeds) + "\n"]
    sets: list[Images] = [data for data in TITLES if any(setting.data == data for setting in runs)]
    for data, pool in judges:
        side, judge = SIDE // pool, judges[data, pool]
        parts.append(
            f"{TITLES[data]}, {side} x {side}: the classifier is right on {100 * judge.right:.1f}% "
            f"of the test rows; 5,000 training rows are at Fréchet distance {judge.floor:.2g}.\n"
        )
    for data in sets:
        of = {
            _ending(setting): (setting, runs[setting]) for setting in runs if setting.data == data
        }
        for heading, words in VIEWS.items():
            lines = [_line(*of[word]) for word in words if word in of]
            if lines:
                parts += [f"## {TITLES[data]}, {heading}\n", markdown([_HEAD, *lines])]
    parts += ["## Published orders\n", orders(runs)]
    return "\n".join([*parts, "## Published numbers\n", f"{_SCALES}\n", list_published(runs)])


def list_published(runs: Runs) -> str:
    """The numbers of the paper for the settings that were run."""
    lines = [["setting", "Fréchet (Inception)", "squared error", "ms per update, on a GPU"]]
    labels = {_ending(setting): setting.label for setting in runs}
    for word, known in RESULTS.items():
        if word in labels:
            pace = None if known.seconds is None else 1000 * known.seconds
            cells = [known.frechet, known.errors, pace]
            lines.append([labels[word], *("" if n is None else short(n) for n in cells)])
    return markdown(lines)


def orders(runs: Runs) -> str:
    """In how many seeds each published order holds, by data set."""
    sets: list[Images] = [data for data in TITLES if any(setting.data == data for setting in runs)]
    lines = [["order", *(TITLES[data] for data in sets)]]
    for words, needed, holds in ORDERS:
        lines.append([words, *(_count_seeds(by_seed(runs, data), needed, holds) for data in sets)])
    return markdown(lines)


def by_seed(runs: Runs, data: Images) -> dict[int, dict[str, Record]]:
    """Runs that did not diverge, by seed and by the ending of their word."""
    found: dict[int, dict[str, Record]] = {}
    for setting, records in runs.items():
        if setting.data == data:
            for record in fine(records):
                found.setdefault(record["seed"], {})[_ending(setting)] = record
    return found


def _count_seeds(seeds: dict[int, Any], needed: tuple[str, ...], holds: Callable) -> str:
    these = [of for of in seeds.values() if all(word in of for word in needed)]
    return f"{sum(holds(of) for of in these)} of {len(these)}" if these else ""


def _ending(setting: Setting) -> str:
    return setting.word.removeprefix(f"{setting.data}-")


_HEAD = [
    *("setting", "Fréchet, before", "after", "kernel, before", "after", "energy"),
    *("squared error, before", "after", "ms per update"),
]


def _line(setting: Setting, every: Records) -> list[str]:
    records = fine(every)
    lost = len(every) - len(records)
    walked = setting.chain > 0

    def of(name: str, place: int) -> str:
        return spread([record[name][place] for record in records])

    return [
        setting.label + (f" ({lost} diverged)" if lost else ""),
        of("frechet", 0),
        of("frechet", 1) if walked else "",
        of("kernel", 0),
        of("kernel", 1) if walked else "",
        f"{of('energies', 0)} to {of('energies', -1)}" if walked else "",
        of("errors", 0),
        of("errors", -1),
        spread([1000 * record["seconds"] for record in records]),
    ]
