"""Rows with a fixed split and a fingerprint, and the contract of the maps to model units."""

import abc
import dataclasses
import hashlib
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, Shaped

from energax import space
from energax.energy import AbstractDistribution
from energax.errors import InputError
from energax.space import AbstractSpace, Reals


class Labelled(eqx.Module):
    """Rows with a label each, to train on and as a batch; its length is that of the rows.

    Args:
        x: (size, *shape).
        label: (size,), whole numbers from 0.

    Raises:
        ValueError: where there is not one whole number for each row.

    Example:
        >>> rows = ex.data.Labelled(jnp.zeros((3, 2)), jnp.array([0, 1, 1]))
        >>> len(rows), rows.label.shape
        (3, (3,))
    """

    x: Shaped[Array, " size *shape"]
    label: Int[Array, " size"]

    def __init__(self, x: Shaped[ArrayLike, "..."], label: Shaped[ArrayLike, "..."]):
        self.x, self.label = jnp.asarray(x), jnp.asarray(label)
        if self.label.shape != self.x.shape[:1]:
            raise ValueError(
                f"`label` must have shape {self.x.shape[:1]}, one for each row; got "
                f"{self.label.shape}."
            )
        if not jnp.issubdtype(self.label.dtype, jnp.integer):
            raise ValueError(f"`label` must be whole numbers; got {self.label.dtype}.")

    def __len__(self) -> int:
        return len(self.x)


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

    @property
    def space(self) -> AbstractSpace:
        """Where an example lives."""
        return make_space(self.shape, self.states)

    @property
    def forbidden(self) -> str | None:
        """Why no likelihood of these rows is certified; None where nothing forbids it."""
        found = " ".join(caution.text for caution in self.cautions if caution.forbids)
        return found or None

    def to_dict(self) -> dict[str, Any]:
        """A record that `json.dumps` takes and `from_dict` reads back."""
        columns = None if self.columns is None else list(self.columns)
        cautions = [dataclasses.asdict(caution) for caution in self.cautions]
        plain = {"shape": list(self.shape), "columns": columns, "cautions": cautions}
        return dataclasses.asdict(self) | plain

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` recorded. Raises InputError for a record that is not one."""
        fields = {field.name for field in dataclasses.fields(cls)}
        record = {"cautions": [], "states": None} | record
        if set(record) != fields:
            wrong = ", ".join(sorted(set(record) ^ fields))
            raise InputError(f"The record of a schema is damaged: {wrong} is missing or unknown.")
        columns = record["columns"]
        try:
            shape = tuple(int(length) for length in record["shape"])
            names = None if columns is None else tuple(str(column) for column in columns)
            cautions = tuple(Caution(**caution) for caution in record["cautions"])
        except (TypeError, ValueError) as error:
            raise InputError(f"The record of a schema is damaged: {error}.") from error
        return cls(**(record | {"shape": shape, "columns": names, "cautions": cautions}))


def make_space(shape: tuple[int, ...], states: int | None) -> AbstractSpace:
    """Bits or categories of that many states, real numbers for None.

    Raises InputError for a number of states that no space has.

    Example:
        >>> ex.data.make_space((4,), 2)
        Bits(shape=(4,), states=2)
    """
    if states is None:
        return Reals(shape)
    return space.from_dict({"shape": shape, "states": states})


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Rows in the user's units, with a fixed split into `train` and `test`.

    Args:
        levels: for whole numbers 0..levels-1 (images, counts), how many; None for real numbers.
        columns: names of the columns of a table.
        distribution: the exact distribution, where it is known.
        train_labels, test_labels: a whole number from 0 for each row, where rows have labels.
        cautions: what in the rows speaks against a density.
        states: rows of bits or categories, 0..states-1 in uint8, have so many values; None for
            rows of real numbers, and for whole numbers of which a density is trained (`levels`).
        valid: rows to choose by, where the source has such a part.
        row_weights: the weight of each training row, where they are not alike.

    Raises:
        ValueError: for labels of one part alone, of another length, or of another type; for rows
            of bits or categories that are not of type uint8 or not below `states`.

    Example:
        >>> rows = ex.data.Dataset("mine", train=np.zeros((8, 2)), test=np.ones((2, 2)))
        >>> rows.shape, len(rows.digest), rows.labels
        ((2,), 64, None)
    """

    name: str
    train: Shaped[np.ndarray, " train *shape"]
    test: Shaped[np.ndarray, " test *shape"]
    levels: int | None = None
    columns: tuple[str, ...] | None = None
    distribution: AbstractDistribution | None = None
    train_labels: Int[np.ndarray, " train"] | None = None
    test_labels: Int[np.ndarray, " test"] | None = None
    cautions: tuple[Caution, ...] = ()
    states: int | None = None
    valid: Shaped[np.ndarray, " valid *shape"] | None = None
    row_weights: Float[np.ndarray, " train"] | None = None

    def __post_init__(self):
        if self.states is not None:
            _check_states(self.train, self.test, self.valid, states=self.states)
        pairs = {"train": self.train_labels, "test": self.test_labels}
        if (self.train_labels is None) != (self.test_labels is None):
            raise ValueError("`train_labels` and `test_labels` must be given together, or neither.")
        for part, labels in pairs.items():
            if labels is not None:
                _check_labels(f"{part}_labels", labels, len(getattr(self, part)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.train.shape[1:]

    @property
    def space(self) -> AbstractSpace:
        """Where an example lives."""
        return make_space(self.shape, self.states)

    @property
    def digest(self) -> str:
        """SHA-256 over dtype, shape and bytes of the rows of both parts, without labels."""
        return _digest(self.train, self.test)

    @property
    def schema(self) -> Schema:
        """What a model needs to know of the data, without the rows."""
        known = (self.name, self.shape, self.levels, self.columns, self.labels, self.digest)
        return Schema(*known, cautions=self.cautions, states=self.states)

    @property
    def labelled(self) -> tuple[Labelled, Labelled]:
        """Train and test rows with their labels. Raises InputError where there are none."""
        if self.train_labels is None or self.test_labels is None:
            raise InputError(f"{self.name} has no labels: train on digits, mnist, fashion-mnist.")
        return Labelled(self.train, self.train_labels), Labelled(self.test, self.test_labels)

    @property
    def labels(self) -> int | None:
        """How many labels there are, 0..labels-1; None where rows have none."""
        if self.train_labels is None or self.test_labels is None:
            return None
        return 1 + int(max(self.train_labels.max(), self.test_labels.max()))

    @property
    def label_digest(self) -> str | None:
        """SHA-256 of the labels of both parts; None where rows have none."""
        if self.train_labels is None or self.test_labels is None:
            return None
        return _digest(self.train_labels, self.test_labels)


def _check_states(*parts: np.ndarray | None, states: int) -> None:
    for part in parts:
        if part is not None and (part.dtype != np.uint8 or (part.size and part.max() >= states)):
            raise ValueError(
                f"Rows of {states} states must be uint8 numbers from 0 to {states - 1}; got "
                f"{part.dtype} up to {part.max(initial=0)}."
            )


def _digest(*arrays: np.ndarray) -> str:
    parts = [f"{a.dtype}{a.shape}".encode() + a.tobytes() for a in arrays]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _check_labels(name: str, labels: np.ndarray, rows: int) -> None:
    if labels.shape != (rows,):
        raise ValueError(f"`{name}` must have shape {(rows,)}, one a row; got {labels.shape}.")
    if labels.dtype.kind not in "iu" or (rows and labels.min() < 0):
        low = f" with least {labels.min()}" if rows else ""
        raise ValueError(
            f"`{name}` must be whole numbers from 0; got numbers of type {labels.dtype}{low}."
        )


class AbstractTransform(eqx.Module):
    """An invertible map of one example from the user's units x to the model's units y.

    log p(x) = log p_model(y) + log|dy/dx|, so `log_det` enters every reported log-likelihood. A
    subclass has `encode` and `decode`.

    Example:
        >>> y, log_det = ex.data.Standardise(1.0, 2.0).encode(jnp.array([3.0]), key=key)
        >>> y.tolist(), round(float(log_det), 4)  # -log 2
        ([1.0], -0.6931)
    """

    @abc.abstractmethod
    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        """The example in model units, and log|dy/dx| in nats. Only dequantisation uses `key`."""

    @abc.abstractmethod
    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """Back to the user's units."""
