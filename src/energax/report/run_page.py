"""The page of one run: one HTML file that needs nothing else."""

from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from energax.errors import InputError
from energax.report.figure import Picture
from energax.report.figure_curves import curves, names
from energax.report.figure_energies import MEANING, histograms, traces
from energax.report.figure_forest import forest, verdict
from energax.report.figure_images import images, is_image
from energax.report.figure_plane import plane
from energax.report.figure_table import COLUMNS, marginals, pairs
from energax.report.material import SOURCES, Material
from energax.report.number import interval, number
from energax.report.players import players, told_here
from energax.report.summary import cards, figures, health, meaning, number_of, warnings
from energax.report.words import OBJECTIVES, title

CHAIN_WORDS = ("verdict", "sampler")
"""Sentences whose name ends so stand beside the chains."""
APART = ("test_log_likelihood", "baselines", "true_distribution")
TEMPLATES = Environment(
    loader=PackageLoader("energax", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def sample_pictures(material: Material) -> tuple[str, list[tuple[str, list[Picture]]]]:
    """What the shape of a row calls for: a lead sentence, and pictures by layout."""
    test, draws = material.test, material.draws
    if is_image(material.shape):
        first = images(material)
        lead = "Neither side is chosen by hand: the first test rows, and the first draws."
        return lead, [("pair", first[:2]), ("one", first[2:])]
    if material.shape == (2,):
        lead = "Real rows in blue, the model in orange, all in one frame."
        return lead, [("pair", plane(test, draws, material.model_density, material.exact_density))]
    if len(material.shape) != 1:
        raise InputError(f"Rows of shape {material.shape} are no table, no plane and no images.")
    columns = material.columns or [f"column {place}" for place in range(material.shape[0])]
    some = f"{min(COLUMNS, len(columns))} of {len(columns)} columns"
    lead = f"Test rows in blue, draws in orange: {some}, then the most correlated pairs."
    return lead, [
        ("quad", marginals(test, draws, columns)),
        ("pair", pairs(test, draws, columns)),
    ]


def _evaluated(material: Material) -> dict[str, Any]:
    """The parts of the page that come from the evaluation."""
    model = interval(material.evaluation.get("test_log_likelihood"))
    rivals = material.evaluation.get("baselines") or {}
    known = material.evaluation.get("true_distribution")
    truth = None if known is None else number(known, "true_distribution")
    rest = {name: entry for name, entry in material.evaluation.items() if name not in APART}
    numbers, sentences = figures(rest)
    mood, sentence = verdict(model, rivals)
    chains = {name: text for name, text in sentences.items() if name.endswith(CHAIN_WORDS)}
    others = {name: text for name, text in sentences.items() if name not in chains}
    return {
        "mood": mood,
        "verdict": sentence,
        "model": model,
        "forest": forest(model, rivals, truth),
        "cards": cards(material, model, numbers),
        "warnings": [*material.notes, *warnings(material, numbers)],
        "health": health(numbers, material),
        "numbers": [(title(name), n, meaning(name, material)) for name, n in numbers.items()],
        "chain_words": list(chains.values()),
        "others": [(title(name), text) for name, text in others.items()],
    }


def _pictured(material: Material) -> dict[str, Any]:
    """The parts of the page that are drawn."""
    lead, samples = sample_pictures(material)
    chains, known = material.chains, material.energies.get("test", np.array([]))
    return {
        "lead": lead,
        "samples": samples,
        "energies": histograms(material.energies),
        "summary": [
            (name, number_of(material.energies[name]), MEANING[name])
            for name in SOURCES
            if name in material.energies
        ],
        "chains": None if chains is None else traces(chains, material.thin, known),
        "curves": curves(material.metrics, material.meanings, _in_training(material)),
        "players": players(material),
    }


def _in_training(material: Material) -> list[str]:
    """The metrics that stand with the training: all that no other part shows."""
    elsewhere = told_here(material)
    return [name for name in names(material.metrics) if name not in elsewhere]


def page(material: Material) -> str:
    """The whole page as HTML: styles and pictures inside, no script, no address to load from.

    Every string of the material is escaped. Raises InputError for an evaluation of another form.
    """
    return TEMPLATES.get_template("page.html").render(
        material=material,
        objective=OBJECTIVES.get(material.objective, material.objective),
        **_evaluated(material),
        **_pictured(material),
    )
