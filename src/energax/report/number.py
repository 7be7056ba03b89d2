"""How a number is written: no digit beyond its error, no value made nicer than it is."""

import dataclasses
import math
from typing import Any

from energax.errors import InputError

MINUS = "\N{MINUS SIGN}"


def shown(value: float, error: float | None = None) -> str:
    """`value` to two digits of its `error`, or to four digits where no usable error is known."""
    if not math.isfinite(value):
        return str(value).replace("-", MINUS)
    if error is not None and math.isfinite(error) and error > 0:
        digits = 1 - math.floor(math.log10(error))
    elif value == round(value):
        digits = 0
    else:
        digits = 3 - math.floor(math.log10(abs(value)))
    plain = -4 <= digits <= 8 and abs(value) < 1e9
    text = f"{value:,.{max(digits, 0)}f}" if plain else f"{value:.3e}"
    return text.replace("-", MINUS)


@dataclasses.dataclass(frozen=True)
class Number:
    """A value, its standard error and the count of independent draws behind it, if known."""

    value: float
    error: float | None = None
    size: float | None = None

    @property
    def text(self) -> str:
        """The value without its error."""
        return shown(self.value, self.error)

    @property
    def error_text(self) -> str:
        """The error with a plus-minus sign; empty where none is known."""
        if self.error is None:
            return ""
        return f"± {shown(self.error, self.error or None)}"

    @property
    def size_text(self) -> str:
        """The count of draws behind the value; empty where none is known."""
        if self.size is None:
            return ""
        return shown(float(round(self.size)) if math.isfinite(self.size) else self.size)

    @property
    def finite(self) -> bool:
        """Are the value, and the error where there is one, finite?"""
        return math.isfinite(self.value) and math.isfinite(self.error or 0.0)


def real(entry: Any, name: str) -> float:
    """`entry` as a float, NaN and infinity included. Raises InputError for anything else."""
    try:
        return float(entry)
    except (TypeError, ValueError) as problem:
        raise InputError(f"`{name}` must be a number; got {entry!r}.") from problem


def number(entry: Any, name: str) -> Number:
    """A number as `evaluation.json` holds it: bare, or {"value", "error", "size"}."""
    match entry:
        case {"value": value, **rest}:
            parts = {part: rest.get(part) for part in ("error", "size")}
            known = {
                part: None if given is None else real(given, f"{name}.{part}")
                for part, given in parts.items()
            }
            return Number(real(value, f"{name}.value"), known["error"], known["size"])
        case _:
            return Number(real(entry, name))


@dataclasses.dataclass(frozen=True)
class Interval:
    """The test log-likelihood per row, nats, between two ends; `why` if it is not certified."""

    value: float
    lower: float
    upper: float
    certified: bool
    why: str

    @property
    def text(self) -> str:
        """The value, to two digits of the width of the interval."""
        return shown(self.value, self._width)

    @property
    def span(self) -> str:
        """Both ends, to two digits of the width."""
        ends = (shown(end, self._width) for end in (self.lower, self.upper))
        return " to ".join(ends)

    @property
    def finite(self) -> bool:
        """Are value and both ends finite?"""
        return all(map(math.isfinite, (self.value, self.lower, self.upper)))

    @property
    def absent(self) -> bool:
        """Was there nothing to record? Then `why` says all."""
        return math.isnan(self.value) and not self.certified

    @property
    def _width(self) -> float:
        return abs(self.upper - self.lower)


def interval(entry: Any) -> Interval | None:
    """`test_log_likelihood` of `evaluation.json`; None where there is no such entry.

    A value or end that is null counts as NaN: the page shows it, with the reason given in `why`.
    """
    match entry:
        case None:
            return None
        case {"value": value, "lower": lower, "upper": upper, "certified": bool(seal), **rest}:
            given = [math.nan if x is None else x for x in (value, lower, upper)]
            middle, low, high = (real(x, "test_log_likelihood") for x in given)
            if low > high:
                raise InputError(f"`test_log_likelihood` has lower {low} above upper {high}.")
            return Interval(middle, low, high, seal, str(rest.get("why") or ""))
        case _:
            raise InputError(
                "`test_log_likelihood` must hold value, lower, upper, certified and why; "
                f"got {entry!r}."
            )
