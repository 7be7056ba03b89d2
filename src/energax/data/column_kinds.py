"""What the columns of a table hold, as far as their cells say, and mixed tables as rows."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from energax.data.mixed import (
    KINDS,
    Column,
    ColumnKind,
    encode_cells,
    encode_frame,
    to_text,
)
from energax.data.rows import Table
from energax.data.tables import check_names, read_cells
from energax.errors import InputError, join_words
from energax.suggest import suggest

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "NaT")
"""Cells of text that mean "missing"; `none` and `na` may be categories."""

FEW, EACH = 10, 5
"""Whole numbers of at most `FEW` values, each of them in `EACH` rows on average, are categories."""

MOST = 200
"""Values that a category may have."""

DECIMALS, ROUNDING = 6, 1e-9
"""Decimals of a number at most, and what is no decimal."""

MIXED = 0.5
"""Share of cells that are numbers, from which on the others are taken for mistakes."""

GUARDED = r"^'([=+\-@\t\r])"
"""How a cell begins that was written with a quote, so that no spreadsheet runs it."""

ISO_DATE = r"^\d{4}-\d{2}-\d{2}"


FRAMES = (".csv", ".parquet")
"""Endings of files that hold mixed columns."""


def clean_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """The same without blanks around text, null in every cell that is missing."""
    text, real = pl.col(pl.String).str.strip_chars(), pl.col(pl.Float32, pl.Float64)
    return frame.with_columns(
        pl.when(text.is_in(MISSING)).then(None).otherwise(text).name.keep(),
        real.fill_nan(None).name.keep(),
    )


def find_columns(
    frame: pl.DataFrame, kinds: Mapping[str, str], drop: Sequence[str], source: str
) -> tuple[Column, ...]:
    """What each column of a frame with clean cells holds; `kinds` says it of some.

    Raises InputError for names that the frame lacks, and columns that are none of the kinds.
    """
    for name in (*kinds, *drop):
        if name not in frame.columns:
            hint = suggest(name, frame.columns)
            raise InputError(f"{source} has no column {name!r}{hint}")
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise InputError(
                f"Column {name!r} cannot be read as {kind!r}: known are {join_words(KINDS)}."
            )
    kept = [name for name in frame.columns if name not in drop]
    if not kept:
        raise InputError(f"No column of {source} is left: drop fewer.")
    return tuple(_find_column(frame[name], kinds.get(name), source) for name in kept)


def _find_column(cells: pl.Series, kind: str | None, source: str) -> Column:
    known = cells.drop_nulls()
    if not len(known):
        raise InputError(f"Column {cells.name!r} of {source} has missing cells only: drop it.")
    chosen: Any = kind or _guess_kind(cells, source)
    values: tuple[str, ...] = ()
    if chosen == "boolean":
        values = ("false", "true")
    if chosen == "category" or _is_constant(known, chosen):
        chosen, values = "category", _list_values(known)
        if kind is None and len(values) > max(2 * FEW, min(MOST, len(known) // 2)):
            raise InputError(
                f"Column {cells.name!r} of {source} holds {len(values)} different texts in "
                f"{len(known)} rows, such as {values[0][:40]!r}: drop it, or say that it is a "
                "category."
            )
    found = Column(cells.name, chosen, values, bool(cells.null_count()))
    numbers = encode_cells(cells, found, source)
    if chosen != "number":
        return found
    return dataclasses.replace(found, decimals=_count_decimals(numbers[~np.isnan(numbers)]))


def _count_decimals(numbers: np.ndarray) -> int:
    """The decimals of numbers, at most `DECIMALS`."""
    apart = (np.abs(np.round(numbers, d) - numbers).max() for d in range(DECIMALS))
    return next((d for d, gap in enumerate(apart) if gap < ROUNDING), DECIMALS)


def _is_constant(known: pl.Series, kind: str) -> bool:
    """A number without spread has no scale: it is a category of one value."""
    return kind in ("number", "integer", "date") and known.n_unique() == 1


def _guess_kind(cells: pl.Series, source: str) -> ColumnKind:
    known = cells.drop_nulls()
    if known.dtype == pl.Boolean:
        return "boolean"
    if known.dtype.is_temporal():
        return "date"
    if not known.dtype.is_numeric():
        text = known.cast(pl.String)
        if text.str.to_lowercase().is_in(["true", "false"]).all():
            return "boolean"
        if text.str.contains(ISO_DATE).all():
            return "date"
        numbers = text.cast(pl.Float64, strict=False)
        share = 1 - numbers.null_count() / len(numbers)
        if share < MIXED:
            return "category"
        if share < 1:
            _refuse_text(cells, source)
        known = numbers
    if not (known.cast(pl.Float64) % 1 == 0).all():
        return "number"
    values = known.n_unique()
    return "category" if values <= FEW and len(known) >= EACH * values else "integer"


def _refuse_text(cells: pl.Series, source: str) -> None:
    """Raise InputError for a column of numbers in which some cells are text: the first of them."""
    wrong = cells.is_not_null() & cells.cast(pl.Float64, strict=False).is_null()
    row = int(wrong.arg_max() or 0)
    text = str(cells[row])
    hint = " (write decimals with a point)" if re.fullmatch(r"[+-]?\d*,\d+", text) else ""
    more = f" and {int(wrong.sum()) - 1} more" if wrong.sum() > 1 else ""
    raise InputError(
        f"{source}: column {cells.name!r} holds text, {text[:40]!r} in data row {row + 1}{more}"
        f"{hint}, among numbers: write a number, leave the cell empty, or say that the column is a "
        "category."
    )


def _list_values(known: pl.Series) -> tuple[str, ...]:
    values = to_text(known).unique().to_list()
    try:
        return tuple(sorted(values, key=float))
    except ValueError:
        return tuple(sorted(values))


def is_mixed(table: Table) -> bool:
    """Do cells of a table miss, or hold other things than numbers?"""
    return table.rows.ndim == 2 and (bool(table.unreadable) or bool(np.isnan(table.rows).any()))


def read_frame(path: Path, ending: str) -> pl.DataFrame:
    """The cells of a .csv as text, or of a .parquet as they are; missing ones null.

    Raises InputError for a file of another ending.
    """
    if ending not in FRAMES:
        raise InputError(f"{path.name} is no .csv or .parquet, so that its columns have no kinds.")
    if ending == ".parquet":
        return clean_cells(pl.read_parquet(path.read_bytes()))
    cells, names = read_cells(path)
    if names is None:
        names = tuple(f"x{place}" for place in range(cells.width))
    named = cells.rename(dict(zip(cells.columns, names, strict=True)))
    return clean_cells(named.with_columns(pl.all().str.replace(GUARDED, "$1")))


def convert_frame(frame: Any, source: str) -> pl.DataFrame:
    """A pandas or polars frame as a polars frame with null in missing cells.

    Example:
        >>> import polars as pl
        >>> ex.data.convert_frame(pl.DataFrame({"a": ["x ", "NA"]}), "rows")["a"].to_list()
        ['x', None]
    """
    names = [str(name) for name in frame.columns]
    check_names(names, source)
    series = [_convert_cells(frame[name].to_list(), str(name)) for name in frame.columns]
    return clean_cells(pl.DataFrame(series))


def _convert_cells(cells: list[Any], name: str) -> pl.Series:
    known = [None if str(cell) in MISSING else cell for cell in cells]
    if any(isinstance(cell, str) for cell in known):
        known = [None if cell is None else str(cell) for cell in known]
    return pl.Series(name, known, strict=False)


def make_mixed(
    frame: pl.DataFrame,
    source: str,
    *,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    known: tuple[Column, ...] | None = None,
) -> Table:
    """The rows of a frame with clean cells.

    Args:
        kinds: what some columns are, by name.
        drop: columns that are left out.
        known: what all columns are, where it is known.

    Raises:
        InputError: for a column that is none of the kinds, or a cell that its column cannot hold.

    Example:
        >>> import polars as pl
        >>> ex.data.make_mixed(pl.DataFrame({"a": ["x", "y", None]}), "rows").rows.tolist()
        [[0.0], [1.0], [nan]]
    """
    columns = find_columns(frame, kinds or {}, drop, source) if known is None else known
    rows = encode_frame(frame, columns, source)
    names = tuple(column.name for column in columns)
    return dataclasses.replace(Table(rows, names, None, source), kinds=columns)
