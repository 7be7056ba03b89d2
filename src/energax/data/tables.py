"""CSV and parquet files as a matrix, the names of its columns, and what in them is no number."""

import csv
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from energax.data.limit import check_size, unpack
from energax.errors import InputError, join_words
from energax.files import unguard

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""Cells that mean "no number", in lower case."""

TRUTH = {"true": 1.0, "false": 0.0}
"""What a cell that is true or false counts as, in lower case."""

SEPARATORS = "\t;,"
"""Between cells; the first that cuts the lines at the top into as many cells each, is taken."""

TOP = 20
"""Lines that show the separator."""


class Read(NamedTuple):
    """A table in float64, NaN where a cell holds no number.

    `unreadable`: by the number of a column, what is wrong with cells that are not missing.
    """

    numbers: Float[np.ndarray, " size columns"]
    columns: tuple[str, ...] | None
    unreadable: dict[int, str]


def check_names(names: list[str], source: str) -> None:
    """Raise InputError for columns of one name."""
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        words = join_words(map(repr, twice))
        raise InputError(f"{source} has two columns called {words}: rename one of them.")


def describe_text(cell: Any, row: int, count: int) -> str:
    """What is wrong with a column that holds text: its first such cell, in `row` from 1."""
    kind = "text" if isinstance(cell, str) else f"{type(cell).__name__}, not numbers"
    hint = " (write decimals with a point)" if re.fullmatch(r"[+-]?\d*,\d+", str(cell)) else ""
    more = f" and {count - 1} more" if count > 1 else ""
    return f"holds {kind}, {repr(cell)[:40]} in data row {row}{more}{hint}"


def _find_separator(text: str) -> str:
    top = "\n".join(text.split("\n", TOP)[:TOP])
    for separator in SEPARATORS:
        lines = csv.reader(io.StringIO(top), delimiter=separator)
        widths = {len(row) for row in lines if row}
        if len(widths) == 1 and widths != {1}:
            return separator
    return ","


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in (*MISSING[1:], *TRUTH)
    return True


def _refuse_ragged(text: str, separator: str, width: int, source: str) -> None:
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    for row in reader:
        if len(row) != width and not (width == 1 and not row):
            raise InputError(
                f"Line {reader.line_num} of {source} does not match the first: number of cells "
                f"{len(row)}, expected {width}."
            )


def _cells(text: str, separator: str, width: int, has_header: bool, source: str) -> pl.DataFrame:
    """Every cell as a string without blanks around it; null where there is none."""
    try:
        frame = pl.read_csv(
            text.encode(), has_header=has_header, infer_schema=False, separator=separator
        )
    except pl.exceptions.PolarsError as error:
        _refuse_ragged(text, separator, width, source)
        reason = str(error).partition("\n")[0]
        raise InputError(f"{source} cannot be read as comma-separated rows: {reason}") from error
    if any(frame.null_count().row(0)):
        _refuse_ragged(text, separator, width, source)
    return frame.select(pl.all().str.strip_chars())


def _read_column(cells: pl.Series) -> tuple[pl.Series, str | None]:
    """The numbers of a column, and what is wrong with the others."""
    words = cells.fill_null("").str.to_lowercase()
    missing = words.is_in(MISSING)
    if (missing | words.is_in(list(TRUTH))).all() and not missing.all():
        return words.replace_strict(TRUTH, default=None, return_dtype=pl.Float64), None
    numbers = cells.cast(pl.Float64, strict=False)
    text = numbers.is_null() & ~missing
    if not text.any():
        return numbers, None
    row = int(text.arg_max() or 0)
    return numbers, describe_text(cells[row], row + 1, int(text.sum()))


def read_cells(path: Path) -> tuple[pl.DataFrame, tuple[str, ...] | None]:
    """The cells of a CSV as text, separated by commas, semicolons or tabs, and its names.

    The first line names the columns, unless all its cells are numbers: then there are no names.
    Raises InputError for ragged lines, two columns of one name, or no rows.
    """
    try:
        text = unpack(path).decode("utf-8-sig").rstrip("\r\n")
        if not text.partition("\n")[0].strip():
            raise InputError(f"{path.name} begins with a blank line: remove it.")
        separator = _find_separator(text)
        first = next(csv.reader(io.StringIO(text), delimiter=separator), [])
        names = None
        if not all(_is_number(cell.strip()) for cell in first):
            names = [unguard(cell.strip()) for cell in first]
            check_names(names, path.name)
        cells = _cells(text, separator, len(first), names is not None, path.name)
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8 text: save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{path.name} cannot be read as CSV: {error}.") from error
    if not len(cells):
        raise InputError(f"{path.name} has no rows: it needs at least one below its header.")
    return cells, None if names is None else tuple(names)


def read_csv(path: Path) -> Read:
    """A table of numbers, as `read_cells` reads it. True and false count as 1 and 0."""
    cells, names = read_cells(path)
    found = [_read_column(column) for column in cells]
    return Read(
        pl.DataFrame([numbers for numbers, _ in found]).fill_null(np.nan).to_numpy(),
        names,
        {index: fault for index, (_, fault) in enumerate(found) if fault is not None},
    )


def read_parquet(path: Path) -> Read:
    """A parquet table; true and false count as 1 and 0. What holds no numbers is not read.

    Raises InputError for no rows, or a damaged file.
    """
    try:
        with path.open("rb") as stream:
            kinds = pl.read_parquet_schema(stream)
        known = [name for name, kind in kinds.items() if kind.is_numeric() or kind == pl.Boolean]
        rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        check_size(8 * rows * len(kinds), path.name)
        frame = pl.read_parquet(path.read_bytes(), columns=known) if known else pl.DataFrame()
    except PermissionError:
        raise
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path.name} is damaged or no parquet file: save it again.") from error
    if not rows:
        raise InputError(f"{path.name} has no rows: it needs at least one.")
    numbers = np.full((rows, len(kinds)), np.nan)
    for index, name in enumerate(kinds):
        if name in known:
            numbers[:, index] = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    faults = {
        index: f"holds {kind}, not numbers"
        for index, (name, kind) in enumerate(kinds.items())
        if name not in known
    }
    return Read(numbers, tuple(kinds), faults)
