"""What a model needs to know of its data without the rows."""

import dataclasses
from typing import Any

from energax import space
from energax.data.mixed import Column, columns_space
from energax.errors import InputError
from energax.space import AbstractSpace, Reals


@dataclasses.dataclass(frozen=True)
class Caution:
    """What in the rows speaks against a density, and whether it forbids a likelihood.

    Args:
        text: a sentence that names the columns and says what to do.
        forbids: a test likelihood of these rows means nothing: none is certified.

    Example:
        >>> ex.data.Caution("Column 'sex' of x.csv is discrete: drop it.", forbids=True).forbids
        True
    """

    text: str
    forbids: bool


@dataclasses.dataclass(frozen=True)
class Schema:
    """What a model needs to know of its data, without the rows.

    Args:
        name: of the data set.
        shape: of one example.
        levels: for whole numbers 0..levels-1, how many; None for real numbers.
        columns: names of the columns of a table; None where there are none.
        labels: how many labels there are; None where rows have none.
        digest: of the rows.
        cautions: what in the rows speaks against a density.
        states: for bits and categories, how many values a site has; None for all else.
        letters: for sequences, the letter of each state; None for all else.
        kinds: for tables of mixed columns, what each of them is; None for all else.

    Example:
        >>> schema = ex.data.two_moons(train=20, test=10).schema
        >>> schema.name, schema.shape, ex.data.Schema.from_dict(schema.to_dict()) == schema
        ('two-moons', (2,), True)
    """

    name: str
    shape: tuple[int, ...]
    levels: int | None
    columns: tuple[str, ...] | None
    labels: int | None
    digest: str
    cautions: tuple[Caution, ...] = ()
    states: int | None = None
    letters: str | None = None
    kinds: tuple[Column, ...] | None = None

    @property
    def space(self) -> AbstractSpace:
        """Where an example lives."""
        return make_space(self.shape, self.states, self.kinds)

    @property
    def forbidden(self) -> str | None:
        """Why no likelihood of these rows is certified; None where nothing forbids it."""
        found = " ".join(caution.text for caution in self.cautions if caution.forbids)
        return found or None

    def to_dict(self) -> dict[str, Any]:
        """A record that `json.dumps` takes and `from_dict` reads back."""
        columns = None if self.columns is None else list(self.columns)
        cautions = [dataclasses.asdict(caution) for caution in self.cautions]
        kinds = None if self.kinds is None else [kind.to_dict() for kind in self.kinds]
        plain = {"shape": list(self.shape), "columns": columns, "cautions": cautions}
        return dataclasses.asdict(self) | plain | {"kinds": kinds}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` recorded. Raises InputError for a record that is not one."""
        fields = {field.name for field in dataclasses.fields(cls)}
        record = {"cautions": [], "states": None, "letters": None, "kinds": None} | record
        if set(record) != fields:
            wrong = ", ".join(sorted(set(record) ^ fields))
            raise InputError(f"The record of a schema is damaged: {wrong} is missing or unknown.")
        columns, kinds = record["columns"], record["kinds"]
        try:
            shape = tuple(int(length) for length in record["shape"])
            names = None if columns is None else tuple(str(column) for column in columns)
            cautions = tuple(Caution(**caution) for caution in record["cautions"])
            known = None if kinds is None else tuple(Column.from_dict(kind) for kind in kinds)
        except (TypeError, ValueError) as error:
            raise InputError(f"The record of a schema is damaged: {error}.") from error
        if known is not None and shape != (len(known),):
            raise InputError(
                f"The record of a schema is damaged: it has {len(known)} kinds of columns for rows "
                f"of shape {shape}."
            )
        plain = {"shape": shape, "columns": names, "cautions": cautions, "kinds": known}
        return cls(**(record | plain))


def make_space(
    shape: tuple[int, ...], states: int | None, kinds: tuple[Column, ...] | None = None
) -> AbstractSpace:
    """Bits or categories of that many states, mixed columns of those kinds, else real numbers.

    Raises InputError for a number of states that no space has.

    Example:
        >>> ex.data.make_space((4,), 2)
        Bits(shape=(4,))
    """
    if kinds is not None:
        return columns_space(kinds)
    if states is None:
        return Reals(shape)
    return space.from_dict({"shape": shape, "states": states})
