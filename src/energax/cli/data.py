"""Fetch a data set that is not part of the package."""

import dataclasses
from typing import Literal

from energax import data
from energax.options import option


@dataclasses.dataclass(frozen=True)
class Data:
    """Download a data set from its public address and check its digest."""

    name: Literal["mnist", "fashion-mnist", "nltcs", "plants", "jester", "dna", "rna"] = option(
        "Its name.", positional=True
    )

    def __call__(self) -> None:
        print(f"{self.name} is in {data.download(self.name)}.")
