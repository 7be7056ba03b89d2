"""Did training change anything? What its log and the likelihood say together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from energax.model import baselines
from energax.model.record import figure

CERTAIN = 0.999
"""Accuracy of a classifier from which on it has nothing left to learn from."""

STILL = 0.005
"""Change of the accuracy below which it stayed as it was."""

FROZEN = 1e-6
"""Move of a chain in one update, in model units, below which it is rounding alone."""

SURE = 2.0
"""Standard errors by which a gain over the base must differ from 0."""

LAST = ("validation", "kept")
"""Metrics that stay as they are between two looks at validation rows."""

Lines = Sequence[Mapping[str, Any]]


def average_metrics(metrics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The metrics of a chunk of updates, as a line of the log holds them: means.

    The last value of what changes only at a look at validation rows.
    """
    return {
        name: float(values[-1] if name in LAST else np.mean(values))
        for name, values in metrics.items()
    }


def find_standstill(lines: Lines) -> str | None:
    """A sentence where the log of training shows that nothing could be learned; else None.

    Args:
        lines: Metrics by name, a mapping for each chunk of updates, oldest first.
    """
    if not lines:
        return None
    last = lines[-1]
    if all(line.get("accuracy", 0) >= CERTAIN for line in lines):
        return _say(
            "the classifier was right on every row from the start, for the noise is too easy",
            "choose a --base that is nearer to the data (mixture or flow), or less --noise",
        )
    if last.get("displacement", 1) < FROZEN or last.get("acceptance") == 0:
        return _say("the chains never move", "choose another --step-size")
    if last.get("kept") == 0:
        return _say(
            "no weights did better on the validation rows than those of the start, by two standard "
            "errors, so these are kept: of a network that tilts a base, the base itself",
            "choose another --base, give more rows, or --no-validation",
        )
    if last.get("grad_norm") == 0:
        return _say(
            "the gradient of the weights ends at 0",
            "choose a smaller --learning-rate, another --seed or another --network",
        )
    return None


def record_end(lines: Lines) -> dict[str, Any]:
    """The entries of an evaluation that say how long training went on, and which weights are kept.

    Nothing where there were no validation rows.
    """
    if not lines or "kept" not in lines[-1]:
        return {}
    last = lines[-1]
    return {"updates": figure(float(last["step"])), "updates_kept": figure(float(last["kept"]))}


def judge_learning(record: Mapping[str, Any], lines: Lines = ()) -> dict[str, str]:
    """The entry `learning` of an evaluation, where training changed nothing; else no entry.

    A likelihood that is certified and above that of the base says that something was learned,
    whatever the log says.
    """
    gain = _find_gain(record)
    if gain is not None and gain[0] > SURE * gain[1]:
        return {}
    found = find_standstill(lines)
    if found is None and gain is not None and abs(gain[0]) <= SURE * gain[1]:
        found = _say(
            f"the test log-likelihood is that of the base within its error ({gain[0]:.3f} +- "
            f"{gain[1]:.3f} nats a row){_describe_accuracy(lines)}",
            "train longer (--steps), a wider network (--width) or by another --method, unless the "
            "base already fits",
        )
    return {} if found is None else {"learning": found}


def _say(what: str, instead: str) -> str:
    return f"Nothing was learned: {what}; {instead}."


def _describe_accuracy(lines: Lines) -> str:
    """That the accuracy never changed, where it did not."""
    seen = [line["accuracy"] for line in lines if "accuracy" in line]
    if len(seen) < 2 or max(seen) - min(seen) > STILL:
        return ""
    return f", and the accuracy of the classifier stayed at {seen[-1]:.2f}"


def _find_gain(record: Mapping[str, Any]) -> tuple[float, float] | None:
    """The certified likelihood less that of the base, nats a row, and its error."""
    match record:
        case {
            "test_log_likelihood": {"certified": True},
            "baselines": {
                baselines.BEFORE: {"difference": {"value": float(value), "error": float(error)}}
            },
        }:
            return value, error
    return None
