"""What is there before a network is made: the base, the units, the rows."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False)
class Groundwork:
    """What a method builds on.

    Args:
        base: The base distribution, in model units (`AbstractDistribution`).
        transform: The map to model units (`AbstractTransform`).
        rows: How many training rows there are.
        labels: How many labels they have; 0 for none.
        tilted: Is the base tilted? Not with `--base none`, where it only starts chains.
        energy: The user's own energy, in place of a network.
    """

    base: Any
    transform: Any
    rows: int
    labels: int = 0
    tilted: bool = True
    energy: Any = None
