"""Numbers of the page: warnings, cards, chain health, means."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from energax.report.figure_curves import metric_names, read_curve, steps_per_second
from energax.report.figure_energies import keep_finite
from energax.report.figure_forest import baseline_rows
from energax.report.labels import GRADES, MEANINGS, grade, title_of
from energax.report.number import Interval, Number, format_number, read_float, read_number
from energax.report.run_results import RunResults


def read_figures(evaluation: Mapping[str, Any]) -> tuple[dict[str, Number], dict[str, str]]:
    """The numbers and the sentences of `evaluation`; a nested mapping gives "outer/inner"."""
    numbers: dict[str, Number] = {}
    sentences: dict[str, str] = {}
    for name, entry in evaluation.items():
        match entry:
            case {"value": None} | None:
                sentences[name] = "no value: not measured, or not finite"
            case {"value": _}:
                numbers[name] = read_number(entry, name)
            case dict():
                inner, texts = read_figures(entry)
                numbers |= {f"{name}/{key}": value for key, value in inner.items()}
                sentences |= {f"{name}/{key}": value for key, value in texts.items()}
            case str() | bool():
                sentences[name] = str(entry)
            case _:
                numbers[name] = read_number(entry, name)
    return numbers, sentences


def _arrays(results: RunResults) -> dict[str, np.ndarray]:
    """All arrays, by the name that a warning gives them."""
    arrays = {
        f"logged {name}": read_curve(results.metrics, name)[1]
        for name in metric_names(results.metrics)
    }
    arrays |= {f"energies of {name}": values for name, values in results.energies.items()}
    more = {"draws": results.draws, "chains": results.chains}
    return arrays | {name: values for name, values in more.items() if values is not None}


def find_warnings(results: RunResults, numbers: Mapping[str, Number]) -> Iterator[str]:
    """A sentence for every number that is not finite."""
    for name, values in _arrays(results).items():
        bad = int(np.sum(~np.isfinite(values)))
        if bad:
            yield (
                f"{bad:,} of {values.size:,} numbers of the {name} are not finite: "
                "the figures leave them out or mark them."
            )
    for name, figure in numbers.items():
        if not figure.finite:
            yield (
                f"{title_of(name)} is not finite: {figure.text} {figure.error_text}".rstrip() + "."
            )
    for row in baseline_rows(results.evaluation.get("baselines") or {}):
        if not math.isfinite(row.exact):
            yield f"The baseline {row.name} is not finite: {row.text}."


def grade_health(
    numbers: Mapping[str, Number], results: RunResults
) -> list[tuple[str, Number, str, str]]:
    """(title, number, grade, meaning) of R-hat, effective sample size and acceptance.

    Where the evaluation has no acceptance, it is the mean over the last tenth of training.
    """
    found = {name: figure for name, figure in numbers.items() if name.split("/")[-1] in GRADES}
    rows = [
        (
            title_of(name),
            figure,
            grade(name.split("/")[-1], figure.value),
            meaning_of(name, results),
        )
        for name, figure in found.items()
    ]
    logged = "acceptance" in metric_names(results.metrics)
    if logged and not any(name.split("/")[-1] == "acceptance" for name in found):
        values = read_curve(results.metrics, "acceptance")[1]
        mean = Number(float(np.mean(values[-max(1, len(values) // 10) :])))
        text = "mean over the last tenth of training; 1 if the sampler accepts everything"
        rows.append(("Acceptance in training", mean, grade("acceptance", mean.value), text))
    return rows


def meaning_of(name: str, results: RunResults) -> str:
    """The explanation of a number: from the results, else from the table of labels."""
    known = MEANINGS | dict(results.meanings)
    inner = known.get(name.split("/")[-1], "as recorded by the run")
    return known.get(name.replace("/", "_"), inner)


@dataclasses.dataclass(frozen=True)
class Card:
    """A key figure: its value as text and exactly, its error or interval, and a note."""

    label: str
    note: str
    value: str = "\N{EM DASH}"
    exact: float | None = None
    span: str = ""


def _likelihood(model: Interval | None, bits: Number | None) -> Card:
    if model is None or model.absent:
        return Card("Test log-likelihood", "log Z is not known")
    note = "nats per row" if bits is None else f"nats per row · {bits.text} bits per dimension"
    note += f" · standard error {model.error_text} over rows" if model.error is not None else ""
    note += "" if model.certified else " · not certified"
    return Card("Test log-likelihood", note, model.text, model.value, model.span)


def _best_baseline(entries: Mapping[str, Any]) -> Card:
    rows = [row for row in baseline_rows(entries) if not math.isnan(row.exact)]
    if not rows:
        return Card("Best baseline", "none was fitted")
    best = rows[0]
    note = f"{best.name} · {best.setting}" if best.setting else best.name
    return Card("Best baseline", note, best.text, best.exact, best.error)


def _agreement(draws: Number, rows: Number) -> Card:
    note = f"draws with ten nearest training rows of one label · test rows {rows.text}"
    return Card("Label agreement", note, draws.text, draws.value, draws.error_text)


def _distance(mmd: Number | None) -> Card:
    if mmd is None:
        return Card("MMD²", "not measured")
    note = "draws against test rows; 0 if the distributions agree"
    return Card("MMD²", note, mmd.text, mmd.value, mmd.error_text)


def _speed(metrics: Sequence[Mapping[str, Any]]) -> Card:
    speed = steps_per_second(metrics)
    if speed is None:
        return Card("Steps per second", "not logged")
    steps = max(int(line["step"]) for line in metrics)
    rows = [
        read_float(line["rows_per_second"], "rows") for line in metrics if "rows_per_second" in line
    ]
    note = f"over {steps:,} steps of training"
    note += f" · {float(np.median(rows)):,.0f} rows per second" if rows else ""
    return Card("Steps per second", note, format_number(speed), speed)


def make_cards(
    results: RunResults, model: Interval | None, numbers: Mapping[str, Number]
) -> list[Card]:
    """The four key figures; of labelled images without a baseline, the agreement of labels."""
    fitted = results.evaluation.get("baselines") or {}
    draws, rows = (numbers.get(f"label_agreement{of}") for of in ("", "_of_test_rows"))
    judged = None if draws is None or rows is None else _agreement(draws, rows)
    return [
        _likelihood(model, numbers.get("bits_per_dim")),
        _best_baseline(fitted) if fitted or judged is None else judged,
        _distance(numbers.get("mmd")),
        _speed(results.metrics),
    ]


def mean_of(values: np.ndarray) -> Number:
    """Mean of the finite values, and its standard error."""
    fine = keep_finite(values)
    if fine.size == 0:
        return Number(math.nan, None, 0.0)
    error = float(fine.std(ddof=1) / math.sqrt(fine.size)) if fine.size > 1 else None
    return Number(float(fine.mean()), error, float(fine.size))
