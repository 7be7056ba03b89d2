"""The commands on one small run from beginning to end."""

import json
import re
import shlex
import shutil

import numpy as np
import polars as pl
import pytest
from commands import energax, measured_briefly, moons, tiny

from energax.cli.report import Report
from energax.cli.train import Train
from energax.content import write_sealed
from energax.method import METHODS
from energax.model import load, score_rows
from energax.model.scoring import DEQUANTISATIONS
from energax.options import leaves
from energax.run.folder import Folder

COLUMNS = ("height", "width")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a table with names and units, trained, evaluated and reported."""
    folder = tmp_path_factory.mktemp("cli")
    pl.DataFrame(moons(), schema=COLUMNS).write_csv(folder / "moons.csv")
    words = ["train", folder / "moons.csv", *tiny(), "--steps", "40", "--out", folder / "run"]
    with measured_briefly():
        said = energax(*words, "--evaluate")
    assert said.status == 0, said
    assert said.err == "", "nothing goes wrong"
    assert re.search(r"^Report: .*report\.html$", said.out, re.M), said
    (folder / "said.txt").write_text(said.out)
    return folder / "run"


def read(path):
    return json.loads(path.read_text())


def test_each_stage_is_a_line_where_there_is_no_terminal(run):
    lines = (run.parent / "said.txt").read_text().splitlines()
    stages = [line.removesuffix(" ...") for line in lines if line.endswith(" ...")]
    assert stages == [
        f"reading {run.parent / 'moons.csv'}",
        "fitting the base",
        "compiling",
        "training, 40 updates",
        "drawing samples",
        "estimating log Z",
        "scoring test rows",
        "fitting baselines",
        "writing the report",
    ]


def test_the_library_says_nothing_of_its_stages(run, capsys):
    load(run)
    score_rows(load(run), moons(20).astype(np.float32))
    assert capsys.readouterr().out == ""


def test_run_folder_is_complete(run):
    assert sorted(path.name for path in run.iterdir()) == [
        ".lock",
        "base.safetensors",
        "checkpoints",
        "config.json",
        "evaluation.json",
        "log_z.json",
        "metrics.jsonl",
        "report.html",
        "samples.npz",
        "transform.json",
        "weights.safetensors",
    ]


def test_config_holds_all_that_repeats_the_run(run):
    config = read(run / "config.json")
    assert set(config) == {
        "version", "method", "options", "schema", "energy",
        "command", "data", "versions", "machine",
    }  # fmt: skip
    assert (config["version"], config["method"]) == (3, "nce")
    assert config["data"]["source"] == str(run.parent / "moons.csv")
    assert config["schema"]["columns"] == list(COLUMNS)
    assert config["data"]["train"] + config["data"]["test"] == 300
    assert re.fullmatch("[0-9a-f]{64}", config["schema"]["digest"])
    assert {"energax", "jax", "jaxlib", "python"} <= set(config["versions"])


def test_recorded_command_repeats_the_run_bit_for_bit(run, tmp_path):
    command = shlex.split(read(run / "config.json")["command"])
    again = tmp_path / "again"
    assert energax(*command[1:], "--out", again, "--no-evaluate").status == 0
    weights = [(path / "weights.safetensors").read_bytes() for path in (run, again)]
    assert weights[0] == weights[1]
    options = [read(path / "config.json")["options"] for path in (run, again)]
    assert options[0] == options[1]


def figures(record):
    """All (name, figure) of an evaluation, those of the baselines too."""
    for name, entry in record.items():
        if name == "baselines":
            yield from entry.items()
        elif type(entry) is dict and name != "test_log_likelihood":
            yield name, entry


def test_every_figure_of_the_evaluation_has_value_error_and_size(run):
    record = read(run / "evaluation.json")
    found = dict(figures(record))
    assert {"log_z", "mmd", "rhat", "ess", "kernel density"} <= set(found)
    for name, figure in found.items():
        assert {"value", "error", "size"} <= set(figure), name
        assert np.isfinite(figure["value"]), name
    likelihood = record["test_log_likelihood"]
    assert {"value", "lower", "upper", "certified", "why"} <= set(likelihood)
    assert likelihood["certified"] is True
    assert likelihood["lower"] <= likelihood["value"] <= likelihood["upper"]


def table_of(path):
    match path.suffix:
        case ".csv":
            return pl.read_csv(path)
        case ".parquet":
            return pl.read_parquet(path)
    return pl.DataFrame(np.load(path, allow_pickle=False), schema=["energy", "log_density"])


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npy"])
def test_score_gives_energy_and_log_density_in_the_users_units(run, tmp_path, suffix):
    rows, out = moons(320)[300:], tmp_path / f"scores.{suffix}"
    pl.DataFrame(rows, schema=COLUMNS).write_csv(tmp_path / "rows.csv")
    assert energax("score", run, tmp_path / "rows.csv", "--out", out).status == 0
    found = table_of(out)
    assert found.columns == ["energy", "log_density"]
    assert len(found) == len(rows)
    log_z, scale = read(run / "evaluation.json")["log_z"]["value"], scales(run)
    expected = -found["energy"].to_numpy() - log_z - np.log(scale).sum()
    np.testing.assert_allclose(found["log_density"], expected, rtol=1e-4)


def scales(run):
    """Standard deviations that the transform divides by."""
    return np.array(read(run / "transform.json")["std"])


def test_mean_score_of_the_test_rows_is_the_reported_likelihood(run, tmp_path):
    test = Folder(run).dataset().test
    np.save(tmp_path / "test.npy", test)
    assert energax("score", run, tmp_path / "test.npy", "--out", tmp_path / "s.npy").status == 0
    found = np.load(tmp_path / "s.npy")[:, 1].mean()
    assert found == pytest.approx(
        read(run / "evaluation.json")["test_log_likelihood"]["value"], abs=1e-4
    )


def not_certified(path):
    content = read(path)
    content.pop("sha256")
    write_sealed(path, content | {"certified": False})


EMPTY = {
    "log Z is not certified": (not_certified, "log Z is not certified"),
    "log Z is not measured": (
        lambda path: path.unlink(),
        "log Z is not measured yet, `energax evaluate` does that",
    ),
    "log Z was not attempted": (
        lambda path: write_sealed(path, {"why": "Not attempted: no base."}),
        "Not attempted: no base",
    ),
}


@pytest.mark.parametrize("what", EMPTY)
def test_log_density_is_empty_and_energies_are_there_where(what, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    harm, why = EMPTY[what]
    harm(copy / "log_z.json")
    np.save(tmp_path / "rows.npy", moons(20))
    said = energax("score", copy, tmp_path / "rows.npy", "--out", tmp_path / "s.csv")
    assert said.status == 0, said
    assert f"; log_density is empty: {why}." in said.out
    found = pl.read_csv(tmp_path / "s.csv")
    assert found["log_density"].null_count() == 20
    assert found["energy"].null_count() == 0
    said = energax("score", copy, tmp_path / "rows.npy", "--out", tmp_path / "s.npy")
    assert np.isnan(np.load(tmp_path / "s.npy")[:, 1]).all()


def test_sample_gives_rows_in_the_users_units(run, tmp_path):
    assert energax("sample", run, "--num", "50", "--out", tmp_path / "s.csv").status == 0
    table = pl.read_csv(tmp_path / "s.csv")
    assert energax("sample", run, "--num", "50", "--out", tmp_path / "s.npz").status == 0
    with np.load(tmp_path / "s.npz", allow_pickle=False) as saved:
        draws = saved["draws"]
    assert table.columns == list(COLUMNS)
    assert (draws.shape, draws.dtype) == ((50, 2), np.float32)
    np.testing.assert_allclose(table.to_numpy(), draws, rtol=1e-5)
    # Of two moons in these units, and by no means in the model's: 6 standard errors.
    rows = moons()
    error = rows.std(axis=0) / np.sqrt(50)
    assert np.all(np.abs(draws.mean(axis=0) - rows.mean(axis=0)) < 6 * error)


def test_kept_samples_are_in_the_users_units(run):
    with np.load(run / "samples.npz", allow_pickle=False) as saved:
        assert saved["draws"].shape[1:] == (2,)
        assert abs(saved["draws"][:, 0].mean() - 100) < 20


def test_ctrl_c_outside_training_and_faults_of_ours(run, monkeypatch):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Report, "__call__", stopped)
    said = energax("report", run)
    assert (said.status, said.err) == (130, "energax: Stopped.\n")
    # A fault of ours is not dressed up as the user's: it is raised, traceback and all.
    monkeypatch.setattr(Report, "__call__", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        energax("report", run)


def test_a_traceback_is_shown_where_it_is_wanted(tmp_path):
    said = energax("--debug", "report", tmp_path / "none")
    assert said.status == 2
    assert "Traceback" in said.err
    assert said.err.endswith(f"energax: {tmp_path / 'none'} is not a run folder: it holds no "
                             "config.json.\n")  # fmt: skip


def test_defaults_of_the_command_hold_without_any_word(monkeypatch):
    """`energax train` alone: the method that suits the data, at its preset."""
    done = []
    monkeypatch.setattr("energax.run.new_run", lambda *given: done.append(given) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        energax("train")
    ((source, rows, method, share, out, reading),) = done
    assert (source, share, out, tuple(reading)) == ("digits", Train().test_fraction, None, ())
    assert method == METHODS["nce"].preset_for(rows)
    assert {leaf.default for leaf in leaves(Train) if leaf.name == "test-fraction"} == {share}


def test_python_says_the_same_as_the_command(run, tmp_path):
    model, rows = load(run), moons(20)
    np.save(tmp_path / "rows.npy", rows)
    energax("score", run, tmp_path / "rows.npy", "--out", tmp_path / "s.npy")
    energies = score_rows(model, rows.astype(np.float32)).energies
    assert len(energies) == 1 < DEQUANTISATIONS
    np.testing.assert_allclose(np.load(tmp_path / "s.npy")[:, 0], energies[0], rtol=1e-4)
