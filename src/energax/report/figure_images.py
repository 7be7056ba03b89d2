"""Images: a sheet of real rows, a sheet of draws, and the nearest training rows."""

import base64
import io

import numpy as np
from markupsafe import Markup
from PIL import Image

from energax.report.figure import Picture
from energax.report.run_results import RunResults

COUNT = 64
NEIGHBOURS = 10
BAD = (255, 0, 90)
"""Colour of a pixel that is not a finite number."""
EDGE = 64
"""Least width of one image on a sheet, pixels."""


def is_image(shape: tuple[int, ...]) -> bool:
    """(h, w), (h, w, 1 or 3) or (1 or 3, h, w)."""
    return len(shape) == 2 or (len(shape) == 3 and (shape[0] in (1, 3) or shape[2] in (1, 3)))


def to_pixels(rows: np.ndarray, low: float, high: float) -> np.ndarray:
    """uint8 (n, h, w, 3): `low` and below is black, `high` and above white."""
    rows = rows.astype(np.float64)
    if rows.ndim == 3:
        rows = rows[..., None]
    elif rows.shape[3] not in (1, 3):
        rows = np.moveaxis(rows, 1, 3)
    rows = np.broadcast_to(rows, (*rows.shape[:3], 3))
    light = np.clip((rows - low) / ((high - low) or 1.0), 0, 1)
    return np.where(np.isfinite(rows), (255 * light).round(), BAD).astype(np.uint8)


def draw_sheet(images: np.ndarray, across: int, label: str) -> Markup:
    """An <img> of the tiles in reading order, `across` in a row, with clear gaps between."""
    grown = max(1, -(-EDGE // images.shape[2]))
    images = images.repeat(grown, axis=1).repeat(grown, axis=2)
    count, height, width, _ = images.shape
    gap = max(2, width // 16)
    down = -(-count // across)
    shape = (down * (height + gap) - gap, across * (width + gap) - gap, 4)
    canvas = np.zeros(shape, np.uint8)
    for place, image in enumerate(images):
        top, left = place // across * (height + gap), place % across * (width + gap)
        canvas[top : top + height, left : left + width, :3] = image
        canvas[top : top + height, left : left + width, 3] = 255
    out = io.BytesIO()
    Image.fromarray(canvas).save(out, "PNG", optimize=True)
    code = base64.b64encode(out.getvalue()).decode()
    return Markup('<img class="pixels" alt="{}" src="data:image/png;base64,{}">').format(
        label, code
    )


def find_nearest(draws: np.ndarray, train: np.ndarray) -> np.ndarray:
    """For each draw the index of the training row at the smallest Euclidean distance."""
    train = train.reshape(len(train), -1).astype(np.float32)
    flat = draws.reshape(len(draws), -1).astype(np.float32)
    square = np.sum(train**2, axis=1)
    return np.array([np.argmin(square - 2 * train @ draw) for draw in flat])


def draw_images(results: RunResults) -> list[Picture]:
    """Test rows beside draws, not selected; then draws above their nearest training rows."""
    test, draws = results.test[:COUNT], results.draws
    if results.levels is None:
        low, high = float(test.min()), float(test.max())
    else:
        low, high = 0.0, results.levels - 1.0
    label = f"The first {len(test)} test rows"
    pictures = [Picture("Test rows", draw_sheet(to_pixels(test, low, high), 8, label), f"{label}.")]
    if draws is None:
        return pictures
    label = f"The first {min(COUNT, len(draws))} draws, not selected"
    drawn = to_pixels(draws[:COUNT], low, high)
    pictures.append(Picture("Draws of the model", draw_sheet(drawn, 8, label), f"{label}."))
    if results.train is not None:
        some = draws[:NEIGHBOURS]
        neighbours = results.train[find_nearest(some, results.train)]
        both = np.concatenate([to_pixels(some, low, high), to_pixels(neighbours, low, high)])
        label = "Top: draws. Bottom: the nearest training row of each"
        note = f"{label}. Near-copies mean that the model has memorised its data."
        pictures.append(Picture("Nearest training rows", draw_sheet(both, len(some), label), note))
    return pictures
