"""List the methods."""

import dataclasses

from energax.method import list_methods


@dataclasses.dataclass(frozen=True)
class Methods:
    """List every method: its name, its full name, and when to use it."""

    def __call__(self) -> None:
        every = list_methods()
        width = max(map(len, every)) + 2
        for name, method in every.items():
            print(f"{name:{width}}{method.title}: {method.use}")
        print("\nThe options of one: energax train DATA --method NAME --help")
