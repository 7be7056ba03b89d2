"""Rows of a file as a generator makes them, from the latent vectors that are inferred for them."""

import dataclasses
from pathlib import Path

from energax import cli, model, run
from energax.cli.common import ROWS, rows_option, run_option, seed_option, steps_option
from energax.files import check_target
from energax.options import option
from energax.progress import show_stages, stage


@dataclasses.dataclass(frozen=True)
class Reconstruct:
    """Write what a run's generator makes of the rows of a file, from their inferred z.

    In .png each row stands left of its reconstruction.
    """

    run: Path = run_option()
    rows: Path = rows_option()
    out: Path = option(
        "Where they go: .png (images), .npz (arrays `reconstructions` and `z`) or .csv."
    )
    steps: int | None = steps_option()
    seed: int = seed_option("Seed of the chains.")

    def __call__(self) -> None:
        check_target(self.out, ROWS)
        show_stages()
        with stage("loading the model"):
            trained = model.load(self.run)
            model.find_generator(trained)
            rows = run.read_rows(self.rows, trained.schema)
            run.check_ending(self.out, trained.schema)
        with stage(f"reconstructing {len(rows)} rows"):
            key = run.make_key(self.seed)
            found = model.reconstruct(trained, rows, self.steps, key=key)
            cli.write_pairs(self.out, found, rows, trained.schema)
        print(f"Reconstructed {len(rows)} rows into {self.out}: {found.words}.")
