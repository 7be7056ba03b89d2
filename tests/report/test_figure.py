"""The figures: placed, scaled, coloured and labelled by what they are given."""

import io
import math
from base64 import b64decode

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from energax.report.figure import MODEL, render_svg
from energax.report.figure_curves import smooth, steps_per_second
from energax.report.figure_energies import choose_range, draw_histograms, draw_traces
from energax.report.figure_forest import build_forest
from energax.report.figure_images import BAD, draw_sheet, find_nearest, to_pixels
from energax.report.figure_plane import MASSES, mass_levels
from energax.report.figure_table import find_correlated
from energax.report.labels import grade
from energax.report.number import Interval, Number, format_number
from energax.report.run_results import Density

WRITTEN = [
    (67.2183, 0.31, "67.22"),
    (67.2183, 4.0, "67.2"),
    (67.2183, 40.0, "67"),
    (-1.17904, 0.004, "\N{MINUS SIGN}1.1790"),
    (0.00031, 0.00021, "0.00031"),
    (12345.678, 25.0, "12,346"),
    (0.7993, None, "0.7993"),
    (1840.0, None, "1,840"),
    (2.5e-9, None, "2.500e\N{MINUS SIGN}09"),
    (3.0e12, 1.0, "3.000e+12"),
    (0.0, 0.0, "0"),
    (-27.0, 1e-16, "\N{MINUS SIGN}27"),
    (1.5, math.nan, "1.500"),
    (math.nan, 0.1, "nan"),
    (-math.inf, None, "\N{MINUS SIGN}inf"),
]


@pytest.mark.parametrize(("value", "error", "text"), WRITTEN)
def test_number_is_written_to_its_error(value, error, text):
    assert format_number(value, error) == text


def test_error_that_is_not_finite_is_shown():
    assert Number(1.5, math.nan).error_text == "± nan"
    assert not Number(1.5, math.nan).finite
    assert Number(1.5).error_text == ""


def test_contours_hold_the_stated_mass():
    """In the plane the region of a Gaussian with mass m ends at height 1 - m of the peak."""
    axis = np.linspace(-6, 6, 401)
    level = mass_levels(Density(axis, axis, 7.0 - (axis[:, None] ** 2 + axis**2) / 2))
    np.testing.assert_allclose(level, 1 - np.array(MASSES), rtol=0.02)


def test_smoothing_is_a_moving_average():
    values = np.random.default_rng(0).normal(size=400)
    np.testing.assert_allclose(
        smooth(values)[5:-5], np.convolve(values, np.full(11, 1 / 11), "valid"), atol=1e-12
    )
    values[200] = np.nan
    assert np.isfinite(smooth(values)).all()
    assert np.isnan(smooth(np.full(3, np.nan))).all()


def test_speed_ignores_compiling_and_pauses():
    lines = [{"step": 100 * i, "seconds": 30 + i / 4} for i in range(1, 9)]
    resumed = [{"step": 800 + 100 * i, "seconds": 3 + i / 4} for i in range(1, 5)]
    assert steps_per_second([{"step": 0, "seconds": 0.0}, *lines, *resumed]) == 400
    assert steps_per_second([{"step": 0, "loss": 0.0}]) is None


def test_energy_axis_leaves_far_noise_out_and_says_so():
    rng = np.random.default_rng(0)
    near = {"test": rng.normal(size=500), "draws": rng.normal(size=500)}
    far = near | {"noise": 1000 + rng.normal(size=500)}
    assert choose_range(far) == choose_range(near)
    assert "100% of noise lie off the right end (median 1,000)" in draw_histograms(far).caption
    assert choose_range(near | {"noise": 5 + rng.normal(size=500)})[1] > 6
    assert "off the" not in draw_histograms(near).caption
    assert draw_histograms({"test": np.array([np.nan])}) is None


def test_trace_counts_steps_not_kept_points():
    drawn = draw_traces(np.zeros((2, 11)), 30, np.array([]))
    assert ">300</text>" in drawn.body
    assert "One step in 30 is shown" in drawn.caption
    assert [text for _, _, text in drawn.legend] == ["2 of 2 chains"]


MODEL_LINE = Interval(10.0, 9.0, 11.0, True, "")


def test_forest_is_ordered_and_to_scale():
    entries = {"low": {"value": 0.0, "error": 1.0}, "bad": math.nan, "top": 20.0}
    drawn = build_forest(MODEL_LINE, entries)
    assert [row.name for row in drawn.rows] == ["Top", "This model", "Low", "Bad"]
    top, model, low, bad = drawn.rows
    assert model.at == pytest.approx((top.at + low.at) / 2)
    assert (model.right - model.left) / (top.at - low.at) == pytest.approx(2 / 20)
    assert (bad.at, bad.left, bad.right, bad.text) == (None, None, None, "nan")
    assert (drawn.ticks[0][0], drawn.ticks[-1][0]) == (0, 100)
    assert build_forest(None, {}) is None


def test_the_true_distribution_has_a_line_of_its_own():
    entries, truth = {"low": {"value": 0.0, "error": 1.0}}, Number(30.0, 0.5, 100.0)
    first = build_forest(MODEL_LINE, entries, truth).rows[0]
    assert (first.kind, first.name, first.ends) == ("truth", "True distribution", (29.5, 30.5))


def test_images_keep_their_pixels():
    rows = np.random.default_rng(0).integers(0, 17, (3, 4, 4), np.uint8)
    label = 'a "label" <b>'
    tag = draw_sheet(to_pixels(rows, 0.0, 16.0), 2, label)
    assert label not in tag
    picture = np.asarray(Image.open(io.BytesIO(b64decode(tag.split("base64,")[1].split('"')[0]))))
    blocks = picture[0:64:16, 68:132:16]
    np.testing.assert_array_equal(blocks[..., 0], np.round(rows[1] * (255 / 16)))
    assert picture.shape == (132, 132, 4)
    assert (picture[68:, 68:, 3] == 0).all()


def test_pixel_that_is_not_finite_is_marked():
    rows = np.array([[[0.0, np.nan], [np.inf, 1.0]]])
    shaded = to_pixels(rows, 0.0, 1.0)[0]
    assert shaded.tolist() == [[[0, 0, 0], list(BAD)], [list(BAD), [255, 255, 255]]]


@pytest.mark.parametrize("shape", [(3, 5, 4), (5, 4, 3), (1, 5, 4), (5, 4, 1), (5, 4)])
def test_layouts_of_images(shape):
    assert to_pixels(np.zeros((2, *shape)), 0.0, 1.0).shape == (2, 5, 4, 3)


def test_nearest_is_the_nearest():
    rng = np.random.default_rng(0)
    train, draws = rng.normal(size=(50, 3, 3)), rng.normal(size=(7, 3, 3))
    distance = np.sum((draws[:, None] - train) ** 2, axis=(2, 3))
    np.testing.assert_array_equal(find_nearest(draws, train), distance.argmin(axis=1))


def test_closest_columns_come_first():
    rows = np.random.default_rng(0).normal(size=(200, 4))
    rows[:, 3] = -rows[:, 1] + 0.1 * rows[:, 3]
    assert find_correlated(rows)[0] == (1, 3)
    assert find_correlated(rows[:, :1]) == []
    assert find_correlated(np.column_stack([rows, np.ones(200)]))[0] == (1, 3)


def test_drawing_follows_the_page_and_leaves_settings_alone():
    before = dict(mpl.rcParams)

    def paint(figure):
        axes = figure.add_subplot()
        axes.plot([0, 1], color=MODEL)
        axes.set_title(f'</svg><script> {MODEL} $\\nonsense$ id="x"')

    drawn = render_svg(paint, name="one", label='a "b"', size=(200, 100))
    assert dict(mpl.rcParams) == before
    assert "var(--model)" in drawn
    assert f'&lt;/svg&gt;&lt;script&gt; {MODEL} $\\nonsense$ id="x"' in drawn
    assert drawn.count(MODEL) == 1
    assert "<style" not in drawn
    assert drawn == render_svg(paint, name="one", label='a "b"', size=(200, 100))
    assert 'id="one-' in drawn
    assert 'id="figure' not in drawn


def test_grades():
    assert [grade("rhat", value) for value in (1.0, 1.05, 1.2, math.nan)] == [
        "good",
        "fair",
        "poor",
        "poor",
    ]
    assert grade("ess", 50.0) == "poor"
