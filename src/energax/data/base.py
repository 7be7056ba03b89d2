"""Rows with a fixed split and a fingerprint, and the contract of the maps to model units."""

import abc
import dataclasses
import hashlib

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, Shaped

from energax.energy import AbstractDistribution
from energax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Schema:
    """Shape, levels, columns and labels of rows."""

    name: str
    shape: tuple[int, ...]
    levels: int | None = None
    columns: tuple[str, ...] | None = None
    labels: int | None = None
    digest: str | None = None

    def to_dict(self) -> dict:
        """JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: dict) -> "Schema":
        """From JSON."""
        columns = content["columns"]
        return cls(
            **(
                content
                | {
                    "shape": tuple(content["shape"]),
                    "columns": None if columns is None else tuple(columns),
                }
            )
        )


class Labelled(eqx.Module):
    """Rows and the label of each, to train on and as batches; its length is that of the rows.

    Labels are whole numbers from 0. Raises ValueError where there is not one label for each row.
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
class Dataset:
    """`train` and `test` are fixed at birth, in the user's units; `digest` names their bytes.

    `levels`: for integers 0..levels-1 (images, counts), how many; None for real numbers. `columns`:
    names of the columns of a table. `distribution`: the exact distribution, where one is known.
    `train_labels` and `test_labels`: a whole number from 0 for each row, where rows have a kind.
    Raises ValueError for labels of one part alone, of another length, or that are no such numbers.
    """

    name: str
    train: Shaped[np.ndarray, " train *shape"]
    test: Shaped[np.ndarray, " test *shape"]
    levels: int | None = None
    columns: tuple[str, ...] | None = None
    distribution: AbstractDistribution | None = None
    train_labels: Int[np.ndarray, " train"] | None = None
    test_labels: Int[np.ndarray, " test"] | None = None

    def __post_init__(self):
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
    def digest(self) -> str:
        """SHA-256 over dtype, shape and bytes of the rows of both parts; blind to labels."""
        return _digest(self.train, self.test)

    @property
    def schema(self) -> Schema:
        """Its schema."""
        return Schema(self.name, self.shape, self.levels, self.columns, self.labels, self.digest)

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

    log p(x) = log p_model(y) + log|dy/dx|, so `log_det` enters every reported log-likelihood.
    """

    @abc.abstractmethod
    def encode(
        self, x: Shaped[ArrayLike, "*shape"], *, key: PRNGKeyArray
    ) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
        """The example in model units, and log|dy/dx| in nats. Only dequantisation uses `key`."""

    @abc.abstractmethod
    def decode(self, y: Float[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """Back to the user's units."""
