"""The page: complete, equal to what was given, self-contained, and safe to open."""

import dataclasses
import importlib
import math
import re

import numpy as np
import pytest
from pages import (
    CASES,
    EVIL,
    SECTIONS,
    Reading,
    agrees,
    evaluation,
    harmless,
    results,
    values_of,
)

from energax import report
from energax.errors import InputError


@pytest.fixture(scope="module")
def pages():
    return {name: report.render_page(case) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_page_is_complete(pages, name):
    reading = Reading(pages[name])
    assert set(reading.ids) >= SECTIONS
    case = CASES[name]
    for words in (case.command, case.digest, "0.1.0", "Chains agree and mix."):
        assert words in reading.words
    assert "over 80 steps of training · 99 rows per second" in reading.words
    assert "persistent contrastive divergence" in reading.words
    assert ("img" in reading.tags) == ("image" in name or name == "counts")
    assert reading.tags.count("svg") >= 4


@pytest.mark.parametrize("name", CASES)
def test_page_stands_alone(pages, name):
    reading = Reading(pages[name])
    assert "http" not in pages[name].replace("http-equiv", "")
    inside = {f"#{id}" for id in reading.ids}
    strangers = [a for a in reading.addresses if not a.startswith("data:") and a not in inside]
    assert strangers == []
    assert len(reading.ids) == len(set(reading.ids))
    assert harmless(pages[name])


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_the_numbers_given(pages, name):
    values = values_of(CASES[name].evaluation)
    assert len(values) == 12
    assert agrees(pages[name], values)
    assert not agrees(pages[name], [*values, 67.2184])


def test_same_results_same_page(pages):
    assert report.render_page(CASES["plane"]) == pages["plane"]


def evil():
    """The same hostile string wherever a string may come from outside."""
    base = evaluation()
    base |= {EVIL: {"value": 1.0}, "sentence": EVIL, "verdict": EVIL}
    base["baselines"] = {EVIL: {"value": 1.0, "error": 0.1, "size": 3, "setting": EVIL}}
    base["test_log_likelihood"] |= {"certified": False, "why": EVIL}
    return results(
        (3,),
        data=EVIL,
        method=EVIL,
        title=EVIL,
        command=EVIL,
        columns=(EVIL, "b" + EVIL, "c"),
        options={EVIL: {EVIL: EVIL}},
        versions={EVIL: EVIL},
        digest=EVIL,
        notes=(EVIL,),
        meanings={EVIL: EVIL},
        metrics=[{"step": i, EVIL: float(i)} for i in range(3)],
        evaluation=base,
    )


def test_strings_are_escaped(monkeypatch):
    page = report.render_page(evil())
    assert harmless(page)
    assert "{{7*7}}" in page
    assert Reading(page).words.count(EVIL) >= 18
    module = importlib.import_module("energax.report.run_page")
    monkeypatch.setattr(module, "TEMPLATES", module.TEMPLATES.overlay(autoescape=False))
    assert not harmless(report.render_page(evil()))


def test_not_certified_is_said_with_its_reason():
    entries = evaluation()
    entries["test_log_likelihood"] |= {"certified": False, "why": "effective size 1.9 of 256"}
    words = Reading(report.render_page(results((3,), evaluation=entries))).words
    assert words.count("effective size 1.9 of 256") == 2
    assert "do not quote it" in words
    assert "Better than" not in words
    entries["test_log_likelihood"] |= {"value": None, "lower": None, "upper": None}
    assert "effective size 1.9 of 256" in report.render_page(results((3,), evaluation=entries))


def test_labelled_draws_are_a_key_figure_where_no_baseline_is():
    shares = {"value": 0.48, "error": 0.03, "size": 256}
    entries = evaluation() | {"label_agreement": shares}
    entries["label_agreement_of_test_rows"] = {"value": 0.79, "error": 0.01, "size": 1000}
    fitted = Reading(report.render_page(results((3,), evaluation=entries))).words
    assert "draws with ten nearest training rows of one label" not in fitted
    del entries["baselines"]
    words = Reading(report.render_page(results((3,), evaluation=entries))).words
    assert "draws with ten nearest training rows of one label · test rows 0.79" in words


def test_absent_parts_are_said_to_be_absent():
    absent = dict.fromkeys(("train", "draws", "chains"))
    empty = {name: {} for name in ("options", "versions", "evaluation", "energies")}
    words = Reading(report.render_page(results((3,), metrics=[], **absent, **empty))).words
    for absent in (
        "Z is not known",
        "No draws",
        "No energies",
        "No chain",
        "No metrics were logged",
    ):
        assert absent in words
    assert "No baseline was fitted" in words
    assert "has not been evaluated" in words
    assert "No options" in words


def test_not_finite_is_shown_and_counted():
    entries = evaluation() | {"mmd": {"value": math.nan, "error": math.inf, "size": 0}}
    draws = CASES["table"].draws.copy()
    draws[0, 0] = np.nan
    energies = {"test": np.array([1.0, np.inf, 2.0]), "noise": np.full(3, np.nan)}
    metrics = [{"step": 1, "loss": math.nan}, {"step": 2, "loss": 1.0}]
    case = dataclasses.replace(
        CASES["table"], evaluation=entries, draws=draws, energies=energies, metrics=metrics
    )
    words = Reading(report.render_page(case)).words
    assert "MMD² is not finite: nan ± inf." in words
    assert "1 of 60 numbers of the draws are not finite" in words
    assert "1 of 3 numbers of the energies of test are not finite" in words
    assert "3 of 3 numbers of the energies of noise are not finite" in words
    assert "1 of 2 numbers of the logged loss are not finite" in words
    assert "not finite" not in Reading(report.render_page(CASES["table"])).words


AXIS = np.arange(3.0)
REFUSED = {
    "shape of draws": (lambda: results((3,), draws=np.ones((4, 2))), "`draws` has shape"),
    "no test rows": (lambda: results((3,), test=np.ones((0, 3))), "`test` has no rows"),
    "no draws": (lambda: results((3,), draws=np.ones((0, 3))), "`draws` has no rows"),
    "NaN in test": (lambda: results((1,), test=np.full((2, 1), np.nan)), "`test` holds"),
    "columns": (lambda: results((3,), columns=("a", "b")), "2 `columns`"),
    "energies": (lambda: results((3,), energies={"other": np.ones(2)}), "'other'"),
    "chains": (lambda: results((3,), chains=np.ones((4, 1))), "`chains`"),
    "step": (lambda: results((3,), metrics=[{"loss": 1.0}]), "Line 1"),
    "uneven": (lambda: report.Density(AXIS**2, AXIS, np.ones((3, 3))), "evenly spaced"),
    "density NaN": (lambda: report.Density(AXIS, AXIS, np.full((3, 3), np.nan)), "NaN"),
    "density shape": (lambda: report.Density(AXIS, AXIS, np.ones((3, 2))), "shape"),
    "shape": (lambda: report.render_page(results((2, 2, 2, 2))), "nor images"),
    "metric": (
        lambda: report.render_page(results((3,), metrics=[{"step": 1, "loss": "low"}])),
        "`loss` must be a number; got 'low'",
    ),
    "figure": (lambda: report.render_page(results((3,), evaluation={"mmd": [1]})), "`mmd`"),
    "interval": (
        lambda: report.render_page(results((3,), evaluation={"test_log_likelihood": 1.0})),
        "lower, upper, certified",
    ),
    "reversed interval": (
        lambda: report.render_page(
            results(
                (3,),
                evaluation={
                    "test_log_likelihood": {"value": 1, "lower": 2, "upper": 0, "certified": True}
                },
            )
        ),
        "above upper",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_contradictions_are_refused(name):
    make, words = REFUSED[name]
    with pytest.raises(InputError, match=re.escape(words)):
        make()
