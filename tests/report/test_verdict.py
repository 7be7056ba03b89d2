"""The headline claims what the numbers support: paired differences, log Z and R-hat together."""

import math

import numpy as np
import pytest
from agreement import agrees
from pages import Reading, evaluation, results
from scipy.stats import norm

from energax import report
from energax.report.number import Interval
from energax.report.verdict import BASE, judge, read_difference

WIDE, BARE = "mixture, full covariances", "gaussian"


def record(differences, *, half=0.0, rhat=1.0, **changes):
    """A certified record of value 10, with a paired difference (mean, error) for each baseline."""
    found = {
        "value": 10.0, "lower": 10 - half, "upper": 10 + half, "certified": True, "why": "",
        "level": 0.95,
    }  # fmt: skip
    baselines = {
        name: {
            "value": 10.0 - mean, "error": 1.0, "size": 100,
            "difference": {"value": mean, "error": error, "size": 100},
        }
        for name, (mean, error) in differences.items()
    }  # fmt: skip
    return {
        "test_log_likelihood": found | changes,
        "baselines": baselines,
        "rhat": {"value": rhat, "error": None, "size": 4},
    }


def without_differences():
    found = record({BARE: (5.0, 0.1)})
    del found["baselines"][BARE]["difference"]
    return found


HEADLINES = {
    "clear": (record({BARE: (0.5, 0.1), WIDE: (0.3, 0.1)}), "good", "Better than every baseline."),
    "margin": (record({BARE: (0.5, 0.1), WIDE: (0.3, 0.1)}), "good", "0.30 nats per row"),
    "within its paired error": (record({BARE: (0.5, 0.3)}), "fair", "Not distinguishable from"),
    "one of two": (record({BARE: (9.0, 0.1), WIDE: (0.1, 0.1)}), "fair", WIDE),
    "within log Z": (record({BARE: (0.5, 0.1)}, half=0.6), "fair", "Not distinguishable from"),
    "worse": (
        record({BARE: (9.0, 0.1), WIDE: (-0.7, 0.1)}),
        "poor",
        "No better than the baseline",
    ),
    "not certified": (record({BARE: (9.0, 0.1)}, certified=False), "poor", "is not certified"),
    "older record": (without_differences(), "unknown", "no comparison is made"),
    "no level": (record({BARE: (9.0, 0.1)}, level=None), "unknown", "no comparison is made"),
    "no error": (record({BARE: (9.0, None)}), "unknown", "no comparison is made"),
    "no baseline": (record({}), "unknown", "No baseline was fitted"),
    "log Z not known": ({}, "unknown", "Judge the model by its draws"),
    "no value": (
        record(
            {BARE: (9.0, 0.1)}, value=None, lower=None, upper=None, certified=False, why="Cold."
        ),
        "unknown",
        "No test log-likelihood. Cold.",
    ),
    "not finite": (record({BARE: (9.0, 0.1)}, lower=None), "poor", "not finite"),
    "nothing learned": (
        record({BARE: (0.5, 0.1), BASE: (0.01, 0.02)}),
        "fair",
        "Training added 0.010 nats per row",
    ),
    "nothing learned, by the log": (
        record({BASE: (0.01, 0.02)}) | {"learning": "Nothing was learned: no chain moves; act."},
        "poor",
        "Nothing was learned: no chain moves; act. Not distinguishable from its base",
    ),
    "harmed by training": (
        record({BASE: (-0.4, 0.02)}),
        "poor",
        "Worse than its base distribution",
    ),
    "worse, and nothing learned": (
        record({BARE: (-2.0, 0.1), BASE: (0.01, 0.02)}),
        "poor",
        "Training added 0.010 nats per row",
    ),
    "only its base": (record({BASE: (0.4, 0.02)}), "good", "Better than its base distribution"),
}


@pytest.mark.parametrize("name", HEADLINES)
def test_headline(name):
    found, mood, words = HEADLINES[name]
    said = judge(found)
    assert said[0] == mood
    assert words in said[1]
    assert ("Better than every" in said[1]) == (name in ("clear", "margin"))


def test_interval_is_paired_noise_and_log_z_in_quadrature():
    entry = record({BARE: (0.5, 0.3)})["baselines"][BARE]
    model = Interval(10.0, 9.6, 10.1, True, "", 0.9)
    found = read_difference(model, BARE, entry)
    z = norm.ppf(0.95)
    assert found.lower == pytest.approx(0.5 - math.sqrt((0.3 * z) ** 2 + 0.4**2))
    assert found.upper == pytest.approx(0.5 + math.sqrt((0.3 * z) ** 2 + 0.1**2))


def test_claims_are_right_as_often_as_stated():
    """Model and baseline equally good: "better" at 95% is claimed for 2.5% of the test sets.

    `agrees` raises a false alarm once in 10^6; the margin is the normal quantile in place of
    Student's. Control: the old rule, an exact log Z against the mean of the baseline, claims it for
    half of them.
    """
    rng, runs, rows = np.random.default_rng(0), 4000, 200
    each = rng.normal(size=(runs, rows))
    mean, error = each.mean(axis=1), each.std(axis=1, ddof=1) / math.sqrt(rows)
    claims = [judge(record({BARE: one}))[0] == "good" for one in zip(mean, error, strict=True)]
    assert agrees(claims, 0.025, margin=0.001)
    assert not agrees(mean > 0, 0.025, margin=0.001)


@pytest.mark.parametrize(("rhat", "text"), [(1.35, "R-hat 1.350"), (None, "R-hat not finite")])
def test_poor_rhat_is_in_the_first_sentence(rhat, text):
    mood, headline = judge(record({BARE: (9.0, 0.1)}, rhat=rhat))
    assert mood == "fair"
    first = headline.split(". ")[0]
    assert first.startswith("Better than every baseline, but the chains")
    assert text in first
    nested = record({BARE: (9.0, 0.1)}) | {"chains": {"rhat": rhat or math.nan}}
    assert "have not mixed" in judge(nested)[1]
    assert "have not mixed" not in judge(record({BARE: (9.0, 0.1)}, rhat=1.05))[1]


def test_draws_of_unmixed_chains_are_not_offered_for_judgement():
    mood, headline = judge({"rhat": 1.5})
    assert mood == "poor"
    assert "have not mixed" in headline
    assert "Judge the model by its draws" not in headline


def test_headline_and_chip_of_the_page_agree():
    entries = evaluation() | {"rhat": 1.4}
    words = Reading(report.render_page(results((3,), evaluation=entries))).words
    assert "Better than every baseline, but the chains that made the draws have not mixed" in words
    assert "poor" in words


def test_a_baseline_that_is_not_finite_is_named_and_left_out():
    entries = evaluation()
    entries["baselines"]["uniform"] = {"value": None, "error": None, "size": 30, "setting": None}
    words = Reading(report.render_page(results((3,), evaluation=entries))).words
    assert "The baseline Uniform is not finite" in words
    assert "Better than every baseline" in words
