"""Rows of a file with their missing numbers, or a hidden part of their images, filled in."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import jax
import numpy as np
import tyro
from jaxtyping import Bool, Shaped

from energax import data
from energax.errors import InputError
from energax.recipe.fill import filled
from energax.recipe.folder import Folder, load, whole, write_arrays
from energax.recipe.option import otherwise
from energax.recipe.players import GENERATORS, load_trio
from energax.recipe.reconstruct import missed
from energax.recipe.rows import check_images, write_csv, write_sheet
from energax.recipe.score import check_out, fitting
from energax.recipe.settings import check_seed

Side = Literal["left", "right", "top", "bottom", "middle"]
Rows = Shaped[np.ndarray, " size *shape"]
Mask = Bool[np.ndarray, " size *shape"]


@dataclasses.dataclass(frozen=True)
class Inpaint:
    """Write the rows of a file with what is unknown drawn from a trained model, given the rest.

    Unknown are empty cells and NaN, and the part of each image that --hide or --box names. In .png
    each row is three images: what is known, filled in, as it was.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run."""
    rows: Annotated[Path, tyro.conf.Positional]
    """File with the columns of the training data: .csv, .parquet, .npy, ..."""
    out: Path
    """Where they go: .png (images), .npz (arrays `filled` and `hidden`) or .csv."""
    hide: Annotated[Side | None, otherwise("nothing but what is missing")] = None
    """Of images: the half, or the middle half of rows and columns, that is hidden."""
    box: Annotated[
        tuple[int, int, int, int] | None,
        tyro.conf.arg(
            metavar="TOP LEFT HEIGHT WIDTH",
            help_behavior_hint="(default: nothing but what is missing)",
        ),
    ] = None
    """Of images: the box of pixels that is hidden."""
    steps: Annotated[int | None, otherwise("as many as sample makes")] = None
    """Transitions of each chain on the hidden numbers."""
    seed: int = 0
    """Seed of the chains: another seed, another draw."""

    def __call__(self) -> None:
        check_out(self.out, tuple(WRITERS))
        check_seed(self.seed)
        if self.steps is not None and self.steps < 1:
            raise InputError(f"--steps must be at least 1; got {self.steps}.")
        model, folder = load(self.run), Folder(self.run)
        told = folder.config()["data"]
        check_images(self.out, told)
        part = self._part(tuple(told["shape"]), told["name"])
        table, missing = data.read_partial(self.rows)
        rows = fitting(folder, table)
        missing = missing.reshape(rows.shape)
        hidden = missing | part
        self._check(hidden)
        trio = load_trio(self.run) if model.settings.objective in GENERATORS else None
        found = filled(model, trio, rows, hidden, self.steps, key=jax.random.key(self.seed))
        with whole(self.out) as draft:
            WRITERS[self.out.suffix](
                draft, found.rows, hidden, np.where(missing, np.nan, rows), told
            )
        said = f"Filled {hidden.sum()} numbers of {len(rows)} rows into {self.out}, {found.words}"
        if part.any():
            known = hidden & ~missing
            said += f"; their mean squared error is {missed(found.rows[known], rows[known]):.4g}"
        print(f"{said}.")

    def _part(self, shape: tuple[int, ...], name: str) -> Bool[np.ndarray, "*shape"]:
        """The part of each image that the options hide."""
        if self.hide is None and self.box is None:
            return np.zeros(shape, bool)
        if self.hide is not None and self.box is not None:
            raise InputError("--hide and --box both say what is hidden: give one of them.")
        if len(shape) < 2:
            option = "--box" if self.hide is None else "--hide"
            raise InputError(
                f"{option} is for images, and a row of {name} is none: leave the unknown cells of "
                "the file empty, or NaN."
            )
        return region(shape, self.hide, self.box)

    def _check(self, hidden: Mask) -> None:
        """Raise InputError where no row has an unknown number, or one has nothing else."""
        if not hidden.any():
            raise InputError(
                f"{self.rows.name} misses no number: leave the unknown cells empty, or NaN; of "
                "images, say by --hide or --box what is hidden."
            )
        empty = np.flatnonzero(hidden.reshape(len(hidden), -1).all(axis=1))
        if len(empty):
            raise InputError(
                f"Data row {empty[0] + 1} of {self.rows.name} has no known number: for draws given "
                f"nothing, run `energax sample {self.run}`"
            )


def region(
    shape: tuple[int, ...], hide: Side | None, box: tuple[int, int, int, int] | None
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
    top, left, tall, wide = box or sides[hide or "middle"]
    if min(top, left) < 0 or min(tall, wide) < 1 or top + tall > height or left + wide > width:
        raise InputError(
            f"--box {top} {left} {tall} {wide} is not inside images of {height} by {width}: give "
            "top, left, height and width in pixels."
        )
    mask = np.zeros((height, width), bool)
    mask[top : top + tall, left : left + wide] = True
    return np.broadcast_to(mask if first or len(shape) == 2 else mask[..., None], shape)


def _write_png(path: Path, found: Rows, hidden: Mask, rows: Rows, told: dict) -> None:
    middle = (told["levels"] - 1) / 2 if told["levels"] else (found.min() + found.max()) / 2
    seen = np.where(hidden, middle, rows)
    truth = np.where(np.isnan(rows), middle, rows)
    threes = np.stack([seen, found, truth], axis=1).reshape(-1, *rows.shape[1:])
    across = 3 * max(1, round((len(rows) / 3) ** 0.5))
    write_sheet(path, threes, told, across)


WRITERS: dict[str, Callable[[Path, Rows, Mask, Rows, dict], None]] = {
    ".png": _write_png,
    ".npz": lambda path, found, hidden, rows, told: write_arrays(path, filled=found, hidden=hidden),
    ".csv": lambda path, found, hidden, rows, told: write_csv(path, found, told),
}
"""How filled rows are written, by the ending of the file."""
