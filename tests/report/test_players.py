"""The part of the page on a generator and its chains: complete, exact, and absent where it must."""

import dataclasses
import re

import numpy as np
import pytest
from tests.report.test_report import CASES, EVIL, Reading, agrees, bell, harmless, material

from energax import report
from energax.errors import InputError
from energax.report.partners import Partners, Reconstructed, Revised

RNG = np.random.default_rng(0)
METRICS = [
    {"step": 10 * i, "loss": 1.0, "generator_loss": 2.0, "encoder_loss": 3.0}
    | {"slope": 0.1 * i, "displacement": 0.5, "latent_slope": 4.0, "latent_displacement": 0.25}
    for i in range(1, 21)
]


def partners(shape, **changes):
    rows = RNG.normal(size=(20, *shape))
    read = Reconstructed(rows, rows + 0.5, rows + 0.1, 10, "at the encoder's mean")
    energies = np.linspace(9.0, 3.0, 6) + RNG.normal(size=(16, 1))
    parts = {
        "begun": RNG.normal(size=(16, *shape)),
        "revised": Revised(RNG.normal(size=(16, *shape)), energies),
        "reconstructed": read,
        "lines": RNG.normal(size=(3, 5, *shape)),
        "ends": "from one row to another",
        "encoder": True,
    }
    return Partners(**(parts | changes))


SHAPES = {"table": (3,), "plane": (2,), "image": (4, 4), "colour": (3, 4, 4)}


def page(shape, **changes):
    more = {"model_density": bell()} if shape == (2,) else {}
    found = partners(shape, **changes)
    return report.page(material(shape, partners=found, metrics=METRICS, **more))


@pytest.mark.parametrize("name", SHAPES)
def test_all_of_the_players_is_shown(name):
    shown = page(SHAPES[name])
    reading = Reading(shown)
    assert "players" in reading.ids
    assert len(reading.ids) == len(set(reading.ids))
    assert harmless(shown)
    inside = {f"#{id}" for id in reading.ids}
    assert [a for a in reading.addresses if not a.startswith("data:") and a not in inside] == []
    for words in ("Three players", "5 steps of the chain", "at the encoder's mean", "10 Langevin"):
        assert words in " ".join(reading.words.split())
    for words in ("Loss of the energy", "Loss of the generator", "Loss of the encoder"):
        assert reading.words.count(words) == 1, "in one place, and not again in the training"
    assert agrees(shown, [0.25, 4.0, 0.1 * (19 + 20) / 2])
    # Every row is off by 1/2 before and by 1/10 after; every chain falls by 6 nats.
    squared = [value for value in reading.numbers if abs(value - 0.25) < 1e-9]
    assert squared
    assert any(abs(value - 0.01) < 1e-9 for value in reading.numbers)
    assert any(abs(value + 6.0) < 1e-9 for value in reading.numbers)


def test_what_a_run_does_not_have_is_not_shown():
    words = Reading(page((2,), revised=None, reconstructed=None, encoder=False)).words
    assert "Energy and generator" in words
    assert "no chain of this run begins at its draws" in words
    assert "reconstructions" not in words
    assert "players" not in Reading(report.page(CASES["plane"])).ids
    read = dataclasses.replace(partners((2,)).reconstructed, steps=0)
    words = " ".join(Reading(page((2,), reconstructed=read)).words.split())
    assert "Langevin steps on z" not in words


def test_words_are_escaped():
    read = dataclasses.replace(partners((4, 4)).reconstructed, start=EVIL)
    shown = page((4, 4), ends=EVIL, reconstructed=read)
    assert harmless(shown)
    assert EVIL in Reading(shown).words


REFUSED = {
    "energies": (lambda: Revised(np.ones((4, 2)), np.ones((3, 5))), "a line of at least 2"),
    "one energy": (lambda: Revised(np.ones((4, 2)), np.ones((4, 1))), "a line of at least 2"),
    "rows": (
        lambda: Reconstructed(np.ones((4, 2)), np.ones((4, 3)), np.ones((4, 2)), 1, ""),
        "`first` must have shape (4, 2)",
    ),
    "no draws": (lambda: partners((2,), begun=np.ones((0, 2))), "`begun` must not be empty"),
    "lines": (lambda: partners((2,), lines=np.ones((3, 5, 3))), "A row of `lines`"),
    "of another shape": (lambda: material((3,), partners=partners((2,))), "A row of `partners`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_contradictions_are_refused(name):
    make, words = REFUSED[name]
    with pytest.raises(InputError, match=re.escape(words)):
        make()
