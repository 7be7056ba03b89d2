"""What kind of data a set is: presets are chosen by it."""

import math
from typing import Any, Literal, Protocol, runtime_checkable

Kind = Literal["plane", "table", "small image", "image", "bits", "categories", "mixed"]

KINDS: tuple[Kind, ...] = ("plane", "table", "small image", "image")
"""Of real numbers, and of images."""

MASS_KINDS: tuple[Kind, ...] = ("bits", "categories")
"""Of whole numbers with a mass function."""

MIXED_KINDS: tuple[Kind, ...] = ("mixed",)
"""Of tables with numbers and categories, in which cells may be missing."""

SMALL = 256
"""Up to this many axes a full covariance matrix and a plain network are the better tools."""

PLANE = 3
"""Up to this many columns a table is low-dimensional enough for the presets of the plane."""


@runtime_checkable
class Rows(Protocol):
    """What the kind depends on: the space and shape of a row, and the values of its numbers."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        ...

    @property
    def levels(self) -> int | None:
        """Number of values of whole numbers; None for real numbers."""
        ...

    @property
    def space(self) -> Any:
        """Where a row lives."""
        ...


def kind_of(rows: Rows) -> Kind:
    """The kind of a data set, or of its schema.

    Bits, categories and mixed columns have kinds of their own. Arrays of whole numbers up to
    `SMALL` axes are small images, other arrays images; vectors up to `PLANE` numbers are the plane,
    longer ones tables.
    """
    for kind in MASS_KINDS:
        if rows.space.name == kind:
            return kind
    if rows.space.name == "columns":
        return "mixed"
    dim = math.prod(rows.shape)
    if len(rows.shape) > 1:
        return "small image" if dim <= SMALL and rows.levels is not None else "image"
    return "plane" if dim <= PLANE else "table"
