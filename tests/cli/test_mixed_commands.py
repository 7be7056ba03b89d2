"""The commands on a table of numbers, categories and holes, from a raw file to a page."""

import json

import numpy as np
import polars as pl
import pytest
from commands import as_a_user, energax, measured_briefly, refused

from energax.model import load
from energax.run.folder import Folder

SHORT = ["--steps", "60", "--chunk-steps", "20", "--batch-size", "32", "--width", "8"]


def animals(size=120):
    """Two species, of which height and colour say which; a code that says nothing; holes."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, size)
    height = np.where(kind == 0, 10.0, 16.0) + rng.normal(size=size)
    colour = np.where(rng.random(size) < 0.85, kind, 1 - kind)
    gone = rng.random((2, size)) < 0.1
    return pl.DataFrame(
        {
            "species": np.array(["cat", "dog"])[kind],
            "height": [None if m else round(h, 1) for h, m in zip(height, gone[0], strict=True)],
            "colour": [
                None if m else ("red", "blue")[c] for c, m in zip(colour, gone[1], strict=True)
            ],
            "code": [f"no {i}" for i in range(size)],
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the animals without their code, and what was said."""
    folder = tmp_path_factory.mktemp("animals")
    animals().write_csv(folder / "animals.csv")
    words = ["--drop", "code", "--column", "species=category", *SHORT, "--learning-rate", "0.02"]
    said = energax(
        "train", folder / "animals.csv", *words, "--out", folder / "run", "--no-evaluate"
    )
    assert said.status == 0, said
    assert said.err == ""
    return folder / "run", said.out


def test_how_each_column_was_read_is_said(run):
    found = [line.split() for line in run[1].splitlines()]
    lines = found[found.index(["column", "read", "as", "values", "missing", "range"]) + 1 :]
    assert lines[0] == ["species", "category", "2", "0", "cat,", "dog"]
    assert lines[1][:2] == ["height", "number"]
    assert int(lines[1][3]) > 0
    assert lines[2] == ["colour", "category", "2", lines[2][3], "blue,", "red"]


def test_the_command_of_the_run_repeats_how_it_was_read(run):
    command = Folder(run[0]).config()["command"]
    assert "--column species=category --drop code" in command
    assert Folder(run[0]).dataset().columns == ("species", "height", "colour")


def test_samples_are_rows_like_those_of_the_file(run, tmp_path):
    said = energax("sample", run[0], "--num", "60", "--out", tmp_path / "new.csv")
    assert said.status == 0, said
    new = pl.read_csv(tmp_path / "new.csv")
    assert new.columns == ["species", "height", "colour"]
    assert set(new["species"]) == {"cat", "dog"}
    assert set(new["colour"]) <= {"red", "blue", None}
    assert new["height"].null_count() < 30
    heights = new.group_by("species").agg(pl.col("height").mean()).sort("species")["height"]
    assert heights[1] - heights[0] > 2


def test_holes_are_filled_and_known_cells_stay(run, tmp_path):
    said = energax("inpaint", run[0], run[0].parent / "animals.csv", "--out", tmp_path / "full.csv")
    assert said.status == 0, said
    full, known = pl.read_csv(tmp_path / "full.csv"), animals().drop("code")
    assert sum(full.null_count().row(0)) == 0
    for name in known.columns:
        there = known[name].is_not_null()
        assert full[name].filter(there).to_list() == known[name].filter(there).to_list()


def test_a_row_that_contradicts_itself_names_the_column(run, tmp_path):
    pl.DataFrame(
        {"species": ["cat", "dog"], "height": [10.0, 16.0], "colour": ["red", "blue"]}
    ).vstack(pl.DataFrame({"species": ["cat"], "height": [40.0], "colour": ["red"]})).write_csv(
        tmp_path / "new.csv"
    )
    said = energax("score", run[0], tmp_path / "new.csv", "--out", tmp_path / "scores.csv")
    assert said.status == 0, said
    scores = pl.read_csv(tmp_path / "scores.csv")
    assert scores.columns == ["energy", "log_density", "unusual", "excess"]
    assert scores["unusual"][2] == "height"
    assert scores["excess"][2] > 5
    assert scores["energy"][2] > scores["energy"][:2].max() + 5


def test_the_run_is_measured_and_its_page_shows_each_column(run):
    with measured_briefly():
        said = energax("evaluate", run[0], "--particles", "16")
    assert said.status == 0, said
    found = json.loads((run[0] / "evaluation.json").read_text())
    assert set(found["columns"]) == {"species", "height", "colour"}
    each = found["columns"]["species"]
    assert each["model"]["log_p"]["value"] > each["marginal"]["log_p"]["value"] + 0.2
    assert found["columns"]["height"]["model"]["r2"]["value"] > 0.5
    assert energax("report", run[0]).status == 0
    page = (run[0] / "report.html").read_text()
    for words in ("linear, per column", "Covariances of pairs", "R²", "Test rows"):
        assert words in page


def test_a_model_takes_and_gives_frames(run):
    frame = animals(20).drop("code")
    with as_a_user():
        model = load(run[0])
        again = model.energy_of(frame.to_pandas())
        assert np.allclose(again, model.energy_of(frame), atol=1e-6)
        surprise = model.measure_surprise(frame)
    assert np.array_equal(np.isnan(surprise), frame.select(pl.all().is_null()).to_numpy())


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "Column 'code' of animals.csv holds 120 different texts"),
        (("--drop", "cod"), "no column 'cod'; did you mean code"),
        (("--column", "species"), "--column species says no kind: give NAME=KIND"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, words, fault):
    animals().write_csv(tmp_path / "animals.csv")
    assert fault in refused(
        energax("train", tmp_path / "animals.csv", *words, "--out", tmp_path / "run")
    )
    assert not (tmp_path / "run").exists()


def test_new_rows_must_have_known_values_and_no_new_holes(run, tmp_path):
    (tmp_path / "new.csv").write_text("species,height,colour\nfox,10.0,red\n")
    said = energax("score", run[0], tmp_path / "new.csv", "--out", tmp_path / "scores.csv")
    words = "column 'species' holds 'fox' in data row 1; expected one of cat and dog"
    assert words in refused(said)
    (tmp_path / "new.csv").write_text("species,height,colour\n,10.0,red\n")
    said = energax("score", run[0], tmp_path / "new.csv", "--out", tmp_path / "scores.csv")
    words = "column 'species' misses a cell in data row 1, which none did in training"
    assert words in refused(said)


def test_a_method_for_other_rows_is_refused(tmp_path):
    animals().write_csv(tmp_path / "animals.csv")
    said = energax("train", tmp_path / "animals.csv", "--drop", "code", "--method", "pcd")
    assert said.status == 2
    assert "--method pcd does not learn from numbers and categories" in said.err
