"""`energax detect`: from two files to p-values, reasons and a page; and what it refuses."""

import numpy as np
import polars as pl
import pytest
from commands import energax, refused

from energax import sklearn as room

COLUMNS = ("age", "income", "=height")


def draw_rows(count, seed):
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 60, count)
    return np.stack([age, 100 * age + 50 * rng.normal(size=count), rng.normal(size=count)], axis=1)


def write(path, rows, columns=COLUMNS):
    pl.DataFrame(rows, schema=list(columns)).write_csv(path)
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """New rows of which the fourth has an income that does not go with its age."""
    folder = tmp_path_factory.mktemp("detect")
    new = draw_rows(40, 1)
    new[3] = [30.0, 5500.0, 0.0]
    train, rows = write(folder / "usual.csv", draw_rows(300, 0)), write(folder / "new.csv", new)
    said = energax("detect", train, rows, "--level", "0.02", "--out", folder / "out")
    assert said.status == 0, said
    return folder, said


def test_p_values_and_reasons_are_written(done):
    folder, said = done
    found = pl.read_csv(folder / "out" / "p_values.csv")
    assert found["row"].to_list() == list(range(1, 41))
    assert found["p_value"].min() == found["p_value"][3] == pytest.approx(1 / 61)
    assert found["outlier"].to_list() == (found["p_value"] <= 0.02).to_list()
    assert {found["because_1"][3], found["because_2"][3]} == {"age", "income"}
    assert "rows have a p-value up to 0.02" in said.out


def test_the_page_shows_the_rows_and_is_safe(done):
    page = (done[0] / "out" / "report.html").read_text()
    for words in ("new.csv", "The most unusual rows", "<b>income</b> = 5500", "</svg>"):
        assert words in page
    assert "<script" not in page


def test_the_detector_is_kept(done):
    found = room.load(done[0] / "out" / "detector")
    assert found.p_values(draw_rows(5, 2)).shape == (5,)


def test_bad_files_are_refused(done, tmp_path):
    folder = done[0]
    other = write(tmp_path / "other.csv", draw_rows(20, 0), ("age", "income", "weight"))
    cases = {
        "has the columns age, income, weight": [folder / "usual.csv", other],
        "exists already": [folder / "usual.csv", folder / "new.csv", "--out", folder / "out"],
        "level": [folder / "usual.csv", folder / "new.csv", "--level", "1"],
    }
    for words, arguments in cases.items():
        assert words in refused(energax("detect", *arguments))
