"""The page: complete, equal to what was given, self-contained, and safe to open."""

import dataclasses
import html.parser
import importlib
import math
import re

import numpy as np
import pytest

from energax import report
from energax.errors import InputError

SECTIONS = {"samples", "likelihood", "energies", "chains", "training", "numbers", "options"}
EVIL = '<script>alert("1")</script>\'&{{7*7}}$\\frac$ #2f6db3'


class Reading(html.parser.HTMLParser):
    """What a browser would see: tags, ids, addresses, the words, and the exact numbers."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.numbers: list[float] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.addresses.append(value)
            self.addresses += re.findall(r"url\((.*?)\)", value or "")
            assert not name.startswith("on")
        if tag == "data":
            self.numbers.append(float(dict(attrs)["value"]))

    def handle_data(self, data):
        self.words += data


def evaluation():
    baselines = {
        "gaussian": {
            "value": 46.8123,
            "error": 0.6,
            "size": 30,
            "setting": "full covariance",
            "difference": {"value": 20.406, "error": 0.5, "size": 30},
        },
        "kernel_density": {
            "value": 39.6,
            "error": 1.1,
            "size": 30,
            "setting": None,
            "difference": {"value": 27.6183, "error": 0.9, "size": 30},
        },
    }
    return {
        "test_log_likelihood": {
            "value": 67.2183,
            "lower": 66.9,
            "upper": 67.5,
            "certified": True,
            "why": "",
            "level": 0.95,
            "error_over_rows": 0.7,
            "rows": 30,
        },
        "baselines": baselines,
        "bits_per_dim": {"value": 2.5712, "error": 0.01, "size": 30},
        "mmd": {"value": 3.1e-4, "error": 2.1e-4, "size": 30},
        "log_z": {"forward": {"value": -3.21, "error": 0.08, "size": 412.3}},
        "rhat": 1.004,
        "ess": 1840,
        "verdict": "Chains agree and mix.",
    }


def results(shape, **changes):
    rng = np.random.default_rng(0)
    metrics = [
        {
            "step": 10 * i,
            "seconds": i / 4,
            "loss": rng.normal(),
            "grad_norm": 10.0**-i,
            "rows_per_second": 99.0,
        }
        for i in range(1, 9)
    ]
    energies = {name: rng.normal(size=20) for name in ("train", "test", "draws", "noise")}
    parts = {
        "data": "rows",
        "method": "pcd",
        "title": "persistent contrastive divergence",
        "command": "energax train rows --method pcd",
        "test": rng.normal(size=(30, *shape)),
        "train": rng.normal(size=(40, *shape)),
        "draws": rng.normal(size=(20, *shape)),
        "metrics": metrics,
        "evaluation": evaluation(),
        "energies": energies,
        "chains": rng.normal(size=(4, 50)),
        "options": {"training": {"steps": 80}, "optimiser": {"learning_rate": 0.25}},
        "versions": {"energax": "0.1.0"},
        "digest": "ab" * 32,
    }
    return report.RunResults(**(parts | changes))


def bell():
    axis = np.linspace(-3, 3, 21)
    return report.Density(axis, axis, -(axis[:, None] ** 2 + axis**2) / 2)


CASES = {
    "table": results((3,), columns=("a", "b", "c")),
    "one column": results((1,)),
    "plane": results((2,), model_density=bell(), exact_density=bell()),
    "plane, no density": results((2,)),
    "image": results((4, 4)),
    "colour image": results((3, 4, 4)),
    "counts": results((4, 4, 1), levels=17),
    "float32": results((3,), test=np.ones((9, 3), np.float32), train=None, draws=None),
}


def given(value):
    """Every number inside `value`, a nested dict."""
    if isinstance(value, dict):
        return [number for inner in value.values() for number in given(inner)]
    return [float(value)] if isinstance(value, int | float) and value is not True else []


def agrees(page, values):
    """Is every value shown exactly? Errors and counts are shown rounded, so only values count."""
    shown = Reading(page).numbers
    return all(any(value == number for number in shown) for value in values)


def values_of(entries):
    """The values of an evaluation: not the errors, not the sizes."""
    found = []
    for entry in entries.values():
        match entry:
            case {"value": value, **rest}:
                found += [value, *(rest[end] for end in ("lower", "upper") if end in rest)]
                found += values_of({"": rest["difference"]}) if "difference" in rest else []
            case dict():
                found += values_of(entry)
            case _:
                found += given(entry)
    return found


def harmless(page):
    """Does the page hold no element that could run or load anything?"""
    return not {"script", "iframe", "object", "embed", "base"} & set(Reading(page).tags)


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
