"""The page of a ladder has a section on it; pages of other runs have none."""

from pages import Reading, results

from energax import report

LINES = [
    {"step": step, "rungs": 2.0, "log_likelihood": -9.0, "swap_rate_min": 0.3, "loss": 1.0}
    | {"swap_rate_mean": 0.6, "lag": 0.1, "seconds": 1.0 * step}
    for step in (1, 2, 3)
]


def test_a_ladder_has_a_section():
    page = Reading(report.render_page(results((3,), metrics=LINES)))
    assert "ladder" in page.ids
    assert page.words.count("Swap rates") == 1
    plain = [{"step": line["step"], "loss": 1.0} for line in LINES]
    other = Reading(report.render_page(results((3,), metrics=plain)))
    assert "ladder" not in other.ids
    assert "Swap rates" not in other.words
