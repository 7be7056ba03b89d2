"""A damaged run, or an impossible wish: one sentence, and nothing left behind."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from commands import energax, listing, moons, refused, tiny

from energax.content import write_sealed

MOONS = moons(60)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with a good file; afterwards it must be as it was, but for what was made."""
    monkeypatch.chdir(tmp_path)
    np.save("moons.npy", MOONS)
    return tmp_path


END = [0.0, 0.1, 5.0]
LOG_Z = {"forward": END, "reverse": END, "lower": -1.0, "upper": 1.0}
LOG_Z |= {"level": 0.95, "certified": True, "why": "", "from_rows": None, "bridge": None}
NOTHING = {"value": None, "lower": None, "upper": None, "certified": False, "why": "not measured"}
RECORD = {"test_log_likelihood": NOTHING, "baselines": {}, "samples_sha256": "0"}
RECORD |= {"chain_verdict": "healthy", "chain_sampler": "none"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on moons.npy, with an evaluation that was written by hand."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "moons.npy", MOONS)
    run = folder / "run"
    said = energax("train", folder / "moons.npy", *tiny(), "--steps", "20", "--out", run)
    assert said.status == 0, said
    write_sealed(run / "evaluation.json", RECORD)
    write_sealed(run / "log_z.json", LOG_Z)
    return run


@pytest.fixture
def run(trained, place):
    """A copy to damage."""
    return Path(shutil.copytree(trained, place / "run"))


def cut(path):
    """The file without its second half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flipped(path):
    """The file with a bit of each byte changed in its last third, where numbers are."""
    content = path.read_bytes()
    whole = len(content) * 2 // 3
    path.write_bytes(content[:whole] + bytes(byte ^ 1 for byte in content[whole:]))


def rewritten(change):
    """config.json after a change of its content."""

    def harm(run):
        path = run / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return harm


def unfinished(run):
    """The run as it was before its weights were written; its last checkpoint."""
    (run / "weights.safetensors").unlink()
    return run / "checkpoints" / "20.safetensors"


def changed(group, name, value):
    """One option is another, before training has ended."""
    change = rewritten(lambda config: config["options"][group].update({name: value}))
    return lambda run: (unfinished(run), change(run))


RESUME, SAMPLE = "train --resume run --no-evaluate", "sample run --out s.csv"
DAMAGES = {  # name -> (what is done to the run, command, what the sentence says)
    "no run": (shutil.rmtree, SAMPLE, "run is not a run folder"),
    "no run to report": (shutil.rmtree, "report run", "run is not a run folder"),
    "checkpoint cut": (
        lambda run: cut(unfinished(run)),
        RESUME,
        "checkpoints/20.safetensors is damaged: delete it to go on from the one before it.",
    ),
    "checkpoint flipped": (
        lambda run: flipped(unfinished(run)),
        RESUME,
        "checkpoints/20.safetensors is damaged: delete it",
    ),
    "checkpoint of another update": (
        lambda run: unfinished(run).rename(run / "checkpoints" / "30.safetensors"),
        RESUME,
        "checkpoints/30.safetensors is of update 20: delete it",
    ),
    "a changed width": (
        changed("network", "width", 16),
        RESUME,
        "20.safetensors does not fit this run: config.json has changed since, "
        "options.network.width was 8 and is 16 now; put the old one back.",
    ),
    "a changed average": (
        changed("training", "ema_decay", 0.5),
        RESUME,
        "config.json has changed since, options.training.ema_decay was",
    ),
    "a changed seed": (
        changed("training", "seed", 7),
        RESUME,
        "config.json has changed since, options.training.seed was 0 and is 7 now",
    ),
    "a changed batch size": (
        changed("training", "batch_size", 8),
        RESUME,
        "config.json has changed since, options.training.batch_size was 16 and is 8 now",
    ),
    "fewer steps than were made": (
        changed("training", "steps", 10),
        RESUME,
        "config.json has changed since, options.training.steps was 20 and is 10 now",
    ),
    "a changed average after training": (
        rewritten(lambda config: config["options"]["training"].update(ema_decay=0.0)),
        SAMPLE,
        "weights.safetensors does not fit this run: config.json has changed since, "
        "options.training.ema_decay was",
    ),
    "weights cut": (
        lambda run: cut(run / "weights.safetensors"),
        SAMPLE,
        "weights.safetensors is damaged",
    ),
    "weights gone": (unfinished, SAMPLE, "weights.safetensors is missing"),
    "config cut": (
        lambda run: cut(run / "config.json"),
        SAMPLE,
        "config.json is damaged: it is not JSON",
    ),
    "config of something else": (
        lambda run: (run / "config.json").write_text("[]"),
        SAMPLE,
        "config.json is damaged: it holds no JSON object",
    ),
    "config of another version": (
        rewritten(lambda config: config.update(version=0)),
        SAMPLE,
        "config.json is of another version (0, this energax reads 3): train the run again",
    ),
    "config without a version": (
        rewritten(lambda config: config.pop("version")),
        SAMPLE,
        "config.json is of another version (null",
    ),
    "a method that is none": (
        rewritten(lambda config: config.update(method="nse")),
        SAMPLE,
        "--method nse is unknown; did you mean nce?",
    ),
    "a method that is no word": (
        rewritten(lambda config: config.update(method=3)),
        SAMPLE,
        "config.json is damaged",
    ),
    "no method": (
        rewritten(lambda config: config.pop("method")),
        SAMPLE,
        "config.json is damaged: it lacks 'method'",
    ),
    "a rate below 0": (
        rewritten(lambda config: config["options"]["optimiser"].update(learning_rate=-1)),
        SAMPLE,
        "config.json holds a value that it must not: --learning-rate must be above 0; got -1.",
    ),
    "many steps": (
        rewritten(lambda config: config["options"]["training"].update(steps="many")),
        SAMPLE,
        "config.json holds a value that it must not: --steps must be a whole number; got 'many'.",
    ),
    "an option that is missing": (
        rewritten(lambda config: config["options"]["training"].pop("steps")),
        "evaluate run",
        "config.json is damaged or of another version: it lacks 'steps'.",
    ),
    "an option that is unknown": (
        rewritten(lambda config: config["options"]["training"].update(pace=3)),
        "evaluate run",
        "it has the unknown option 'pace'.",
    ),
    "no schema": (rewritten(lambda config: config.pop("schema")), SAMPLE, "config.json is damaged"),
    "a schema of something else": (
        rewritten(lambda config: config.update(schema=[])),
        SAMPLE,
        "config.json is damaged",
    ),
    "a shape that is none": (
        rewritten(lambda config: config["schema"].update(shape="wide")),
        SAMPLE,
        "config.json is damaged",
    ),
    "data of something else": (
        rewritten(lambda config: config["data"].update(test_fraction="some")),
        "report run",
        'config.json is damaged: data.test_fraction must be a number in [0, 1); got "some".',
    ),
    "no data": (
        rewritten(lambda config: config.pop("data")),
        "report run",
        "config.json is damaged",
    ),
    "base cut": (lambda run: cut(run / "base.safetensors"), SAMPLE, "base.safetensors is damaged"),
    "transform cut": (
        lambda run: cut(run / "transform.json"),
        SAMPLE,
        "transform.json is damaged: it is not JSON",
    ),
    "samples cut": (
        lambda run: (run / "samples.npz").write_bytes(b"PK"),
        "report run",
        "samples.npz is missing or damaged: run `energax evaluate run`",
    ),
    "report before evaluate": (
        lambda run: (run / "evaluation.json").unlink(),
        "report run",
        "is not evaluated: run `energax evaluate run`",
    ),
    "evaluation of something else": (
        lambda run: (run / "evaluation.json").write_text("[]"),
        "report run",
        "evaluation.json is damaged: it holds no JSON object",
    ),
    "log Z of something else": (
        lambda run: (run / "log_z.json").write_text("{}"),
        "score run moons.npy --out s.csv",
        "log_z.json is damaged",
    ),
    "log Z cut": (
        lambda run: cut(run / "log_z.json"),
        "score run moons.npy --out s.csv",
        "log_z.json is damaged: it is not JSON",
    ),
    "rows of another width": (
        lambda run: np.save("three.npy", np.zeros((5, 3))),
        "score run three.npy --out s.csv",
        "three.npy has 3 columns; the model was trained on 2",
    ),
    "no rows to score": (lambda run: None, "score run none.npy --out s.csv", "no file none.npy"),
    "unknown ending": (
        lambda run: None,
        "score run moons.npy --out s.txt",
        "--out s.txt must end in .csv or .parquet or .npy",
    ),
    "target taken": (lambda run: Path("s.csv").touch(), SAMPLE, "s.csv exists already"),
    "no folder": (lambda run: None, "sample run --out no/s.csv", "the folder no does not exist"),
    "table as a picture": (lambda run: None, "sample run --out s.png", "is no image; use .csv"),
    "no draws": (lambda run: None, "sample run --num 0 --out s.csv", "--num must be at least 1"),
    "no particles": (lambda run: None, "evaluate run --particles 0", "--particles must be at"),
    "level": (lambda run: None, "evaluate run --level 2", "--level must be in (0, 1)"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_run_or_impossible_wish_gets_one_sentence(name, run, place):
    harm, words, says = DAMAGES[name]
    harm(run)
    before = listing(place)
    said = refused(energax(*words.split()))
    assert says in said, said
    assert listing(place) == before


def test_data_that_changed_is_noticed(trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    np.save(tmp_path / "other.npy", MOONS + 1)
    config = json.loads((run / "config.json").read_text())
    config["data"]["source"] = str(tmp_path / "other.npy")
    (run / "config.json").write_text(json.dumps(config))
    unfinished(run)
    assert "has changed since" in refused(energax("train", "--resume", run))


def test_good_input_is_not_refused(run, place):
    """The control of all of the above: the same file, options and run, unharmed."""
    assert energax("score", "run", "moons.npy", "--out", "s.csv").status == 0
    assert pl.read_csv("s.csv").shape == (len(MOONS), 2)
