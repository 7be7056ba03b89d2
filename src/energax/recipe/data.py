"""Fetch a data set that is not part of the package."""

import dataclasses
from typing import Annotated, Literal

import tyro

from energax import data


@dataclasses.dataclass(frozen=True)
class Data:
    """Download a data set from its public address and check its digest."""

    name: Annotated[Literal["mnist", "fashion-mnist"], tyro.conf.Positional]
    """Which one."""

    def __call__(self) -> None:
        print(f"{self.name} is in {data.download(self.name)}.")
