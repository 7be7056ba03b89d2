"""The detector: rates of false alarms, flags that follow from p-values, reasons, folders."""

import numpy as np
import pytest
from agreement import FALSE_ALARM
from scipy.stats import betabinom
from sklearn.base import clone
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from energax import sklearn as room
from energax.errors import InputError
from energax.evaluate import conformal_p_values
from energax.sklearn import EnergyEnsemble, EnergyOutlierDetector

NEW = 4000
"""Usual rows that no detector has seen."""


def draw_rows(count, seed):
    """Usual rows: a skewed column, one that follows from it, and a bimodal one."""
    rng = np.random.default_rng(seed)
    first = rng.exponential(size=count)
    second = 2 * first + 0.3 * rng.normal(size=count)
    third = rng.choice([-2.0, 2.0], count) + 0.5 * rng.normal(size=count)
    return np.stack([first, second, third], axis=1)


@pytest.fixture(scope="module")
def detector():
    return EnergyOutlierDetector(random_state=0).fit(draw_rows(500, 0))


def is_promised(p_values, held, level):
    """Could `held` calibration rows give so many alarms? One calibration set has luck of its own:
    the count is beta-binomial. FALSE_ALARM for each level."""
    place = int(level * (held + 1))
    chance = betabinom(len(p_values), place, held + 1 - place)
    count = np.sum(p_values <= level)
    return min(chance.sf(count - 1), chance.cdf(count)) > FALSE_ALARM / 2


LEVELS = (0.02, 0.05, 0.1)


def test_false_alarms_come_as_promised(detector):
    held = len(detector.calibration_scores_)
    p_values = detector.p_values(draw_rows(NEW, 1))
    assert held == 100
    assert all(is_promised(p_values, held, level) for level in LEVELS)


def test_p_values_from_the_training_scores_are_noticed():
    """Negative control: rows that a density was fitted to score higher than new ones. With rows
    that were held out the same density keeps the promise."""
    known, new = draw_rows(500, 0), draw_rows(NEW, 1)
    found = EnergyOutlierDetector(KernelDensity(bandwidth=0.1), random_state=0).fit(known)
    training = conformal_p_values(found.score_samples(found.usual_rows_), found.score_samples(new))
    assert not any(is_promised(training, len(found.usual_rows_), level) for level in LEVELS)
    assert all(is_promised(found.p_values(new), 100, level) for level in LEVELS)


def test_flags_are_small_p_values(detector):
    rows = np.concatenate([draw_rows(200, 2), 3 * draw_rows(50, 3)])
    scores = detector.score_samples(rows)
    assert np.array_equal(detector.predict(rows) < 0, detector.p_values(rows) <= 0.05)
    assert np.array_equal(detector.decision_function(rows), scores - detector.offset_)
    assert 0 < detector.reject(rows, 0.1).sum() <= np.sum(detector.p_values(rows) <= 0.1)


def test_a_contamination_is_the_share_of_flagged_training_rows():
    rows = draw_rows(200, 0)
    found = EnergyOutlierDetector(contamination=0.1, random_state=0).fit_predict(rows)
    assert np.sum(found == -1) == 20


def test_the_column_that_is_wrong_is_named(detector):
    """A row that is usual but for the second column, which does not follow from the first."""
    rows = np.array([[1.0, 6.0, 2.0], [1.0, 2.0, 0.0]])
    found = detector.explain(rows)
    assert found.excess.argmax(axis=1).tolist() == [1, 2]
    assert abs(found.usual[0, 1] - 2) < 0.5
    assert abs(abs(found.usual[1, 2]) - 2) < 0.7


def test_a_level_that_few_rows_cannot_reach_is_said():
    with pytest.warns(UserWarning, match="4 calibration rows give p-values of 0.2 at least"):
        found = EnergyOutlierDetector(random_state=0).fit(draw_rows(20, 0))
    assert found.offset_ == found.calibration_scores_[0]


def test_a_constant_column_is_taken():
    rows = np.c_[draw_rows(60, 0), np.full(60, 7.0)]
    found = EnergyOutlierDetector(random_state=0, level=0.1).fit(rows)
    odd = rows[:1] + np.array([[0, 0, 0, 5.0]])
    assert found.score_samples(odd) < found.calibration_scores_[0]


def test_another_estimator_scores(tmp_path):
    rows = draw_rows(200, 0)
    found = EnergyOutlierDetector(KernelDensity(bandwidth=0.3), random_state=0).fit(rows)
    assert np.array_equal(found.score_samples(rows), found.estimator_.score_samples(rows))
    with pytest.raises(InputError, match="a KernelDensity cannot be saved"):
        found.save(tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_and_a_clone_give_the_same():
    rows = draw_rows(200, 0)
    blank = EnergyOutlierDetector(EnergyEnsemble(members=1, random_state=0), random_state=0)
    chain = make_pipeline(StandardScaler(), clone(blank)).fit(rows)
    alone = blank.fit(StandardScaler().fit_transform(rows))
    assert np.array_equal(chain.predict(rows), alone.predict(chain[0].transform(rows)))


def test_a_saved_detector_is_the_same(detector, tmp_path):
    detector.save(tmp_path / "detector")
    found, rows = room.load(tmp_path / "detector"), draw_rows(50, 4)
    assert np.array_equal(found.p_values(rows), detector.p_values(rows))
    assert np.array_equal(found.predict(rows), detector.predict(rows))
    assert np.allclose(found.score_samples(rows), detector.score_samples(rows))
    with pytest.raises(InputError, match="exists already"):
        detector.save(tmp_path / "detector")


def test_a_damaged_folder_is_refused(detector, tmp_path):
    detector.save(tmp_path / "detector")
    file = tmp_path / "detector" / "estimator.json"
    file.write_text(file.read_text().replace('"offset": -', '"offset": -1'))
    with pytest.raises(InputError, match="has changed since it was written"):
        room.load(tmp_path / "detector")


REFUSED = {
    "contamination": (EnergyOutlierDetector(contamination=0.6), '"auto" or in'),
    "level": (EnergyOutlierDetector(level=0.0), "`level` must be between 0 and 1"),
    "calibration": (EnergyOutlierDetector(calibration=1.0), "`calibration` must be"),
    "members": (EnergyEnsemble(members=0), "`members` must be at least 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    estimator, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        estimator.fit(draw_rows(50, 0))
