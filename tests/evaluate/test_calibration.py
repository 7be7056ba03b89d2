"""What is certified holds the truth: 14 models with known log Z; benchmarks/coverage.py has 148."""

import jax
import numpy as np
import pytest
from known_log_z import make_models, two_modes

from energax.evaluate import annealed_log_z, witness

MODELS = {  # family -> the options of those that are tried here, and what is certified of them
    "scaled Gaussian": ({"dim": [2], "condition": [100]}, "all"),
    "banana": ({"dim": [2], "components": [1]}, "all"),
    "double wells": ({"dim": [2], "tilt": [0.3]}, "all"),
    "Student t": ({"dim": [2], "freedom": [5.0, 10.0]}, "all"),
    "missed mode": ({"dim": [8], "weight": [0.5, 0.03]}, "none"),
    "spurious mode": ({"dim": [8]}, "none"),
}


@pytest.mark.parametrize("family", MODELS)
def test_certified_intervals_hold_the_truth_and_missed_modes_are_refused(family):
    """An interval misses with chance 5% at most, far less as both ends are in it: one may."""
    options, certified = MODELS[family]
    wrong = 0
    with jax.enable_x64(False):
        for model in make_models([family], **options):
            found = annealed_log_z(model.energy, model.base, model.rows, key=jax.random.key(0))
            assert found.certified == (certified == "all"), (model.name, found.why)
            wrong += found.certified and not found.lower <= model.log_z <= found.upper
    assert wrong <= 1


def find(dim=4, far=9.0, weight=0.5, *, rows_know=True):
    with jax.enable_x64(False):
        energy, base, rows, _ = two_modes(dim, far, weight, rows_know, seed=0)
        return annealed_log_z(energy, base, rows, particles=256, key=jax.random.key(1)), rows


def test_rows_out_of_reach_are_named():
    found, rows = find()
    assert "Annealing does not come to" in found.why
    named = found.why[found.why.index("(row ") + 5 : found.why.index(", ...)")].split(", ")
    far = np.linalg.norm(rows, axis=1) > 6
    assert all(far[int(row) - 1] for row in named)
    # The reverse run that starts from the rows knows of both modes.
    assert abs(float(found.from_rows.value)) < 0.3


BLIND = {  # what is taken away -> whether rows know the far mode
    "rows": True,
    "hot starts": False,
}


@pytest.mark.parametrize("way", BLIND)
def test_nobody_else_sees_the_mode(way, monkeypatch):
    """Negative control: without rows, or without hot starts, a wrong interval is certified."""
    seen, _ = find(far=20.0, rows_know=BLIND[way])
    assert not seen.certified
    monkeypatch.setattr(witness, "BROAD", 1.0)
    blind, _ = find(far=20.0, rows_know=False)
    assert blind.certified
    assert blind.upper < -0.6
