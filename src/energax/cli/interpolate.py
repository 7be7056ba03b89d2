"""Straight lines between the latent vectors of two rows, as a generator makes them."""

import dataclasses
from pathlib import Path

from energax import cli, model, run
from energax.cli.common import ROWS, run_option, seed_option, steps_option
from energax.errors import InputError
from energax.files import check_target
from energax.options import at_least, option
from energax.progress import show_stages, stage


@dataclasses.dataclass(frozen=True)
class Interpolate:
    """Write what a run's generator makes along straight lines between the z of test rows."""

    run: Path = run_option()
    out: Path = option(
        "Where they go: .png (a line of images each), .npz (array `draws`) or .csv, line by line."
    )
    num: int = option("Points of a line, both ends included.", at_least(2), default=8)
    rows: int = option("Lines, each between two test rows.", at_least(1), default=8)
    steps: int | None = steps_option()
    seed: int = seed_option("Seed of the chains, and of which test rows are taken.")

    def __call__(self) -> None:
        check_target(self.out, ROWS)
        show_stages()
        with stage("loading the model"):
            trained = model.load(self.run)
            model.find_generator(trained)
            run.check_ending(self.out, trained.schema)
            test = run.Folder(self.run).dataset().test
        if len(test) < 2 * self.rows:
            raise InputError(
                f"--rows {self.rows} lines need {2 * self.rows} test rows; {trained.schema.name} "
                f"has {len(test)}."
            )
        with stage(f"drawing {self.rows} lines"):
            starts, ends = cli.choose_pairs(test, self.rows, self.seed)
            key = run.make_key(self.seed)
            found = model.interpolate(trained, starts, ends, self.num, self.steps, key=key)
            cli.write_lines(self.out, found, trained.schema)
        print(f"Wrote {self.rows} lines of {self.num} points to {self.out}.")
