"""Training that changed nothing says so first: in the terminal, in the record and on the page."""

import json
import re

import numpy as np
import pytest
from commands import as_a_user, energax, measured_briefly, moons, tiny

from energax.model import baselines, fit
from energax.model.learning import find_standstill, judge_learning

GOOD = {"grad_norm": 0.3, "accuracy": 0.8, "displacement": 0.1, "acceptance": 0.7}
STANDSTILLS = {  # lines of a log -> what is said
    "no gradient": ([GOOD, GOOD | {"grad_norm": 0.0}], "the gradient of the weights ends at 0"),
    "frozen chains": ([GOOD, GOOD | {"displacement": 0.0}], "the chains never move; choose"),
    "rejected proposals": ([GOOD, GOOD | {"acceptance": 0.0}], "the chains never move"),
    "too easy": ([GOOD | {"accuracy": 1.0}] * 2, "right on every row from the start.*--base"),
}
FINE = {
    "as usual": [GOOD, GOOD],
    "of another method": [{"loss": 0.0}],
    "a start that stands still": [GOOD | {"grad_norm": 0.0, "displacement": 0.0}, GOOD],
    "an accuracy that rises to 1": [GOOD, GOOD | {"accuracy": 1.0}],
    "no line": [],
}


@pytest.mark.parametrize("name", STANDSTILLS)
def test_a_log_of_training_that_stood_still(name):
    lines, says = STANDSTILLS[name]
    said = find_standstill(lines)
    assert said.startswith("Nothing was learned: ")
    assert re.search(says, said), said
    assert said.endswith(".")


@pytest.mark.parametrize("name", FINE)
def test_a_log_of_training_that_moved(name):
    assert find_standstill(FINE[name]) is None


def record(value, error=0.01, *, certified=True):
    difference = {"value": value, "error": error, "size": 100.0}
    return {
        "test_log_likelihood": {"certified": certified},
        "baselines": {baselines.BEFORE: {"value": 1.0, "difference": difference}},
    }


STOOD = [GOOD | {"grad_norm": 0.0}]


@pytest.mark.parametrize(
    ("found", "lines", "says"),
    [
        (record(0.005), [], "is that of the base within its error (0.005 +- 0.010 nats a row)"),
        (record(-0.015), [GOOD], "is that of the base within its error"),
        (record(0.005), [GOOD, GOOD], "the accuracy of the classifier stayed at 0.80"),
        (record(0.005), STOOD, "the gradient of the weights ends at 0"),
        (record(0.5, certified=False), STOOD, "the gradient of the weights ends at 0"),
        (record(-0.5), STOOD, "the gradient of the weights ends at 0"),
    ],
)
def test_nothing_was_learned(found, lines, says):
    assert says in judge_learning(found, lines)["learning"]


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (record(0.5), STOOD),
        (record(0.03), []),
        (record(-0.5), [GOOD]),
        (record(0.005, certified=False), [GOOD]),
        ({"test_log_likelihood": {"certified": True}, "baselines": {}}, [GOOD]),
    ],
    ids=["learned all the same", "learned", "worse than the base", "not certified", "no base"],
)
def test_something_was_learned_or_nobody_knows(found, lines):
    assert judge_learning(found, lines) == {}


def test_a_run_that_learns_nothing_says_so_everywhere(tmp_path):
    np.save(tmp_path / "moons.npy", moons())
    run = tmp_path / "run"
    words = (*tiny(), "--no-validation", "--steps", 20, "--learning-rate", 1e-12, "--evaluate")
    with measured_briefly():
        said = energax("train", tmp_path / "moons.npy", *words, "--out", run)
    assert said.status == 0, said
    text = "Nothing was learned: the test log-likelihood is that of the base within its error"
    assert text in said.out
    assert json.loads((run / "evaluation.json").read_text())["learning"].startswith(text)
    assert text in (run / "report.html").read_text()


def test_chains_that_never_move_are_said_after_training(tmp_path):
    np.save(tmp_path / "moons.npy", moons())
    words = (*tiny("cd"), "--no-validation", "--steps", 20, "--out", tmp_path / "run")
    said = energax("train", tmp_path / "moons.npy", *words, "--step-size", 1e-30)
    assert "Warning: Nothing was learned: the chains never move; choose another" in said.out
    control = energax("train", tmp_path / "moons.npy", *words[:-1], tmp_path / "control")
    assert "Warning" not in control.out


def test_python_warns_too():
    with as_a_user(), pytest.warns(UserWarning, match="Nothing was learned: the chains never move"):
        fit(moons(), "cd", steps=20, batch_size=16, width=8, depth=1, step_size=1e-30)
