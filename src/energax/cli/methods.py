"""List the methods."""

import dataclasses

from energax.method import METHODS


@dataclasses.dataclass(frozen=True)
class Methods:
    """List every method: its name, its full name, and when to use it."""

    def __call__(self) -> None:
        width = max(map(len, METHODS)) + 2
        for name, method in METHODS.items():
            print(f"{name:{width}}{method.title}: {method.use}")
        print("\nThe options of one: energax train DATA --method NAME --help")
