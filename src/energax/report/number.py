"""Reading and formatting numbers: no digit beyond the error, no value improved by rounding."""

import dataclasses
import math
from typing import Any

from energax.errors import InputError

MINUS = "\N{MINUS SIGN}"


def format_number(value: float, error: float | None = None) -> str:
    """`value` to two digits of its `error`, or to four digits where no usable error is known."""
    if not math.isfinite(value):
        return str(value).replace("-", MINUS)
    usable = error is not None and math.isfinite(error) and error > 1e-8 * abs(value)
    if error is not None and usable:
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
        return format_number(self.value, self.error)

    @property
    def error_text(self) -> str:
        """The error with a plus-minus sign; empty where none is known."""
        if self.error is None:
            return ""
        return f"± {format_number(self.error, self.error or None)}"

    @property
    def size_text(self) -> str:
        """The count of draws behind the value; empty where none is known."""
        if self.size is None:
            return ""
        return format_number(float(round(self.size)) if math.isfinite(self.size) else self.size)

    @property
    def finite(self) -> bool:
        """Are the value, and the error where there is one, finite?"""
        return math.isfinite(self.value) and math.isfinite(self.error or 0.0)


def read_float(entry: Any, name: str) -> float:
    """`entry` as a float, NaN and infinity included. Raises InputError for anything else."""
    try:
        return float(entry)
    except (TypeError, ValueError) as problem:
        raise InputError(f"`{name}` must be a number; got {entry!r}.") from problem


def read_number(entry: Any, name: str) -> Number:
    """A number as `evaluation.json` holds it: bare, or {"value", "error", "size"}.

    A value of null was not finite when it was written, and is read as NaN.
    """
    match entry:
        case {"value": None}:
            return Number(math.nan)
        case {"value": value, **rest}:
            parts = {part: rest.get(part) for part in ("error", "size")}
            known = {
                part: None if given is None else read_float(given, f"{name}.{part}")
                for part, given in parts.items()
            }
            return Number(read_float(value, f"{name}.value"), known["error"], known["size"])
        case _:
            return Number(read_float(entry, name))


@dataclasses.dataclass(frozen=True)
class Interval:
    """The test log-likelihood per row, nats, between two ends.

    The ends hold the uncertainty of log Z at confidence `level`, for these test rows. `error` is
    something else: the standard error of the mean over `rows` test rows. `why`: what certifies the
    interval, or why it is not certified.
    """

    value: float
    lower: float
    upper: float
    certified: bool
    why: str
    level: float | None = None
    error: float | None = None
    rows: int | None = None

    @property
    def text(self) -> str:
        """The value, to two digits of the width of the interval."""
        return format_number(self.value, self._width)

    @property
    def span(self) -> str:
        """Both ends, to two digits of the width; a sentence where they agree to all digits."""
        lower, upper = (format_number(end, self._width) for end in (self.lower, self.upper))
        return "log Z exact to these digits" if self.narrow else f"{lower} to {upper}"

    @property
    def narrow(self) -> bool:
        """Do both ends agree to all digits that are shown?"""
        lower, upper = (format_number(end, self._width) for end in (self.lower, self.upper))
        return self.finite and lower == upper

    @property
    def level_text(self) -> str:
        """The confidence level in percent; empty where none is known."""
        return "" if self.level is None else f"{100 * self.level:.4g}% "

    @property
    def error_text(self) -> str:
        """The standard error over rows; empty where none is known."""
        return "" if self.error is None else format_number(self.error, self.error or None)

    @property
    def finite(self) -> bool:
        """Are value and both ends finite?"""
        return all(map(math.isfinite, (self.value, self.lower, self.upper)))

    @property
    def absent(self) -> bool:
        """True where no value was recorded; then `why` gives the reason."""
        return math.isnan(self.value) and not self.certified

    @property
    def _width(self) -> float:
        return abs(self.upper - self.lower)


def read_interval(entry: Any) -> Interval | None:
    """`test_log_likelihood` of `evaluation.json`; None where there is no such entry.

    A value or end that is null counts as NaN: the page shows it, with the reason given in `why`.
    """
    match entry:
        case None:
            return None
        case {"value": value, "lower": lower, "upper": upper, "certified": bool(seal), **rest}:
            given = [math.nan if x is None else x for x in (value, lower, upper)]
            middle, low, high = (read_float(x, "test_log_likelihood") for x in given)
            if low > high:
                raise InputError(f"`test_log_likelihood` has lower {low} above upper {high}.")
            level, error, rows = (
                None if rest.get(name) is None else read_float(rest[name], name)
                for name in ("level", "error_over_rows", "rows")
            )
            if level is not None and not 0 < level < 1:
                raise InputError(f"`level` must be between 0 and 1; got {level}.")
            count = None if rows is None else int(rows)
            return Interval(
                middle, low, high, seal, str(rest.get("why") or ""), level, error, count
            )
        case _:
            raise InputError(
                "`test_log_likelihood` must hold value, lower, upper, certified and why; "
                f"got {entry!r}."
            )
