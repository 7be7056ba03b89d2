"""New rows from a trained model."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import polars as pl
import tyro
from PIL import Image

from energax.errors import InputError
from energax.recipe.draw import drawn
from energax.recipe.folder import Folder, load, whole, write_arrays
from energax.recipe.score import check_out
from energax.recipe.settings import check_seed


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw rows from a trained model, in the units of its training data."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run."""
    out: Path
    """Where they go: .png (images), .npz (array `draws`) or .csv (a column each)."""
    num: int = 64
    """How many rows."""
    seed: int = 0
    """Seed of the chains."""

    def __call__(self) -> None:
        check_out(self.out, tuple(WRITERS))
        if self.num < 1:
            raise InputError(f"--num must be at least 1; got {self.num}.")
        check_seed(self.seed)
        model, told = load(self.run), Folder(self.run).config()["data"]
        if self.out.suffix == ".png" and len(told["shape"]) < 2:
            raise InputError(f"--out {self.out}: a row of {told['name']} is no image; use .csv.")
        found = drawn(model, self.num, key=jax.random.key(self.seed))
        rows = np.asarray(jax.vmap(model.transform.decode)(found.x))
        with whole(self.out) as draft:
            WRITERS[self.out.suffix](draft, rows, told)
        print(f"Wrote {self.num} draws ({found.sampler}) to {self.out}.")


def _write_csv(path: Path, rows: np.ndarray, told: dict) -> None:
    flat = rows.reshape(len(rows), -1)
    names = told["columns"] or [f"x{i}" for i in range(flat.shape[1])]
    path.write_text(pl.DataFrame({name: flat[:, i] for i, name in enumerate(names)}).write_csv())


def _write_png(path: Path, rows: np.ndarray, told: dict) -> None:
    """A square sheet of images, scaled to 0..255 by the levels of the data or by its own range."""
    images = rows.astype(np.float64)
    low, high = (0, told["levels"] - 1) if told["levels"] else (images.min(), images.max())
    grey = np.round(255 * (images - low) / max(high - low, 1e-12)).astype(np.uint8)
    if grey.ndim == 4 and grey.shape[1] in (1, 3):
        grey = np.moveaxis(grey, 1, -1)
    across = math.ceil(math.sqrt(len(grey)))
    height, width = grey.shape[1:3]
    sheet = np.full((across * (height + 2), across * (width + 2), *grey.shape[3:]), 255, np.uint8)
    for place, image in enumerate(grey):
        top, left = (place // across) * (height + 2) + 1, (place % across) * (width + 2) + 1
        sheet[top : top + height, left : left + width] = image
    picture = Image.fromarray(sheet.squeeze())
    zoom = max(1, 512 // max(picture.size))
    size = (picture.width * zoom, picture.height * zoom)
    picture.resize(size, Image.Resampling.NEAREST).save(path, format="png")


WRITERS: dict[str, Callable[[Path, np.ndarray, dict], None]] = {
    ".png": _write_png,
    ".npz": lambda path, rows, told: write_arrays(path, draws=rows),
    ".csv": _write_csv,
}
