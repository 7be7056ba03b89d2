"""Rows of a file with their missing numbers, or a hidden part of their images, filled in."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from energax import cli, model, run
from energax.cli.common import ROWS, rows_option, run_option, seed_option
from energax.errors import InputError
from energax.files import check_target
from energax.options import at_least, option
from energax.progress import show_stages, stage

Side = Literal["left", "right", "top", "bottom", "middle"]


@dataclasses.dataclass(frozen=True)
class Inpaint:
    """Write the rows of a file with what is unknown drawn from a trained model, given the rest.

    Unknown are empty cells and NaN, and the part of each image that --hide or --box names. In .png
    each row is three images: what is known, filled in, as it was.
    """

    run: Path = run_option()
    rows: Path = rows_option()
    out: Path = option("Where they go: .png (images), .npz (arrays `filled`, `hidden`) or .csv.")
    hide: Side | None = option(
        "Of images, what is hidden: left, right, top, bottom, or middle (of rows and columns).",
        default=None,
        unset="nothing but what is missing",
    )
    box: tuple[int, int, int, int] | None = option(
        "Of images, the box of pixels that is hidden.",
        default=None,
        unset="nothing but what is missing",
        metavar="TOP LEFT HEIGHT WIDTH",
    )
    steps: int | None = option(
        "Transitions of each chain on the hidden numbers.",
        at_least(1),
        default=None,
        unset="as many as sample makes",
    )
    seed: int = seed_option("Seed of the chains: another seed, another sample.")

    def __call__(self) -> None:
        check_target(self.out, ROWS)
        show_stages()
        with stage("loading the model"):
            trained = model.load(self.run)
            run.check_ending(self.out, trained.schema)
            part = self._part(trained.schema)
            rows, missing = run.read_partial(self.rows, trained.schema)
        hidden = missing | part
        self._check(hidden)
        with stage(f"filling {len(rows)} rows"):
            key = run.make_key(self.seed)
            found = model.inpaint(trained, rows, hidden, self.steps, key=key)
            cli.write_inpainted(self.out, found.rows, hidden, missing, rows, trained.schema)
        said = f"Filled {hidden.sum()} numbers of {len(rows)} rows into {self.out}, {found.words}"
        if part.any():
            known = hidden & ~missing
            error = model.mean_squared(found.rows[known], rows[known])
            said += f"; their mean squared error is {error:.4g}"
        print(f"{said}.")

    def _part(self, schema: Any) -> Any:
        """The part of each image that the options hide."""
        if self.hide is not None and self.box is not None:
            raise InputError("--hide and --box both say what is hidden: give one of them.")
        if self.hide is None and self.box is None:
            return cli.hide_nothing(schema.shape)
        if len(schema.shape) < 2:
            flag = "--box" if self.hide is None else "--hide"
            raise InputError(
                f"{flag} is for images, and a row of {schema.name} is none: leave the unknown "
                "cells of the file empty, or NaN."
            )
        return cli.hide_part(schema.shape, self.hide, self.box)

    def _check(self, hidden: Any) -> None:
        """Raise InputError where no row has an unknown number, or one has nothing else."""
        if not hidden.any():
            raise InputError(
                f"{self.rows.name} has no missing values: leave the unknown cells empty, or NaN; "
                "of images, say by --hide or --box what is hidden."
            )
        empty = [row for row, cells in enumerate(hidden) if cells.all()]
        if empty:
            raise InputError(
                f"Data row {empty[0] + 1} of {self.rows.name} has no known number: for "
                f"unconditional samples run `energax sample {self.run}`"
            )
