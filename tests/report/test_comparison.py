"""The page and the table of a comparison: ordered, complete, and safe to open."""

import numpy as np
import pytest
from pages import EVIL, Reading, bell, harmless

from energax import report
from energax.errors import InputError
from energax.report.number import MINUS, Number


def entry(method, seed, value, *, certified=True, **changes):
    likelihood = {
        "value": value,
        "lower": value - 0.25,
        "upper": value + 0.25,
        "certified": certified,
        "why": "Effective size 1.9 of 256.",
    }
    parts = {
        "method": method,
        "title": f"{method} in full",
        "seed": seed,
        "path": f"runs/{method}-{seed}",
        "seconds": 2.0 + seed,
        "evaluation": {"test_log_likelihood": likelihood, "mmd": {"value": 0.5}},
    }
    return report.Entry(**(parts | changes))


def comparison(**changes):
    runs = [entry("low", 0, -3.0), entry("top", 0, -1.0), entry("top", 1, -2.0)]
    runs += [
        entry("unsure", 0, 9.0, certified=False),
        entry("lost", 0, 0.0, evaluation=None, diverged="The loss is NaN."),
    ]
    parts = {"data": "rows", "entries": runs, "test": np.zeros((5, 2)), "truth": Number(-0.5)}
    return report.Comparison(**(parts | changes))


def test_table_is_ordered_by_certified_means():
    lines = report.render_markdown(comparison()).replace(MINUS, "-").splitlines()
    assert lines[0].startswith("| method | test nats | worst seed | gap to truth | 1000 MMD²")
    assert [line.split("`")[1] for line in lines[2:6]] == ["top", "low", "unsure", "lost"]
    assert "| -1.50 ± 0.71 [-1.75, -1.25] | -2.00 | 1.000 | 500.0 | 2.5 | 0 of 2 |" in lines[2]
    assert "| not certified |" in lines[4]
    assert lines[5].endswith("| 1 of 1 |")


def test_page_names_titles_reasons_and_the_best():
    shown = report.render_comparison(comparison())
    words = Reading(shown).words.replace(MINUS, "-")
    assert harmless(shown)
    assert "Highest mean test log-likelihood: top in full, -1.500 nats, 1.000 below" in words
    assert "1 of 5 runs diverged" in words
    for text in ("top in full", "low in full", "Effective size 1.9 of 256.", "The loss is NaN."):
        assert text in words
    nothing = Reading(
        report.render_comparison(comparison(entries=[entry("a", 0, 1.0, evaluation={})]))
    )
    assert "No method has a certified likelihood" in nothing.words


def test_strings_are_escaped():
    runs = [entry(EVIL, 0, 1.0, title=EVIL, path=EVIL, density=bell())]
    shown = report.render_comparison(comparison(entries=runs, data=EVIL, command=EVIL))
    assert harmless(shown)
    assert Reading(shown).words.count(EVIL) >= 5


def test_a_comparison_of_nothing_is_refused():
    with pytest.raises(InputError, match="at least one run"):
        comparison(entries=[])
