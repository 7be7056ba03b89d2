"""Rows in the user's units as files: a table, arrays, or a sheet of images."""

import io
import math
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import polars as pl
from jaxtyping import Float, PRNGKeyArray, Shaped
from PIL import Image

from energax import data
from energax.data import Schema
from energax.errors import InputError
from energax.files import guard, write_bytes, write_text
from energax.run.evaluating import write_arrays

Rows = Shaped[np.ndarray, " size *shape"]


def check_ending(out: Path, schema: Schema) -> None:
    """Raise InputError for a picture of rows that are no images, and letters of no sequences."""
    if out.suffix == ".png" and len(schema.shape) < 2:
        raise InputError(f"--out {out}: a row of {schema.name} is no image; use .csv.")
    if out.suffix == ".fasta":
        _find_letters(out, schema)


def _find_letters(out: Path, schema: Schema) -> str:
    if schema.letters is None:
        raise InputError(f"--out {out}: a row of {schema.name} is no sequence; use .csv.")
    return schema.letters


def write_csv(path: Path, rows: Rows, schema: Schema) -> None:
    """A column for each number of a row, named as in the data; mixed columns as they were."""
    if schema.kinds is not None:
        frame = data.decode_rows(rows, schema.kinds)
        frame = frame.rename({name: guard(name) for name in frame.columns})
        frame = frame.with_columns(pl.col(pl.String).map_elements(guard, return_dtype=pl.String))
        write_text(path, frame.write_csv())
        return
    flat = rows.reshape(len(rows), -1)
    names = schema.columns or [f"x{i}" for i in range(flat.shape[1])]
    columns = {guard(name): flat[:, i] for i, name in enumerate(names)}
    write_text(path, pl.DataFrame(columns).write_csv())


def write_sheet(
    path: Path, rows: Rows, levels: int | None = None, across: int | None = None
) -> None:
    """A sheet of images, `across` of them in a line, or as many as make it about square.

    Scaled to 0..255 by the number of `levels` of whole numbers, or by the range of `rows`.
    """
    images = rows.astype(np.float64)
    low, high = (0, levels - 1) if levels else (images.min(), images.max())
    grey = np.round(255 * (images - low) / max(high - low, 1e-12)).astype(np.uint8)
    if grey.ndim == 4 and grey.shape[1] in (1, 3):
        grey = np.moveaxis(grey, 1, -1)
    across = across or math.ceil(math.sqrt(len(grey)))
    down = math.ceil(len(grey) / across)
    height, width = grey.shape[1:3]
    sheet = np.full((down * (height + 2), across * (width + 2), *grey.shape[3:]), 255, np.uint8)
    for place, image in enumerate(grey):
        top, left = (place // across) * (height + 2) + 1, (place % across) * (width + 2) + 1
        sheet[top : top + height, left : left + width] = image
    write_picture(path, sheet.squeeze())


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """A PNG, small ones enlarged."""
    picture = Image.fromarray(pixels)
    zoom = max(1, 512 // max(picture.size))
    size = (picture.width * zoom, picture.height * zoom)
    content = io.BytesIO()
    picture.resize(size, Image.Resampling.NEAREST).save(content, format="png")
    write_bytes(path, content.getvalue())


def write_contacts(
    path: Path,
    couplings: Float[np.ndarray, " sites sites"],
    schema: Schema,
    apart: int,
    count: int | None,
) -> int:
    """Pairs of sites from `apart` on, by falling strength: names, or numbers from 1; how many."""
    firsts, seconds = np.triu_indices(len(couplings), apart)
    scores = couplings[firsts, seconds]
    order = np.argsort(-np.abs(scores), kind="stable")[:count]
    names = np.array(schema.columns or [str(1 + site) for site in range(len(couplings))])
    columns = {
        "first": [guard(name) for name in names[firsts[order]].tolist()],
        "second": [guard(name) for name in names[seconds[order]].tolist()],
        "score": scores[order],
    }
    write_text(path, pl.DataFrame(columns).write_csv())
    return len(order)


WRITERS: dict[str, Callable[[Path, Rows, Schema], None]] = {
    ".png": lambda path, rows, schema: write_sheet(path, rows, schema.levels or schema.states),
    ".npz": lambda path, rows, schema: write_arrays(path, draws=rows),
    ".csv": write_csv,
    ".fasta": lambda path, rows, schema: data.write_fasta(path, rows, _find_letters(path, schema)),
}
"""How rows are written, by the ending of the file."""


def make_key(seed: int) -> PRNGKeyArray:
    """The key of a seed."""
    return jax.random.key(seed)


def read_rows(path: Path, schema: Schema) -> Rows:
    """The rows of a file as a model takes them. Raises InputError where they do not fit."""
    if schema.kinds is None:
        return _fit_rows(data.read_rows(path), schema)
    return data.make_mixed(data.read_mixed(path), path.name, known=schema.kinds).rows


def read_partial(path: Path, schema: Schema) -> tuple[Rows, Rows]:
    """The same of a file with missing cells, and True where a cell misses."""
    if schema.kinds is None:
        table, missing = data.read_partial(path)
        rows = _fit_rows(table, schema)
        return rows, missing.reshape(rows.shape)
    rows = read_rows(path, schema)
    return rows, np.isnan(rows)


def _fit_rows(table: data.Table, schema: Schema) -> Rows:
    """The rows of a table as a model takes them. Raises InputError where they do not fit."""
    return data.check_rows(
        table,
        schema.shape,
        columns=schema.columns,
        levels=schema.levels,
        states=schema.states,
        letters=schema.letters,
    )
