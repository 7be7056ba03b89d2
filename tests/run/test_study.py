"""Many objectives on the same rows: one command, resumed, compared and refused."""

import dataclasses
import json
import re

import equinox as eqx
import numpy as np
import polars as pl
import pytest
from commands import energax, measured_briefly, moons, refused, tiny

from energax.data import two_moons
from energax.errors import InputError
from energax.method.build import optimisers
from energax.model import sampling
from energax.run.studying import choose_methods

STUDY = ("study", "two-moons", "--steps", "20", "--width", "8", "--depth", "1")


@pytest.fixture(autouse=True, scope="module")
def _measured_briefly():
    with measured_briefly():
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two objectives, two seeds each."""
    out = tmp_path_factory.mktemp("study") / "moons"
    said = energax(*STUDY, "--methods", "nce", "dsm", "--seeds", "2", "--out", out)
    assert said.status == 0, said
    assert said.err == "", "a command in a pipe is quiet"
    return out


def test_study_writes_page_table_and_a_line_for_each_run(study):
    names = {path.name for path in study.iterdir()}
    assert names == {".lock", "comparison.html", "table.md", "runs.csv", "runs", "study.json"}
    lines = pl.read_csv(study / "runs.csv")
    assert sorted(zip(lines["method"], lines["seed"], strict=True)) == [
        (word, seed) for word in ("dsm", "nce") for seed in (0, 1)
    ]
    for line in lines.iter_rows(named=True):
        record = json.loads(
            (study / "runs" / f"{line['method']}-{line['seed']}" / "evaluation.json").read_text()
        )
        assert line["test_log_likelihood"] == record["test_log_likelihood"]["value"]
        assert line["modes_covered"] == record["modes_covered"]["value"]
        assert line["certified"]


def test_table_is_sorted_and_its_gap_is_to_the_true_distribution(study):
    lines = pl.read_csv(study / "runs.csv")
    means = lines.group_by("method").agg(pl.col("test_log_likelihood").mean())
    known = dict(means.iter_rows())
    table = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (study / "table.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    assert {row[0].strip("`") for row in table} == set(known)
    assert [known[row[0].strip("`")] for row in table] == sorted(known.values(), reverse=True)
    for name, nats, _, gap, *_ in table:
        value = float(nats.split()[0].replace("\N{MINUS SIGN}", "-"))
        assert abs(value - known[name.strip("`")]) < 1e-3
        assert abs(-1.015 - value - float(gap)) < 2e-3


def test_page_shows_every_method_and_loads_nothing(study):
    page = (study / "comparison.html").read_text()
    assert "noise-contrastive estimation" in page
    assert "denoising score matching" in page
    assert page.count("<svg") == 3, "the true distribution, and a density of each method"
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "<script" not in page


def test_same_command_does_nothing_twice_and_more_seeds_are_added(study):
    weights = study / "runs" / "nce-0" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    (study / "runs" / "nce-1" / "evaluation.json").unlink()
    said = energax(*STUDY, "--methods", "nce", "--seeds", "2", "--out", study)
    assert said.status == 0, said
    assert said.out.count("Test log-likelihood") == 1, "only what was missing"
    assert weights.stat().st_mtime_ns == before
    assert "`dsm`" in (study / "table.md").read_text(), "finished runs stay in the table"


def test_study_is_one_network_on_one_data_set(study):
    other = ("study", "two-moons", "--steps", "30", "--methods", "nce", "--out", study)
    assert "another steps (20)" in refused(energax(*other))
    (study.parent / "full").mkdir()
    (study.parent / "full" / "file").touch()
    full = (*STUDY, "--methods", "nce", "--out", study.parent / "full")
    assert "is no study" in refused(energax(*full))


def test_unknown_words_are_refused_before_any_work(tmp_path):
    out = tmp_path / "out"
    assert "did you mean nce?" in refused(energax(*STUDY, "--methods", "nse", "--out", out))
    assert "--seeds must be at least 1" in refused(energax(*STUDY, "--seeds", "0", "--out", out))
    assert not out.exists()


def test_all_are_those_that_go_with_the_network_that_is_asked_for():
    rows = two_moons(train=100, test=10)
    with_perceptron = choose_methods(("all",), rows, "mlp")
    assert "dual" not in with_perceptron
    assert {"nce", "dsm-levels", "teaching"} <= set(with_perceptron)
    with_neurons = choose_methods(("all",), rows, "shallow")
    assert "dsm-levels" not in with_neurons
    assert {"nce", "dual"} <= set(with_neurons)
    assert set(choose_methods(("all",), rows)) >= {"dual", "dsm-levels"}, (
        "each its own where none is asked"
    )
    with pytest.raises(InputError, match="it trains --network shallow"):
        choose_methods(("dual",), rows, "mlp")


def test_a_run_that_diverges_is_counted_and_the_study_goes_on(tmp_path, monkeypatch):
    """A rate a billion times too large for one of two objectives."""
    make = optimisers._make

    def wild(adam, steps, epoch):
        rate = 1e9 if adam.learning_rate == 5e-3 else adam.learning_rate
        return make(dataclasses.replace(adam, learning_rate=rate, clip=1e30), steps, epoch)

    monkeypatch.setattr(optimisers, "_make", wild)
    out = tmp_path / "out"
    said = energax(*STUDY, "--methods", "nce", "pcd", "--seeds", "1", "--out", out)
    assert said.status == 0, said
    lines = pl.read_csv(out / "runs.csv").sort("method")
    assert lines["method"].to_list() == ["nce", "pcd"]
    assert [bool(why) for why in lines["diverged"]] == [True, False]
    assert "1 of 1" in (out / "table.md").read_text()
    page = (out / "comparison.html").read_text()
    assert "1 of 2 runs diverged" in page
    assert "at update" in page


def test_chains_that_run_away_after_training_are_counted_too(tmp_path, monkeypatch):
    """Not one of the runs may stop the others: draws of one model are made infinite."""
    chains = sampling.chains

    def away(*given, **named):
        state, info = chains(*given, **named)
        return eqx.tree_at(lambda state: state.x, state, state.x + np.inf), info

    monkeypatch.setattr(sampling, "chains", away)
    out = tmp_path / "out"
    said = energax(*STUDY, "--methods", "nce", "--seeds", "1", "--out", out)
    assert said.status == 0, said
    assert "run off to infinity" in pl.read_csv(out / "runs.csv")["diverged"][0]


def test_compare_puts_runs_that_differ_by_seed_on_one_line(study, tmp_path):
    runs = [study / "runs" / f"nce-{seed}" for seed in (0, 1)]
    said = energax("compare", *runs, "--out", tmp_path / "both")
    assert said.status == 0, said
    table = (tmp_path / "both" / "table.md").read_text()
    assert table.count("| `nce` |") == 1
    assert "mixture" in (tmp_path / "both" / "comparison.html").read_text().lower()
    again = energax("compare", *runs, "--out", tmp_path / "both")
    assert "exists already" in refused(again)


def test_compare_wants_the_same_rows_and_evaluated_runs(study, tmp_path):
    np.save(tmp_path / "rows.npy", moons())
    said = energax(
        "train", tmp_path / "rows.npy", *tiny(), "--steps", 20, "--out", tmp_path / "run"
    )
    assert said.status == 0, said
    nce = study / "runs" / "nce-0"
    out = ("--out", tmp_path / "page")
    assert "other rows" in refused(energax("compare", nce, tmp_path / "run", *out))
    assert "is not evaluated" in refused(energax("compare", tmp_path / "run", *out))
    assert "is not a run folder" in refused(energax("compare", tmp_path, *out))
    assert not (tmp_path / "page").exists()


def test_compare_tells_settings_apart(tmp_path):
    np.save(tmp_path / "rows.npy", moons())
    for rate in (1, 2):
        words = ("train", tmp_path / "rows.npy", *tiny(), "--steps", 20, "--ema-decay", rate / 10)
        said = energax(*words, "--evaluate", "--out", tmp_path / f"decay-{rate}")
        assert said.status == 0, said
    runs = [tmp_path / f"decay-{rate}" for rate in (1, 2)]
    said = energax("compare", *runs, "--out", tmp_path / "page")
    assert said.status == 0, said
    table = (tmp_path / "page" / "table.md").read_text()
    assert "nce (decay-1)" in table
    assert "nce (decay-2)" in table
