"""Rows with a fixed split and a fingerprint, and the contract of the maps to model units."""

import abc
import dataclasses
import hashlib

import equinox as eqx
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, Shaped

from energax.energy import AbstractLaw


@dataclasses.dataclass(frozen=True)
class Dataset:
    """`train` and `test` are fixed at birth, in the user's units; `digest` names their bytes.

    `levels`: for integers 0..levels-1 (images, counts), how many; None for real numbers.
    `columns`: names of the columns of a table. `law`: the exact law, where one is known.
    """

    name: str
    train: Shaped[np.ndarray, " train *shape"]
    test: Shaped[np.ndarray, " test *shape"]
    levels: int | None = None
    columns: tuple[str, ...] | None = None
    law: AbstractLaw | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.train.shape[1:]

    @property
    def digest(self) -> str:
        """SHA-256 over dtype, shape and bytes of both parts."""
        parts = [f"{a.dtype}{a.shape}".encode() + a.tobytes() for a in (self.train, self.test)]
        return hashlib.sha256(b"".join(parts)).hexdigest()


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
