"""The section on a generator and its chains: complete, exact, and absent where it must be."""

import dataclasses
import re

import numpy as np
import pytest
from pages import CASES, EVIL, Reading, agrees, bell, harmless, results

from energax import report
from energax.errors import InputError
from energax.report.generator_results import GeneratorResults, Reconstructions, RefinedDraws

RNG = np.random.default_rng(0)
METRICS = [
    {"step": 10 * i, "loss": 1.0, "generator_loss": 2.0, "encoder_loss": 3.0}
    | {
        "input_grad_norm": 0.1 * i,
        "displacement": 0.5,
        "latent_grad_norm": 4.0,
        "latent_displacement": 0.25,
    }
    for i in range(1, 21)
]


def generator_results(shape, **changes):
    rows = RNG.normal(size=(20, *shape))
    read = Reconstructions(rows, rows + 0.5, rows + 0.1, 10, "at the encoder's mean")
    energies = np.linspace(9.0, 3.0, 6) + RNG.normal(size=(16, 1))
    parts = {
        "initial": RNG.normal(size=(16, *shape)),
        "refined": RefinedDraws(RNG.normal(size=(16, *shape)), energies),
        "reconstructions": read,
        "lines": RNG.normal(size=(3, 5, *shape)),
        "ends": "from one row to another",
        "encoder": True,
    }
    return GeneratorResults(**(parts | changes))


SHAPES = {"table": (3,), "plane": (2,), "image": (4, 4), "colour": (3, 4, 4)}


def render_page(shape, **changes):
    more = {"model_density": bell()} if shape == (2,) else {}
    found = generator_results(shape, **changes)
    return report.render_page(results(shape, generator=found, metrics=METRICS, **more))


@pytest.mark.parametrize("name", SHAPES)
def test_section_is_complete(name):
    shown = render_page(SHAPES[name])
    reading = Reading(shown)
    assert "generator" in reading.ids
    assert len(reading.ids) == len(set(reading.ids))
    assert harmless(shown)
    inside = {f"#{id}" for id in reading.ids}
    assert [a for a in reading.addresses if not a.startswith("data:") and a not in inside] == []
    for words in (
        "Generator and encoder",
        "5 steps on the energy",
        "at the encoder's mean",
        "10 Langevin",
    ):
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
    words = Reading(render_page((2,), refined=None, reconstructions=None, encoder=False)).words
    assert "Generator and encoder" not in words
    assert "No chain of this run starts at the generator's draws" in words
    assert "reconstructions" not in words
    assert "generator" not in Reading(report.render_page(CASES["plane"])).ids
    read = dataclasses.replace(generator_results((2,)).reconstructions, steps=0)
    words = " ".join(Reading(render_page((2,), reconstructions=read)).words.split())
    assert "Langevin steps on z" not in words


def test_words_are_escaped():
    read = dataclasses.replace(generator_results((4, 4)).reconstructions, start=EVIL)
    shown = render_page((4, 4), ends=EVIL, reconstructions=read)
    assert harmless(shown)
    assert EVIL in Reading(shown).words


REFUSED = {
    "energies": (lambda: RefinedDraws(np.ones((4, 2)), np.ones((3, 5))), "one line of at least 2"),
    "one energy": (
        lambda: RefinedDraws(np.ones((4, 2)), np.ones((4, 1))),
        "one line of at least 2",
    ),
    "rows": (
        lambda: Reconstructions(np.ones((4, 2)), np.ones((4, 3)), np.ones((4, 2)), 1, ""),
        "`initial` must have shape (4, 2)",
    ),
    "no draws": (
        lambda: generator_results((2,), initial=np.ones((0, 2))),
        "`initial` must not be empty",
    ),
    "lines": (lambda: generator_results((2,), lines=np.ones((3, 5, 3))), "A row of `lines`"),
    "of another shape": (
        lambda: results((3,), generator=generator_results((2,))),
        "A row of `generator`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_contradictions_are_refused(name):
    make, words = REFUSED[name]
    with pytest.raises(InputError, match=re.escape(words)):
        make()
