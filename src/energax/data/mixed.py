"""Mixed columns: what each of them is, and its cells as numbers and back."""

import dataclasses
import datetime
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import Float

from energax.errors import InputError, join_words
from energax.space import Columns

ColumnKind = Literal["number", "integer", "category", "boolean", "date"]
KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)

DAY_0 = datetime.date(1970, 1, 1)

Rows = Float[np.ndarray, "_ columns"]


@dataclasses.dataclass(frozen=True)
class Column:
    """What a column of a mixed table holds.

    Args:
        name: of the column.
        kind: `number`, `integer` (a number that is rounded when it is drawn), `date` (days since
            1970), `category` or `boolean`.
        values: of a category or boolean, its values as text; a cell is the place of its value.
        holes: do cells of it miss in the table?
        decimals: of numbers, to how many they are rounded when drawn.

    Example:
        >>> ex.data.Column("sex", "category", ("female", "male")).values
        ('female', 'male')
    """

    name: str
    kind: ColumnKind
    values: tuple[str, ...] = ()
    holes: bool = False
    decimals: int = 0

    @property
    def is_number(self) -> bool:
        """Does it hold numbers, dates among them?"""
        return self.kind not in ("category", "boolean")

    def to_dict(self) -> dict[str, Any]:
        """A record that `json.dumps` takes."""
        return dataclasses.asdict(self) | {"values": list(self.values)}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Column":
        """The column that `to_dict` recorded. Raises InputError for a record that is not one."""
        try:
            known: dict[str, Any] = record | {"values": tuple(record["values"])}
            found = cls(**known)
        except (KeyError, TypeError) as error:
            raise InputError(f"The record of a column is damaged: {error}.") from error
        if found.kind not in KINDS:
            raise InputError(f"The record of a column is damaged: its kind is {found.kind!r}.")
        return found


def columns_space(columns: Sequence[Column]) -> Columns:
    """Where the rows of a table of such columns live.

    Example:
        >>> ex.data.columns_space([ex.data.Column("age", "number", holes=True)])
        Columns(values=(0,), holes=(True,), shape=(1,))
    """
    return Columns(tuple(len(c.values) for c in columns), tuple(c.holes for c in columns))


def to_text(cells: pl.Series) -> pl.Series:
    """The values of categories as text: whole numbers without a point."""
    if not cells.dtype.is_numeric():
        numbers = cells.cast(pl.String).cast(pl.Float64, strict=False)
        if numbers.null_count() > cells.null_count():
            return cells.cast(pl.String)
        cells = numbers
    cells = cells.cast(pl.Float64)
    whole = (cells.drop_nulls() % 1 == 0).all()
    return (cells.cast(pl.Int64) if whole else cells).cast(pl.String)


def encode_frame(frame: pl.DataFrame, columns: Sequence[Column], source: str) -> Rows:
    """Cells as numbers: categories by place, dates in days, NaN where a cell is missing.

    Columns that are not named are not read. Raises InputError for a column that is absent, or a
    cell that its column cannot hold.
    """
    absent = [repr(column.name) for column in columns if column.name not in frame.columns]
    if absent:
        raise InputError(f"{source} lacks the column {join_words(absent)}: add it, empty at worst.")
    parts = [encode_cells(frame[column.name], column, source) for column in columns]
    return np.stack(parts, axis=1).astype(np.float32)


def encode_cells(cells: pl.Series, column: Column, source: str) -> Float[np.ndarray, " size"]:
    """The cells of one column as `encode_frame` has them."""
    match column.kind:
        case "category":
            places = {value: float(place) for place, value in enumerate(column.values)}
            found = to_text(cells).replace_strict(places, default=None, return_dtype=pl.Float64)
        case "boolean":
            text = cells.cast(pl.String).str.to_lowercase()
            truth = {"false": 0.0, "true": 1.0, "0": 0.0, "1": 1.0}
            found = text.replace_strict(truth, default=None, return_dtype=pl.Float64)
        case "date":
            found = _count_days(cells)
        case _:
            found = cells.cast(pl.Float64, strict=False)
    wrong = cells.is_not_null() & (found.is_null() | found.is_infinite())
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise InputError(
            f"{source}: column {column.name!r} holds {cells[row]!r} in data row {row + 1}; "
            f"expected {_describe_kind(column)}."
        )
    return found.fill_null(np.nan).to_numpy()


def _count_days(cells: pl.Series) -> pl.Series:
    if cells.dtype == pl.String:
        cells = cells.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if not cells.dtype.is_temporal():
        return pl.Series(cells.name, [None] * len(cells), pl.Float64)
    return cells.cast(pl.Date).cast(pl.Int32).cast(pl.Float64)


def _describe_kind(column: Column) -> str:
    match column.kind:
        case "category":
            return f"one of {join_words(column.values)}"
        case "boolean":
            return "true or false"
        case "date":
            return "a date such as 2024-05-31"
    return "a number"


def decode_rows(rows: Rows, columns: Sequence[Column]) -> pl.DataFrame:
    """Rows as a frame of the types that their columns had; null where a cell is missing.

    Example:
        >>> column = ex.data.Column("sex", "category", ("female", "male"))
        >>> ex.data.decode_rows(np.array([[1.0], [np.nan]]), [column])["sex"].to_list()
        ['male', None]
    """
    found = {c.name: _decode_cells(rows[:, j], c) for j, c in enumerate(columns)}
    return pl.DataFrame(found)


def _decode_cells(cells: Float[np.ndarray, " size"], column: Column) -> pl.Series:
    # The shortest decimals that float32 stands for: 46.2, not 46.200001.
    exact = cells.astype(np.float32).astype("U16").astype(np.float64)
    numbers = pl.Series(column.name, exact).fill_nan(None)
    if column.kind == "number":
        return numbers
    whole = numbers.round().cast(pl.Int64)
    match column.kind:
        case "integer":
            return whole
        case "date":
            return whole.cast(pl.Int32).cast(pl.Date)
        case "boolean":
            return whole == 1
    labels = dict(enumerate(column.values))
    text = whole.replace_strict(labels, default=None, return_dtype=pl.String)
    plain = all(re.fullmatch(r"-?\d{1,18}", value) for value in column.values)
    return text.cast(pl.Int64) if plain else text


def describe_columns(columns: Sequence[Column], *parts: Rows) -> str:
    """A table, in plain text, of how each column was read, of the rows of all parts.

    Example:
        >>> column = ex.data.Column("sex", "category", ("female", "male"))
        >>> print(ex.data.describe_columns([column], np.array([[1.0]])).splitlines()[0])
        column  read as   values  missing  range
    """
    rows = np.concatenate(parts)
    lines = [("column", "read as", "values", "missing", "range")]
    for column, cells in zip(columns, rows.T, strict=True):
        known = cells[~np.isnan(cells)]
        values = str(len(column.values) or len(np.unique(known)))
        lines.append(
            (column.name, column.kind, values, str(len(cells) - len(known)), _span(column, known))
        )
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, [*widths, 0], strict=True)]
        for line in lines
    ]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _span(column: Column, known: Float[np.ndarray, " some"]) -> str:
    if not column.is_number:
        shown = ", ".join(column.values[:4])
        return f"{shown}, ..." if len(column.values) > 4 else shown
    low, high = known.min(initial=np.inf), known.max(initial=-np.inf)
    if column.kind == "date":
        low, high = (DAY_0 + datetime.timedelta(days=int(day)) for day in (low, high))
        return f"{low} to {high}"
    return f"{low:g} to {high:g}"
