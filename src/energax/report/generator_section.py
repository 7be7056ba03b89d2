"""The section on the generator, its encoder and their chains."""

import dataclasses
from typing import Any

import numpy as np

from energax.report.figure import Picture
from energax.report.figure_curves import draw_curves, metric_names, read_curve
from energax.report.figure_generator import (
    draw_draws,
    draw_energies,
    draw_lines,
    draw_reconstructions,
)
from energax.report.generator_results import Reconstructions, RefinedDraws
from energax.report.labels import title_of
from energax.report.number import Number
from energax.report.run_results import RunResults
from energax.report.summary import mean_of, meaning_of

LOSSES = ("loss", "generator_loss", "rival_loss", "encoder_loss")
"""The losses, in the order of the page."""
HEALTH = (
    "input_grad_norm",
    "displacement",
    "acceptance",
    "latent_grad_norm",
    "latent_displacement",
)
"""Health of the chains of training, those on x first."""


def shown_metrics(results: RunResults) -> tuple[str, ...]:
    """The metrics whose curves this section shows, so that the section on training does not."""
    return () if results.generator is None else (*LOSSES, *HEALTH)


def describe_generator(results: RunResults) -> dict[str, Any] | None:
    """All that this section shows; None for a run without a generator."""
    generator = results.generator
    if generator is None:
        return None
    known = metric_names(results.metrics)
    losses = [name for name in LOSSES if name in known]
    health = [name for name in HEALTH if name in known]
    return {
        "encoder": generator.encoder,
        "draws": draw_draws(generator, results),
        "refined": generator.refined and _describe_refined(generator.refined, results),
        "reconstructions": generator.reconstructions
        and _describe_reconstructions(generator.reconstructions, results),
        "lines": draw_lines(generator, results),
        "losses": _rename_loss(draw_curves(results.metrics, results.meanings, losses, "loss")),
        "chains": draw_curves(results.metrics, results.meanings, health, "health"),
        "health": [
            (title_of(name), _final_mean(results, name), meaning_of(name, results))
            for name in health
        ],
    }


def _describe_refined(refined: RefinedDraws, results: RunResults) -> dict[str, Any]:
    """Mean energy of the draws before and after the chain, the difference, and figures."""
    before, after = refined.energies[:, 0], refined.energies[:, -1]
    return {
        "steps": refined.energies.shape[1] - 1,
        "energies": (mean_of(before), mean_of(after), mean_of(after - before)),
        "pictures": draw_energies(refined, results.energies.get("test", np.array([]))),
    }


def _describe_reconstructions(found: Reconstructions, results: RunResults) -> dict[str, Any]:
    """Errors of the reconstructions before and after the chain on z, and figures."""
    return {
        "steps": found.steps,
        "start": found.start,
        "errors": [mean_of(part) for part in found.errors],
        "pictures": draw_reconstructions(found, results),
    }


def _final_mean(results: RunResults, name: str) -> Number:
    """The mean over the last tenth of training."""
    values = read_curve(results.metrics, name)[1]
    return Number(float(np.mean(values[-max(1, len(values) // 10) :])))


def _rename_loss(pictures: list[Picture]) -> list[Picture]:
    """Title of the energy's loss, which stands beside the losses of other networks."""
    return [
        dataclasses.replace(picture, title="Loss of the energy")
        if picture.title == title_of("loss")
        else picture
        for picture in pictures
    ]
