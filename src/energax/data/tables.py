"""CSV and parquet files as a matrix and the names of its columns."""

import csv
import io
from pathlib import Path

import numpy as np
import polars as pl

from energax.errors import InputError

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""Cells that mean "no number", in lower case."""


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in MISSING[1:]
    return True


def _refuse_ragged(text: str, width: int, source: str) -> None:
    reader = csv.reader(io.StringIO(text))
    for row in reader:
        if len(row) != width and not (width == 1 and not row):
            raise InputError(
                f"Line {reader.line_num} of {source} does not match the first: number of cells "
                f"{len(row)}, expected {width}."
            )


def _column_names(text: str, source: str) -> tuple[str, ...] | None:
    """The cells of the first line; None where all of them are numbers."""
    first = [cell.strip() for cell in next(csv.reader(io.StringIO(text)), [])]
    if all(_is_number(cell) for cell in first):
        return None
    twice = [name for name in first if first.count(name) > 1]
    if twice:
        raise InputError(f"{source} has two columns called {twice[0]!r}: rename one of them.")
    return tuple(first)


def _cells(text: str, has_header: bool, source: str) -> pl.DataFrame:
    """Every cell as a string without blanks around it; null where there is none."""
    width = len(next(csv.reader(io.StringIO(text))))
    try:
        frame = pl.read_csv(text.encode(), has_header=has_header, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        _refuse_ragged(text, width, source)
        reason = str(error).partition("\n")[0]
        raise InputError(f"{source} cannot be read as comma-separated rows: {reason}") from error
    if any(frame.null_count().row(0)):
        _refuse_ragged(text, width, source)
    return frame.select(pl.all().str.strip_chars())


def read_csv(path: Path) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """A comma-separated table in float64, NaN where a cell is missing, and its column names.

    The first line names the columns, unless all its cells are numbers: then there are no names.
    Raises InputError for text, ragged lines, two columns of one name, or no rows.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig").rstrip("\r\n")
        if not text.partition("\n")[0].strip():
            raise InputError(f"{path.name} begins with a blank line: remove it.")
        names = _column_names(text, path.name)
        cells = _cells(text, names is not None, path.name)
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8 text: save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{path.name} cannot be read as CSV: {error}.") from error
    if not len(cells):
        raise InputError(f"{path.name} has no rows: it needs at least one below its header.")
    numbers = cells.select(pl.all().cast(pl.Float64, strict=False))
    for index, (column, number) in enumerate(zip(cells, numbers, strict=True)):
        if not number.null_count():
            continue
        text_cells = number.is_null() & ~column.fill_null("").str.to_lowercase().is_in(MISSING)
        if text_cells.any():
            row = int(text_cells.arg_max() or 0)
            name = repr(names[index]) if names else str(index + 1)
            raise InputError(
                f"Column {name} of {path.name} holds text, {column[row]!r} in data row {row + 1}: "
                "drop the column or write it as numbers."
            )
    return numbers.fill_null(np.nan).to_numpy(), names


def read_parquet(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """A parquet table in float64, NaN where a cell is missing, and its column names.

    Raises InputError for a column that does not hold numbers, no rows, or a damaged file.
    """
    try:
        frame = pl.read_parquet(path.read_bytes())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path.name} is damaged or no parquet file: save it again.") from error
    for column in frame:
        if not column.dtype.is_numeric():
            raise InputError(
                f"Column {column.name!r} of {path.name} holds {column.dtype}, not numbers: "
                "drop the column or write it as numbers."
            )
    if not len(frame):
        raise InputError(f"{path.name} has no rows: it needs at least one.")
    numbers = frame.select(pl.all().cast(pl.Float64))
    return numbers.fill_null(np.nan).to_numpy(), tuple(frame.columns)
