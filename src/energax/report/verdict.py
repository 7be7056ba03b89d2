"""The headline of a page: what the likelihood, the baselines and the chains together support."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Any

from energax.report.labels import grade
from energax.report.number import Interval, Number, format_number, read_interval, read_number

BASE = "base distribution, before training"
"""Name of the baseline that is the model's own base distribution."""

LOWERED = {"good": "fair", "unknown": "poor"}
"""The mood of a headline whose chains have not mixed."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Model less baseline, in mean log-density of a test row, nats, with an interval."""

    name: str
    value: float
    lower: float
    upper: float
    level: float

    @property
    def text(self) -> str:
        """The value alone."""
        return format_number(self.value, self.upper - self.lower)

    @property
    def span(self) -> str:
        """Both ends, to two digits of the width."""
        ends = (format_number(end, self.upper - self.lower) for end in (self.lower, self.upper))
        return " to ".join(ends)

    @property
    def words(self) -> str:
        """The difference with its unit and interval."""
        return f"{self.text} nats per row ({100 * self.level:.4g}% interval {self.span})"


def read_difference(model: Interval | None, name: str, entry: Any) -> Difference | None:
    """The paired difference of one baseline, where the record holds one and log Z is certified.

    With z the normal quantile of the interval's level and e the paired standard error over rows,
    the ends are value - sqrt((z e)^2 + below^2) and value + sqrt((z e)^2 + above^2): `below` and
    `above` are the distances of the model's log-likelihood from the ends of its log Z interval.
    """
    if model is None or not model.certified or not model.finite or model.level is None:
        return None
    match entry:
        case {"difference": {"value": _, "error": _} as found}:
            figure = read_number(found, f"baselines.{name}.difference")
        case _:
            return None
    if figure.error is None or not figure.finite:
        return None
    noise = NormalDist().inv_cdf((1 + model.level) / 2) * figure.error
    below = math.hypot(noise, model.value - model.lower)
    above = math.hypot(noise, model.upper - model.value)
    ends = figure.value - below, figure.value + above
    return Difference(_quote(name, entry), figure.value, *ends, model.level)


def _quote(name: str, entry: Any) -> str:
    match entry:
        case {"setting": setting} if setting:
            return (
                f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK} ({setting})"
            )
        case _:
            return f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}"


def find_rhats(evaluation: Mapping[str, Any]) -> Iterator[Number]:
    """Every R-hat of an evaluation; NaN where it was recorded as null, that is, not finite."""
    for name, entry in evaluation.items():
        match entry:
            case {"value": _} | int() | float() if name == "rhat":
                yield read_number(entry, name)
            case {"value": _}:
                pass
            case dict():
                yield from find_rhats(entry)
            case _:
                pass


def judge(evaluation: Mapping[str, Any]) -> tuple[str, str]:
    """("good", "fair", "poor" or "unknown") and the headline of the page.

    "Better than every baseline" needs a certified log Z and, for each baseline, a paired difference
    whose interval lies above 0. A record without paired differences gets no comparison. An
    R-hat graded "poor" is named in the first sentence. Where training changed nothing, that comes
    first of all.
    """
    model = read_interval(evaluation.get("test_log_likelihood"))
    mood, claim, detail = _judge_likelihood(model, evaluation.get("baselines") or {})
    if learning := evaluation.get("learning"):
        mood, claim, detail = "poor", str(learning).rstrip("."), f"{claim}. {detail}"
    poor = [one for one in find_rhats(evaluation) if grade("rhat", one.value) == "poor"]
    if not poor:
        return mood, f"{claim}. {detail}".strip()
    worst = max(poor, key=lambda one: math.inf if math.isnan(one.value) else one.value)
    value = worst.text if worst.finite else "not finite"
    link = "but" if mood == "good" else "and"
    chains = (
        f"{link} the chains that made the draws have not mixed (R-hat {value}), so the draws may "
        "not represent the model"
    )
    detail = "" if model is None else detail
    return LOWERED.get(mood, mood), f"{claim}, {chains}. {detail}".strip()


def _judge_likelihood(model: Interval | None, entries: Mapping[str, Any]) -> tuple[str, str, str]:
    """Mood, a first sentence without its full stop, and a second one or nothing."""
    if model is None:
        return (
            "unknown",
            "No test log-likelihood, because log Z is not known for this run",
            "Judge the model by its draws, energies and distances below.",
        )
    why = f"{model.why.rstrip('.') or 'No reason was recorded'}."
    if model.absent:
        return "unknown", "No test log-likelihood", why
    if not model.certified:
        return "poor", "The test log-likelihood is not certified", f"Reason: {why}"
    if not model.finite:
        ends = f"{model.text}, interval {model.span}"
        return "poor", f"The test log-likelihood is not finite: {ends}", ""
    certified = f"The test log-likelihood is certified: {model.text} nats per row"
    finite = {
        name: entry
        for name, entry in entries.items()
        if not math.isnan(read_number(entry, f"baselines.{name}").value)
    }
    if not finite:
        return "unknown", certified, "No baseline was fitted to compare it with."
    found = {name: read_difference(model, name, entry) for name, entry in finite.items()}
    paired = {name: one for name, one in found.items() if one is not None}
    if len(paired) < len(found):
        return (
            "unknown",
            certified,
            (
                "The evaluation lacks the paired difference from a baseline, so no comparison is "
                "made: evaluate the run again."
            ),
        )
    return _compare(paired)


def _compare(paired: Mapping[str, Difference]) -> tuple[str, str, str]:
    """Mood and sentences of a certified model with a paired difference from every baseline."""
    others = [one for name, one in paired.items() if name != BASE]
    base = paired.get(BASE)
    gain = "" if base is None else f"Training added {base.words} to its base distribution"
    learned = base is None or base.lower > 0
    worst = min(others, key=lambda one: one.upper, default=None)
    if worst is not None and worst.upper < 0:
        claim = f"No better than the baseline {worst.name}: model minus baseline is {worst.words}"
        return "poor", claim, "" if learned else f"{gain}."
    if base is not None and not learned:
        mood = "poor" if base.upper < 0 else "fair"
        claim = "Worse than" if base.upper < 0 else "Not distinguishable from"
        return mood, f"{claim} its base distribution before training", f"{gain}."
    if not others:
        return "good", "Better than its base distribution, the only baseline", f"{gain}."
    nearest = min(paired.values(), key=lambda one: one.lower)
    if nearest.lower <= 0:
        claim = f"Not distinguishable from the baseline {nearest.name}: model minus baseline is "
        return "fair", claim + nearest.words, ""
    detail = f"The smallest margin is over {nearest.name}: {nearest.words}."
    return "good", "Better than every baseline", detail
