"""Rows that speak against a density: said by training, kept by the run, and no likelihood of them.

One of the columns has a name that a spreadsheet would run as a formula.
"""

import json

import numpy as np
import polars as pl
import pytest
from commands import energax, tiny

from energax.files import guard, unguard
from energax.model import load

NAMES = ("=1+1", "sex")
SAYS = "Column &#39;sex&#39; (2 values) of people.csv is discrete"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a column of reals and one of two values, evaluated and reported."""
    folder = tmp_path_factory.mktemp("cautions")
    noise = np.random.default_rng(0)
    rows = np.stack([noise.normal(size=300), noise.integers(0, 2, 300)], axis=1)
    pl.DataFrame(rows, schema=NAMES).write_csv(folder / "people.csv")
    words = ["train", folder / "people.csv", *tiny(), "--steps", "40", "--out", folder / "run"]
    said = energax(*words, "--evaluate")
    assert said.status == 0, said
    (folder / "said.txt").write_text(said.out)
    return folder / "run"


def test_training_warns_and_evaluation_certifies_no_likelihood(run):
    said = (run.parent / "said.txt").read_text()
    text = SAYS.replace("&#39;", "'")
    assert f"Warning: {text}" in said
    assert f"Test log-likelihood not certified: {text}" in said
    found = json.loads((run / "evaluation.json").read_text())["test_log_likelihood"]
    assert found["certified"] is False
    assert found["why"].startswith(text)
    again = energax("evaluate", run)
    assert f"not certified: {text}" in again.out, "the run itself knows"


def test_the_page_warns_and_makes_no_claim(run):
    page = (run / "report.html").read_text()
    assert page.count(SAYS) >= 2, "as a warning and as the reason"
    assert "The test log-likelihood is not certified" in page


def test_written_rows_start_no_formula_and_can_be_read_back(run, tmp_path):
    out = tmp_path / "draws.csv"
    assert energax("sample", run, "--out", out, "--num", "20").status == 0
    header, first, *_ = out.read_text().splitlines()
    assert header == "'=1+1,sex"
    assert "'" not in first, "numbers stay numbers, negative ones too"
    scores = tmp_path / "scores.csv"
    said = energax("score", run, out, "--out", scores)
    assert said.status == 0, said
    assert pl.read_csv(scores)["energy"].is_finite().all()
    assert "log_density is empty: Column 'sex'" in said.out
    assert pl.read_csv(scores)["log_density"].null_count() == 20
    assert load(run).schema.columns == NAMES


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_gets_a_quote(text):
    assert guard(text) == f"'{text}"
    assert unguard(guard(text)) == text


@pytest.mark.parametrize("text", ["a", "a=1", "'a", "''", "", "1"])
def test_other_text_is_left_alone(text):
    assert guard(text) == text
    assert unguard(text) == text
