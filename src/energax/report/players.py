"""The part of the page that is about a generator, its encoder and their chains."""

import dataclasses
from typing import Any

import numpy as np

from energax.report.figure import Picture
from energax.report.figure_curves import curve, curves, names
from energax.report.figure_partners import draws, energies, lines, reconstructions
from energax.report.material import Material
from energax.report.number import Number
from energax.report.partners import Reconstructed, Revised
from energax.report.summary import meaning, number_of
from energax.report.words import title

LOSSES = ("loss", "generator_loss", "rival_loss", "encoder_loss")
"""What each player lowers, in the order of the page."""
HEALTH = (
    "input_grad_norm",
    "displacement",
    "acceptance",
    "latent_grad_norm",
    "latent_displacement",
)
"""How the chains of training fared, those on rows first."""


def told_here(material: Material) -> tuple[str, ...]:
    """The metrics whose curves stand in this part, and so not among those of training."""
    return () if material.partners is None else (*LOSSES, *HEALTH)


def players(material: Material) -> dict[str, Any] | None:
    """All that this part shows; None for an energy that learned without a generator."""
    partners = material.partners
    if partners is None:
        return None
    known = names(material.metrics)
    losses = [name for name in LOSSES if name in known]
    health = [name for name in HEALTH if name in known]
    return {
        "encoder": partners.encoder,
        "draws": draws(partners, material),
        "revised": None if partners.revised is None else _revised(partners.revised, material),
        "read": None if partners.reconstructed is None else _read(partners.reconstructed, material),
        "lines": lines(partners, material),
        "losses": _named(curves(material.metrics, material.meanings, losses, "loss")),
        "chains": curves(material.metrics, material.meanings, health, "health"),
        "health": [
            (title(name), _last(material, name), meaning(name, material)) for name in health
        ],
    }


def _revised(revised: Revised, material: Material) -> dict[str, Any]:
    """Mean energy of the draws before and after their chain, its fall, and pictures of them."""
    before, after = revised.energies[:, 0], revised.energies[:, -1]
    return {
        "steps": revised.energies.shape[1] - 1,
        "fall": (number_of(before), number_of(after), number_of(after - before)),
        "pictures": energies(revised, material.energies.get("test", np.array([]))),
    }


def _read(found: Reconstructed, material: Material) -> dict[str, Any]:
    """Errors of the reconstructions before and after the chain on z, and pictures of them."""
    return {
        "steps": found.steps,
        "start": found.start,
        "errors": [number_of(part) for part in found.errors],
        "pictures": reconstructions(found, material),
    }


def _last(material: Material, name: str) -> Number:
    """The mean over the last tenth of the log."""
    values = curve(material.metrics, name)[1]
    return Number(float(np.mean(values[-max(1, len(values) // 10) :])))


def _named(pictures: list[Picture]) -> list[Picture]:
    """The energy's loss called so, as it stands beside others."""
    return [
        dataclasses.replace(picture, title="Loss of the energy")
        if picture.title == title("loss")
        else picture
        for picture in pictures
    ]
