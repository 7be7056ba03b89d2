"""What kind of data a set is: presets are chosen by it."""

import math
from typing import Literal, Protocol, runtime_checkable

Kind = Literal["plane", "table", "small image", "image"]

KINDS: tuple[Kind, ...] = ("plane", "table", "small image", "image")
"""Of real numbers. Bits and categories have methods of their own."""

SMALL = 256
"""Up to this many axes a full covariance matrix and a plain network are the better tools."""

PLANE = 3
"""Up to this many columns a table is low-dimensional enough for the presets of the plane."""


@runtime_checkable
class Rows(Protocol):
    """What the kind depends on: the shape of a row, and how many values a whole number has."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        ...

    @property
    def levels(self) -> int | None:
        """Number of values of whole numbers; None for real numbers."""
        ...


def kind_of(rows: Rows) -> Kind:
    """The kind of a data set, or of its schema.

    Arrays of whole numbers up to `SMALL` axes are small images, other arrays images; vectors up to
    `PLANE` numbers are the plane, longer ones tables.
    """
    dim = math.prod(rows.shape)
    if len(rows.shape) > 1:
        return "small image" if dim <= SMALL and rows.levels is not None else "image"
    return "plane" if dim <= PLANE else "table"
