"""The one place that decides "near enough"."""

import numpy as np
from scipy.stats import t

FALSE_ALARM = 1e-6
"""Chance that a check raises an alarm over nothing, for each number it compares."""


def z_score(values, expected):
    """(mean - expected) / standard error over independent `values`, elementwise on the rest."""
    values = np.asarray(values, np.float64)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return (values.mean(axis=0) - np.asarray(expected, np.float64)) / error


def bound(count):
    """|z_score| of `count` independent normal values exceeds this with chance FALSE_ALARM.

    4.9 for many values; far more for a handful, whose own spread is uncertain.
    """
    return float(t.isf(FALSE_ALARM / 2, count - 1))


def agrees(values, expected, margin=0.0):
    """Does the mean of independent `values` equal `expected`, up to FALSE_ALARM?

    `margin`: a known bias that is forgiven on top, in the units of `expected`. NaN never agrees.
    """
    values, expected = np.asarray(values, np.float64), np.asarray(expected, np.float64)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    gap = np.abs(values.mean(axis=0) - expected)
    return bool(np.all(gap <= margin + bound(len(values)) * error))


def have(values, mean, covariance):
    """Have independent rows of numbers this mean and this covariance, as `agrees` says it?"""
    off = np.asarray(values, np.float64) - mean
    return agrees(values, mean) and agrees(off[:, :, None] * off[:, None], covariance)


def conditional(mean, covariance, hidden, known):
    """Of a Gaussian: mean and precision of the `hidden` numbers, given the others of `known`."""
    precision = np.linalg.inv(covariance)
    inner = precision[np.ix_(hidden, hidden)]
    pull = precision[np.ix_(hidden, ~hidden)] @ (known - mean)[~hidden]
    return mean[hidden] - np.linalg.solve(inner, pull), inner
