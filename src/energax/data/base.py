"""Rows with a fixed split and a fingerprint, and the contract of the maps to model units."""

import abc
import dataclasses
import hashlib
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, Shaped

from energax.data.mixed import Column
from energax.data.schema import Caution, Schema, make_space
from energax.energy import AbstractDistribution
from energax.errors import InputError
from energax.space import AbstractSpace


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


class Weighted(eqx.Module):
    """Rows that count by weights, to train on or to choose by; its length is that of the rows.

    Training draws a row with a probability that is proportional to its weight.

    Args:
        x: (size, *shape).
        weight: (size,), at least 0, not all 0.

    Raises:
        ValueError: where there is not one such number for each row.

    Example:
        >>> rows = ex.data.Weighted(jnp.zeros((3, 2), jnp.uint8), jnp.array([1.0, 0.5, 0.5]))
        >>> len(rows), rows.weight.shape
        (3, (3,))
    """

    x: Shaped[Array, " size *shape"]
    weight: Float[Array, " size"]

    def __init__(self, x: Shaped[ArrayLike, "..."], weight: Shaped[ArrayLike, "..."]):
        numbers = np.asarray(weight)
        _check_weights("weight", numbers, len(np.asarray(x)))
        self.x, self.weight = jnp.asarray(x), jnp.asarray(numbers, jnp.result_type(float))

    def __len__(self) -> int:
        return len(self.x)


def unpack_weights(rows: Any) -> tuple[Any, Any]:
    """Rows, and the weight of each, both on the host; None for rows that are alike.

    Example:
        >>> ex.data.unpack_weights(np.zeros((2, 3)))[1] is None
        True
    """
    if type(rows) is Weighted:
        return np.asarray(rows.x), np.asarray(rows.weight, np.float64)
    return rows, None


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
        row_weights, test_weights: how much each row of a part counts, where rows are not alike.
        letters: for sequences, the letter of each state.
        kinds: for a table of mixed columns, what each of them is; its rows are NaN in holes.

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
    row_weights: Float[np.ndarray, " _"] | None = None
    test_weights: Float[np.ndarray, " _"] | None = None
    letters: str | None = None
    kinds: tuple[Column, ...] | None = None

    def __post_init__(self):
        if self.states is not None:
            _check_states(self.train, self.test, self.valid, states=self.states)
        if self.letters is not None and len(self.letters) != self.states:
            raise ValueError(f"`letters` must be one for each of {self.states} states.")
        if self.row_weights is not None:
            _check_weights("row_weights", self.row_weights, len(self.train))
        if self.test_weights is not None:
            _check_weights("test_weights", self.test_weights, len(self.test))
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
        return make_space(self.shape, self.states, self.kinds)

    @property
    def digest(self) -> str:
        """SHA-256 over dtype, shape and bytes of the rows of both parts, without labels."""
        return _digest(self.train, self.test)

    @property
    def schema(self) -> Schema:
        """What a model needs to know of the data, without the rows."""
        known = (self.name, self.shape, self.levels, self.columns, self.labels, self.digest)
        rest = {"cautions": self.cautions, "states": self.states, "letters": self.letters}
        return Schema(*known, **rest, kinds=self.kinds)

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


def _check_weights(name: str, weights: np.ndarray, rows: int) -> None:
    if weights.shape != (rows,):
        raise ValueError(f"`{name}` must have shape {(rows,)}, one a row; got {weights.shape}.")
    if not (np.all(np.isfinite(weights)) and np.all(weights >= 0) and np.any(weights > 0)):
        raise ValueError(f"`{name}` must be numbers of at least 0, and not all 0.")


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
    ) -> tuple[Shaped[Array, "*shape"], Float[Array, ""]]:
        """The example in model units, and log|dy/dx| in nats. Only dequantisation uses `key`."""

    @abc.abstractmethod
    def decode(self, y: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """Back to the user's units."""
