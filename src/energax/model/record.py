"""Numbers as an evaluation record holds them: what JSON can say."""

import math
from typing import Any

import numpy as np

from energax.content import FLAG, TEXT, number, optional, whole
from energax.evaluate import Estimate, weigh_mean
from energax.options import Range, at_least

SAMPLES = "samples_sha256"
"""The entry of an evaluation that holds the digest of its samples."""

FIGURE = dict.fromkeys(("value", "error", "size"), optional(number()))
"""What a number of an evaluation holds."""

EVALUATION = {
    "test_log_likelihood": {
        **dict.fromkeys(("value", "lower", "upper"), optional(number())),
        "certified": FLAG,
        "why": TEXT,
        "level?": number(Range(0, 1, open_low=True, open_high=True)),
        "error_over_rows?": number(),
        "rows?": whole(at_least(1)),
        "effective_rows?": number(),
    },
    "baselines": {"*": FIGURE | {"setting?": TEXT, "difference?": FIGURE}},
    "columns?": {"*": {"*": {"*": FIGURE}}},
    "learning?": TEXT,
    "chain_verdict": TEXT,
    "chain_sampler": TEXT,
    SAMPLES: TEXT,
    "*": FIGURE,
}
"""What `evaluation.json` holds."""


def figure(
    value: float, error: float | None = None, size: int | float | None = None
) -> dict[str, Any]:
    """A number, its standard error and its count; one that is not finite is written as null."""
    parts = {"value": value, "error": error, "size": size}
    return {n: None if v is None or not math.isfinite(v) else float(v) for n, v in parts.items()}


def estimate(found: Estimate) -> dict[str, Any]:
    """An estimate with all its parts."""
    return figure(float(found.value), float(found.error), float(found.size))


def mean(each: np.ndarray, weights: np.ndarray | None = None) -> dict[str, Any]:
    """The mean of a figure over rows, by their weights where they have any; its standard error."""
    value, error = weigh_mean(
        each.astype(np.float64), np.ones(len(each)) if weights is None else weights
    )
    return figure(value, error, len(each))
