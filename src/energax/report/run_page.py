"""The page of one run: one self-contained HTML file."""

import dataclasses
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from energax.errors import InputError
from energax.report.columns_section import draw_columns, list_lines, list_rows
from energax.report.figure import Picture
from energax.report.figure_curves import draw_curves, metric_names
from energax.report.figure_energies import MEANING, draw_histograms, draw_traces
from energax.report.figure_forest import build_forest
from energax.report.figure_images import draw_images, is_image
from energax.report.figure_plane import draw_plane
from energax.report.figure_sites import draw_couplings, draw_frequencies, draw_rows
from energax.report.figure_table import COLUMNS, draw_marginals, draw_pairs
from energax.report.generator_section import describe_generator, shown_metrics
from energax.report.labels import TITLES, title_of
from energax.report.number import read_interval, read_number
from energax.report.run_results import SOURCES, RunResults
from energax.report.summary import (
    find_warnings,
    grade_health,
    make_cards,
    mean_of,
    meaning_of,
    read_figures,
)
from energax.report.verdict import judge

CHAIN_SENTENCES = ("verdict", "sampler")
"""Sentences whose name ends with one of these stand beside the chains."""
LADDER = (
    "log_likelihood",
    "log_z",
    "log_z_error",
    "swap_rate_min",
    "swap_rate_mean",
    "rungs",
    "renewal_age",
    "immobile_share",
    "lag",
    "paused",
    "rate_scale",
)
"""Metrics of a ladder of chains, in the order of their curves."""
SHOWN_ABOVE = ("test_log_likelihood", "baselines", "true_distribution", "learning", "columns")
TEMPLATES = Environment(
    loader=PackageLoader("energax", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def draw_samples(results: RunResults) -> tuple[str, list[tuple[str, list[Picture]]]]:
    """The figures that fit the shape of a row: a lead sentence, and figures by layout."""
    test, draws = results.test, results.draws
    if results.kinds is not None:
        return draw_columns(results, results.kinds)
    if results.states is not None:
        return draw_sites(results, results.states)
    if is_image(results.shape):
        found = draw_images(results)
        lead = "The first test rows and the first draws, not selected."
        return lead, [("pair", found[:2]), ("one", found[2:])]
    if results.shape == (2,):
        lead = "Real rows in blue, the model in orange, all on the same axes."
        found = draw_plane(test, draws, results.model_density, results.exact_density)
        return lead, [("pair", found)]
    if len(results.shape) != 1:
        raise InputError(
            f"Rows of shape {results.shape} are neither a table, nor points in the plane, nor "
            "images."
        )
    columns = results.columns or [f"column {place}" for place in range(results.shape[0])]
    some = f"{min(COLUMNS, len(columns))} of {len(columns)} columns"
    lead = f"Test rows in blue, draws in orange: {some}, then the most correlated pairs."
    return lead, [
        ("quad", draw_marginals(test, draws, columns)),
        ("pair", draw_pairs(test, draws, columns)),
    ]


def draw_sites(results: RunResults, states: int) -> tuple[str, list[tuple[str, list[Picture]]]]:
    """The figures of bits and categories: rows, frequencies, couplings."""
    flat, draws = results.test.reshape(len(results.test), -1), results.draws
    drawn = None if draws is None else draws.reshape(len(draws), -1)
    if is_image(results.shape):
        found = draw_images(dataclasses.replace(results, levels=states))
    else:
        found = draw_rows(flat, drawn, states)
    groups = [("pair", found[:2]), ("one", found[2:])]
    if drawn is not None:
        groups.append(("pair", draw_frequencies(flat, drawn, states)))
    if results.couplings is not None:
        groups.append(("one", [draw_couplings(results.couplings)]))
    lead = "The first test rows and the first draws, not selected, and what they have in common."
    return lead, [(layout, pictures) for layout, pictures in groups if pictures]


def _describe_evaluation(results: RunResults) -> dict[str, Any]:
    """The parts of the page that come from the evaluation."""
    evaluation = results.evaluation
    model = read_interval(evaluation.get("test_log_likelihood"))
    known = evaluation.get("true_distribution")
    truth = None if known is None else read_number(known, "true_distribution")
    rest = {name: entry for name, entry in evaluation.items() if name not in SHOWN_ABOVE}
    numbers, sentences = read_figures(rest)
    mood, headline = judge(evaluation)
    chains = {name: text for name, text in sentences.items() if name.endswith(CHAIN_SENTENCES)}
    others = {name: text for name, text in sentences.items() if name not in chains}
    return {
        "mood": mood,
        "headline": headline,
        "model": model,
        "forest": build_forest(model, evaluation.get("baselines") or {}, truth),
        "cards": make_cards(results, model, numbers),
        "warnings": [*results.notes, *find_warnings(results, numbers)],
        "health": grade_health(numbers, results),
        "numbers": [(title_of(name), n, meaning_of(name, results)) for name, n in numbers.items()],
        "chain_sentences": list(chains.values()),
        "others": [(title_of(name), text) for name, text in others.items()],
    }


def _draw_figures(results: RunResults) -> dict[str, Any]:
    """The parts of the page that are drawn."""
    lead, samples = draw_samples(results)
    chains, known = results.chains, results.energies.get("test", np.array([]))
    return {
        "lead": lead,
        "samples": samples,
        "energies": draw_histograms(results.energies),
        "mean_energies": [
            (name, mean_of(results.energies[name]), MEANING[name])
            for name in SOURCES
            if name in results.energies
        ],
        "chains": None if chains is None else draw_traces(chains, results.thin, known),
        "curves": draw_curves(results.metrics, results.meanings, _training_metrics(results)),
        "generator": describe_generator(results),
        "columns": _describe_columns(results),
        "ladder": draw_curves(results.metrics, results.meanings, _ladder_metrics(results), "rung"),
    }


def _describe_columns(results: RunResults) -> dict[str, Any] | None:
    """The section on mixed columns; None for rows of another kind."""
    if results.kinds is None:
        return None
    tables = [
        (title, list_rows(rows, results.kinds))
        for title, rows in (("Draws", results.draws), ("Test rows", results.test))
    ]
    names = [kind.name for kind in results.kinds]
    return {"lines": list_lines(results.evaluation), "tables": tables, "names": names}


def _training_metrics(results: RunResults) -> list[str]:
    """The metrics of the section on training: all that no other section shows, known ones first."""
    elsewhere, order = (*shown_metrics(results), *_ladder_metrics(results)), list(TITLES)
    found = [name for name in metric_names(results.metrics) if name not in elsewhere]
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def _ladder_metrics(results: RunResults) -> list[str]:
    """The metrics of the section on the ladder; none for a run without one."""
    known = metric_names(results.metrics)
    return [name for name in LADDER if name in known] if "rungs" in known else []


def render_page(results: RunResults) -> str:
    """The page of one run as HTML: self-contained, without scripts and network access.

    Every string of `results` is escaped.

    Returns:
        The text of one HTML file.

    Raises:
        InputError: `evaluation` or `metrics` holds something that is not a number where a number
            belongs, or the shape of a row has no figures.

    Example:
        >>> rows = np.zeros((8, 2))
        >>> results = ex.report.RunResults(data="zeros", method="nce", title="NCE", test=rows)
        >>> ex.report.render_page(results)[:15]
        '<!doctype html>'
    """
    return TEMPLATES.get_template("page.html").render(
        results=results, **_describe_evaluation(results), **_draw_figures(results)
    )
