"""Pairs of sites that depend on each other directly, of a trained energy of pairs."""

import dataclasses
from pathlib import Path

from energax import model, run
from energax.cli.common import run_option
from energax.errors import InputError
from energax.files import check_target
from energax.options import at_least, option
from energax.progress import show_stages, stage


@dataclasses.dataclass(frozen=True)
class Contacts:
    """List the most strongly coupled pairs of sites of a Boltzmann machine or Potts model.

    Categories are scored by the Frobenius norm of the couplings in the zero-sum gauge, less the
    average product of the two sites; bits by the absolute coupling.
    """

    run: Path = run_option()
    out: Path = option("Where they go: .csv with the columns first, second and score.")
    apart: int = option(
        "Least distance of two sites along the row; 5 leaves out neighbours in a sequence.",
        at_least(1),
        default=1,
    )
    num: int | None = option("How many pairs.", at_least(1), default=None, unset="all of them")

    def __call__(self) -> None:
        check_target(self.out, (".csv",))
        show_stages()
        with stage("loading the model"):
            trained = model.load(self.run)
        found = model.find_couplings(trained.energy)
        if found is None:
            raise InputError(
                f"{self.run} has no couplings of pairs: it was trained with another network than "
                "--network pairs."
            )
        count = run.write_contacts(self.out, found, trained.schema, self.apart, self.num)
        print(f"Wrote {count} pairs of sites to {self.out}, the most strongly coupled first.")
