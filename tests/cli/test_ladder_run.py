"""A run by the ladder, from a file to a page: log Z is that of its own chains."""

import json

import numpy as np
from commands import energax

from energax import evaluate
from energax.run import evaluating
from energax.run.folder import Folder


def test_a_ladder_measures_its_own_run(tmp_path, monkeypatch):
    """5 bits, so that log Z is known. A 95 % interval of fixed seeds, three times as wide."""
    monkeypatch.setattr(evaluating, "is_summable", lambda model: False)
    rows = np.random.default_rng(0).integers(0, 2, size=(200, 5))
    rows[:, 1:3] = rows[:, :1]
    np.savetxt(tmp_path / "five.data", rows, fmt="%d", delimiter=",")
    words = ["--method", "ladder", "--network", "pairs", "--learning-rate", "0.1"]
    words += ["--ladder-chains", "32", "--max-rungs", "3", "--validation-every", "20"]
    words += ["--steps", "60", "--chunk-steps", "30", "--batch-size", "64"]
    said = energax("train", tmp_path / "five.data", *words, "--out", tmp_path / "run")
    assert said.status == 0, said
    folder = Folder(tmp_path / "run")
    found = json.loads(folder["evaluation.json"].read_text())
    assert found["test_log_likelihood"]["certified"]
    assert "link" in found["test_log_likelihood"]["why"]
    energy = folder.model().energy
    exact = evaluate.enumerate_log_z(energy, energy.space).value
    assert 0 < abs(found["log_z"]["value"] - exact) < 3 * found["log_z"]["error"] < 0.3
    page = folder["report.html"].read_text()
    for words in ("The ladder", "Swap rates", "Log-likelihood of the batch", "Lag of the chains"):
        assert words in page
