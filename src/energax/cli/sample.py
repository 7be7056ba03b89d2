"""New rows from a trained model."""

import dataclasses
from pathlib import Path
from typing import Literal

from energax import model, run
from energax.cli.common import ROWS, run_option, seed_option
from energax.files import check_target
from energax.options import at_least, option
from energax.progress import show_stages, stage

By = Literal["energy", "generator", "generator-chain"]


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw rows from a trained model, in the units of its training data."""

    run: Path = run_option()
    out: Path = option(
        "Where they go: .png (images), .npz (array `draws`), .csv or .fasta (sequences)."
    )
    num: int = option("How many rows.", at_least(1), default=64)
    by: By = option(
        "energy (chains, exact or as in training), generator (g(z), no chain), or generator-chain "
        "(g(z), then the chain of training).",
        default="energy",
    )
    seed: int = seed_option("Seed of the chains.")

    def __call__(self) -> None:
        check_target(self.out, (*ROWS, ".fasta"))
        show_stages()
        with stage("loading the model"):
            trained = model.load(self.run)
            run.check_ending(self.out, trained.schema)
        with stage(f"drawing {self.num} rows"):
            found = model.sample_rows(trained, self.num, by=self.by, key=run.make_key(self.seed))
            run.WRITERS[self.out.suffix](self.out, found.rows, trained.schema)
        print(f"Wrote {self.num} draws ({found.words}) to {self.out}.")
