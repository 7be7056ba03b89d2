"""Conformal p-values have the rates that they promise, and a false promise is noticed."""

import numpy as np
import pytest
from agreement import FALSE_ALARM
from scipy.stats import binomtest

from energax.evaluate import conformal_p_values, reject

LEVELS = (0.01, 0.05, 0.1)
TRIALS, HELD = 20_000, 199


def has_rate(alarms, rate):
    """Do independent alarms come at this rate? FALSE_ALARM for each rate."""
    return binomtest(int(alarms.sum()), len(alarms), rate).pvalue > FALSE_ALARM


def test_p_values_are_the_share_of_scores_as_low():
    rng = np.random.default_rng(0)
    known, new = rng.integers(0, 9, 50) / 2, rng.integers(-1, 10, 30) / 2
    by_hand = [(1 + np.sum(known <= score)) / 51 for score in new]
    assert conformal_p_values(known, new).tolist() == by_hand


def draw_scores():
    """Trials of calibration scores and one new score each, from a skewed distribution."""
    return np.random.default_rng(1).exponential(size=(TRIALS, HELD + 1))


def test_false_alarms_come_at_every_level():
    """With 199 calibration rows, p <= a has chance a exactly at these levels."""
    p = np.array([conformal_p_values(row[1:], row[:1])[0] for row in draw_scores()])
    assert all(has_rate(p <= level, level) for level in LEVELS)


def test_p_values_of_rows_that_were_trained_on_are_noticed():
    """Negative control: the calibration rows score 30% too high, as those fitted to do."""
    p = np.array([conformal_p_values(1.3 * row[1:], row[:1])[0] for row in draw_scores()])
    assert not any(has_rate(p <= level, level) for level in LEVELS[1:])


def find_false_share(rule, level, trials=3000):
    """Shares of the rejected that are usual rows, of 10 unusual ones among 50, over trials."""
    rng = np.random.default_rng(2)
    usual = np.arange(50) >= 10
    shares = []
    for _ in range(trials):
        known = rng.normal(size=400)
        new = rng.normal(size=50) - 3.0 * ~usual
        found = rule(conformal_p_values(known, new), level)
        shares.append((found & usual).sum() / max(1, found.sum()))
    return np.array(shares)


def exceeds(shares, most):
    """Is the mean above `most` by more than chance? 4.9 standard errors: FALSE_ALARM."""
    return shares.mean() - most > 4.9 * shares.std(ddof=1) / np.sqrt(len(shares))


def test_false_discoveries_are_controlled():
    """At most level times the share of usual rows, 0.8."""
    assert not exceeds(find_false_share(reject, 0.1), 0.08)


def test_rejecting_every_small_p_value_is_noticed():
    """Negative control: without the correction of Benjamini and Hochberg."""
    assert exceeds(find_false_share(lambda p, level: p <= level, 0.1), 0.08)


REFUSED = {
    "no calibration": (lambda: conformal_p_values(np.zeros(0), np.zeros(1)), "at least 1 score"),
    "a NaN": (lambda: conformal_p_values(np.zeros(2), np.array([np.nan])), "row 0 is NaN"),
    "a level": (lambda: reject(np.array([0.5]), 1.0), "between 0 and 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused(name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        make()
