"""List the methods."""

import dataclasses

from energax.method import MASS_METHODS, MIXED_METHODS, list_methods


@dataclasses.dataclass(frozen=True)
class Methods:
    """List every method: its name, its full name, and when to use it."""

    def __call__(self) -> None:
        groups = {"real numbers and images": list_methods(), "bits and categories": MASS_METHODS}
        groups["tables with text or missing cells"] = MIXED_METHODS
        width = max(len(name) for group in groups.values() for name in group) + 2
        for title, group in groups.items():
            print(f"For {title}:")
            for name, method in group.items():
                print(f"  {name:{width}}{method.title}: {method.use}")
        print("\nThe options of one: energax train DATA --method NAME --help")
