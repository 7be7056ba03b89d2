"""The parts of a page about mixed columns: rows, frequencies, how columns are predicted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from energax.data import Column, columns_space, decode_rows
from energax.report.figure import MODEL, REAL, Picture, render_svg, tidy_axes
from energax.report.figure_sites import draw_scatters
from energax.report.figure_table import COLUMNS, draw_marginals, draw_pairs
from energax.report.number import Number, read_number
from energax.report.run_results import RunResults

SHOWN = 6
"""Rows of each table of rows."""

BARS = 12
"""Values of a category that are drawn, the most frequent ones."""

Rows = Float[np.ndarray, "_ columns"]
Group = tuple[str, list[Picture]]


class ColumnLine(NamedTuple):
    """How one column is predicted from the others: R2 of a number, mean log p of a category."""

    name: str
    measure: str
    model: Number
    accuracy: Number | None
    marginal: Number | None
    linear: Number | None


def draw_columns(results: RunResults, kinds: Sequence[Column]) -> tuple[str, list[Group]]:
    """A lead sentence, and figures: of each column, of pairs of numbers, of what pairs share."""
    test, draws = results.test, results.draws
    number = [place for place, kind in enumerate(kinds) if kind.is_number][:COLUMNS]
    names = [kinds[place].name for place in number]
    numbers = test[:, number], None if draws is None else draws[:, number]
    groups = [("quad", draw_marginals(*numbers, names) if number else [])]
    groups.append(("quad", _draw_categories(test, draws, kinds)))
    if len(number) > 1:
        groups.append(("pair", draw_pairs(*numbers, names)))
    if draws is not None:
        groups.append(("pair", _draw_frequencies(test, draws, kinds)))
    lead = "Test rows in blue, draws in orange; holes are a value of their own."
    return lead, [(layout, pictures) for layout, pictures in groups if pictures]


def _draw_categories(test: Rows, draws: Rows | None, kinds: Sequence[Column]) -> list[Picture]:
    places = [place for place, kind in enumerate(kinds) if len(kind.values) > 1][:COLUMNS]
    return [
        _draw_bars(test[:, at], None if draws is None else draws[:, at], kinds[at], at)
        for at in places
    ]


def _count(cells: Float[np.ndarray, " size"], column: Column) -> Float[np.ndarray, " values"]:
    """The share of each value, and of holes where the column has such."""
    states = np.where(np.isnan(cells), len(column.values), cells).astype(int)
    return np.bincount(states, minlength=len(column.values) + 1) / len(cells)


def _draw_bars(
    test: Float[np.ndarray, " test"],
    draws: Float[np.ndarray, " draws"] | None,
    column: Column,
    place: int,
) -> Picture:
    labels = [*column.values, "missing"][: len(column.values) + column.holes]
    real = _count(test, column)
    order = np.argsort(-real[: len(labels)], kind="stable")[:BARS]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        tidy_axes(axes)
        at = np.arange(len(order))
        axes.bar(at, real[order], color=REAL, alpha=0.35, width=0.8)
        if draws is not None:
            shares = _count(draws, column)[order]
            axes.hlines(shares, at - 0.4, at + 0.4, color=MODEL, linewidth=2)
        axes.set_xticks(at, [labels[i][:10] for i in order], rotation=35, ha="right", fontsize=8)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)

    label = f"Frequencies of the values of {column.name}"
    body = render_svg(paint, name=f"bars{place}", label=label, size=(220, 150))
    left = len(labels) - len(order)
    return Picture(column.name, body, f"{left} rarer values are left out." if left else "")


def _draw_frequencies(test: Rows, draws: Rows, kinds: Sequence[Column]) -> list[Picture]:
    """Means and covariances of embedded rows: standardised numbers, states as 0 and 1."""
    space = columns_space(kinds)
    number, (column, state) = space.numbers, space.indicators
    middle, scale = np.nanmean(test[:, number], axis=0), np.nanstd(test[:, number], axis=0)

    def embed(rows: Rows) -> Float[np.ndarray, " size embedded"]:
        numbers = np.nan_to_num((rows[:, number] - middle) / np.where(scale > 0, scale, 1))
        last = np.maximum(np.array(space.values), 1)
        cells = np.where(np.isnan(rows), last, np.where(space.is_number, 0, rows))
        return np.concatenate([numbers, cells[:, column] == state], axis=1)

    owner = np.concatenate([number, column])
    return draw_scatters(embed(test), embed(draws), owner)


def list_rows(rows: Rows | None, kinds: Sequence[Column]) -> list[list[str]]:
    """The first rows as text, nothing in missing cells."""
    if rows is None:
        return []
    frame = decode_rows(rows[:SHOWN], kinds)
    return [["" if cell is None else str(cell) for cell in row] for row in frame.iter_rows()]


def list_lines(evaluation: Mapping[str, Any]) -> list[ColumnLine]:
    """A line for each column that was predicted."""
    lines = []
    for name, entry in (evaluation.get("columns") or {}).items():
        measure = "r2" if "r2" in entry.get("model", {}) else "log_p"
        others = [_read(entry, who, measure) for who in ("marginal", "linear")]
        model, accuracy = _read(entry, "model", measure), _read(entry, "model", "accuracy")
        if model is not None:
            title = "R²" if measure == "r2" else "mean log p"
            lines.append(ColumnLine(name, title, model, accuracy, *others))
    return lines


def _read(entry: Mapping[str, Any], who: str, measure: str) -> Number | None:
    found = entry.get(who, {}).get(measure)
    return None if found is None or found.get("value") is None else read_number(found, measure)
