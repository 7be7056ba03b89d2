"""What inpainting, reconstruction and interpolation write."""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Shaped

from energax.data import Schema
from energax.errors import InputError
from energax.model import Reconstruction
from energax.run.evaluating import write_arrays
from energax.run.rows import WRITERS, write_csv, write_sheet

Rows = Shaped[np.ndarray, " size *shape"]
Lines = Shaped[np.ndarray, " lines *shape"]
Mask = Bool[np.ndarray, " size *shape"]
Side = Literal["left", "right", "top", "bottom", "middle"]
Box = tuple[int, int, int, int]


def hide_nothing(shape: tuple[int, ...]) -> Bool[np.ndarray, "*shape"]:
    """No number of a row."""
    return np.zeros(shape, bool)


def hide_part(
    shape: tuple[int, ...], side: Side | None, box: Box | None
) -> Bool[np.ndarray, "*shape"]:
    """The hidden part of an image of this shape, in all its channels: a side, or a box.

    `box`: top, left, height, width, in pixels. Raises InputError for a box that is not inside.
    """
    first = len(shape) == 3 and shape[0] in (1, 3)
    height, width = shape[1:] if first else shape[:2]
    sides = {
        "left": (0, 0, height, width // 2),
        "right": (0, width - width // 2, height, width // 2),
        "top": (0, 0, height // 2, width),
        "bottom": (height - height // 2, 0, height // 2, width),
        "middle": (height // 4, width // 4, height - 2 * (height // 4), width - 2 * (width // 4)),
    }
    top, left, tall, wide = box or sides[side or "middle"]
    if min(top, left) < 0 or min(tall, wide) < 1 or top + tall > height or left + wide > width:
        raise InputError(
            f"--box {top} {left} {tall} {wide} is not inside images of {height} by {width}: give "
            "top, left, height and width in pixels."
        )
    mask = np.zeros((height, width), bool)
    mask[top : top + tall, left : left + wide] = True
    return np.broadcast_to(mask if first or len(shape) == 2 else mask[..., None], shape)


def write_inpainted(
    path: Path, found: Rows, hidden: Mask, missing: Mask, rows: Rows, schema: Schema
) -> None:
    """Filled rows; as images in threes: what is known, filled in, as it was."""
    match path.suffix:
        case ".npz":
            write_arrays(path, filled=found, hidden=hidden)
        case ".csv":
            write_csv(path, found, schema)
        case _:
            middle = (schema.levels - 1) / 2 if schema.levels else (found.min() + found.max()) / 2
            seen, truth = np.where(hidden, middle, rows), np.where(missing, middle, rows)
            threes = np.stack([seen, found, truth], axis=1).reshape(-1, *rows.shape[1:])
            write_sheet(path, threes, schema.levels, 3 * max(1, round((len(rows) / 3) ** 0.5)))


def write_pairs(path: Path, found: Reconstruction, rows: Rows, schema: Schema) -> None:
    """Reconstructions; as images each row left of its own."""
    match path.suffix:
        case ".npz":
            write_arrays(path, reconstructions=found.rows, z=np.asarray(found.z))
        case ".csv":
            write_csv(path, found.rows, schema)
        case _:
            pairs = np.stack([rows, found.rows.astype(rows.dtype)], axis=1)
            across = 2 * max(1, round((2 * len(rows) / 4) ** 0.5))
            write_sheet(path, pairs.reshape(-1, *rows.shape[1:]), schema.levels, across)


def choose_pairs(rows: Rows, count: int, seed: int) -> tuple[Lines, Lines]:
    """Different rows for the starts and the ends of lines."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[: 2 * count]
    return rows[chosen[:count]], rows[chosen[count:]]


def write_lines(path: Path, found: Shaped[np.ndarray, "..."], schema: Schema) -> None:
    """Points of lines; as images a line of them each."""
    flat = found.reshape(-1, *found.shape[2:])
    if path.suffix == ".png":
        write_sheet(path, flat, schema.levels, found.shape[1])
    else:
        WRITERS[path.suffix](path, flat, schema)
