"""Results of made-up runs, and what a browser would see of their page."""

import html.parser
import re

import numpy as np

from energax import report

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
