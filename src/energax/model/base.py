"""A trained model: an energy, its units, and everything that can be asked of it."""

import dataclasses
import functools
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree, Shaped

from energax import model as room
from energax.data import AbstractTransform, Schema
from energax.energy import AbstractDistribution, Tempered
from energax.errors import InputError
from energax.evaluate import LogZ
from energax.method import AbstractMethod, TrainingChain
from energax.method.chain import LatentWalk

Rows = Shaped[np.ndarray, " size *shape"]
Source = Literal["energy", "generator", "generator-chain"]


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained energy p(x) = exp(-E(x)) / Z, its base, and the map from your units to its own.

    Methods take and give rows in your units: those of the training data.

    Args:
        trained: The energy that was trained, in model units.
        base: The base distribution, in model units: chains and annealing start from it.
        transform: The map from your units to model units.
        schema: Shape, levels and columns of the rows.
        method: How it was trained, with every option.
        players: All networks of a game or of teaching; None for an energy that learned alone.
        measured_log_z: log Z with its interval, or why there is none; None if not yet measured.
        own_energy: The class of the energy, where it is the user's own; None for a network.
        witnesses: Training rows, in your units, where mass should be; they are not saved. None for
            a model that was loaded.
    """

    trained: Any
    base: AbstractDistribution
    transform: AbstractTransform
    schema: Schema
    method: AbstractMethod
    players: PyTree = None
    measured_log_z: LogZ | str | None = None
    own_energy: str | None = None
    witnesses: Rows | None = None

    @property
    def raw(self) -> Any:
        """The energy as trained, of which `energy` is at temperature 1; of many levels of noise,
        that at the lowest."""
        return self.method.select_energy(self.trained)

    @property
    def cold(self) -> bool:
        """Was it trained by chains at another temperature than 1?"""
        return abs(self.method.temperature - 1) > 1e-6

    @property
    def energy(self) -> Any:
        """The energy at temperature 1, in model units: that of training, over its temperature."""
        return Tempered(self.raw, self.method.temperature) if self.cold else self.raw

    @property
    def training_chain(self) -> TrainingChain | None:
        """The chain that samples the model as it was trained; None where exact MCMC serves."""
        return self.method.training_chain

    @property
    def latent_chain(self) -> LatentWalk:
        """The chain on latent vectors. Raises InputError for a model without a generator."""
        found = self.method.latent_chain
        return LatentWalk() if found is None else found

    @functools.cached_property
    def log_z(self) -> LogZ | str:
        """log Z with its interval, or why it was not attempted; measured at the first use."""
        if self.measured_log_z is not None:
            return self.measured_log_z
        return room.estimate_log_z(self, self.witnesses, key=jax.random.key(0))

    def energy_of(self, rows: Any) -> Float[np.ndarray, " size"]:
        """E of each row in nats; of whole numbers, the mean over fixed dequantisations.

        Raises InputError for rows of another kind than the model was trained on.
        """
        return room.score_rows(self, rows).energies.mean(axis=0)

    def log_density(self, rows: Any) -> Float[np.ndarray, " size"]:
        """log p of each row in nats, in your units; of whole numbers, on the unit box.

        The first call measures log Z, unless `measure` did. Raises InputError for rows of another
        kind than the model was trained on, and where log Z is not certified.
        """
        scores = room.score_rows(self, rows)
        return scores.log_densities(self.certified_log_z)

    @property
    def certified_log_z(self) -> float:
        """log Z in nats. Raises InputError where it is not certified, and says why."""
        if self.schema.forbidden is not None:
            raise InputError(f"There is no log-density. {self.schema.forbidden}")
        found = self.log_z
        if isinstance(found, str):
            raise InputError(f"There is no log-density. {found}")
        if not found.certified:
            raise InputError(f"log Z is not certified, so there is no log-density. {found.why}")
        return found.value

    def score_rows(self, rows: Any) -> Float[np.ndarray, " size *shape"]:
        """The score d log p / dx of each row in model units, which needs no log Z."""
        return room.score_gradient(self, rows)

    def sample(self, count: int, *, key: PRNGKeyArray, by: Source = "energy") -> Any:
        """New rows: an array; of mixed columns a polars frame, null in missing cells.

        Args:
            count: How many.
            key: A key of `jax.random`.
            by: `energy`: chains, exact but for what is left of their start, or the chains of
                training for a model trained cold. `generator`: g(z), without a chain.
                `generator-chain`: g(z), then the chain of training.

        Raises InputError for a generator that the model has not.
        """
        return room.show_rows(self, room.sample_rows(self, count, by=by, key=key).rows)

    def inpaint(
        self, rows: Any, hidden: Bool[np.ndarray, " size *shape"], *, key: PRNGKeyArray
    ) -> Any:
        """Rows with the `hidden` numbers drawn from p(hidden | known), one sample for each row.

        An array; of mixed columns a polars frame.
        """
        found = room.inpaint(self, room.check_rows(self, rows, hidden), hidden, key=key)
        return room.show_rows(self, found.rows)

    def impute(self, rows: Any, *, key: PRNGKeyArray) -> Any:
        """Rows of mixed columns with every missing cell drawn from p(missing | known): a frame.

        Raises InputError for a model of other rows.
        """
        return room.show_rows(self, room.impute(self, rows, key=key))

    def measure_surprise(self, rows: Any) -> Float[np.ndarray, " size columns"]:
        """-log p(cell given the rest of its row), nats, of mixed columns; NaN where missing.

        Raises InputError for a model of other rows.
        """
        return room.measure_surprise(self, rows)

    def encode(self, rows: Any, *, key: PRNGKeyArray) -> Float[Array, " size latent"]:
        """Latent vectors of rows: the encoder's mean, refined by the chain of training.

        Raises InputError for a model without a generator.
        """
        return room.encode(self, rows, key=key).ends

    def decode(self, z: Float[Array, " size latent"]) -> Rows:
        """What the generator makes of latent vectors."""
        return room.decode(self, z)

    def reconstruct(self, rows: Any, *, key: PRNGKeyArray) -> Rows:
        """What the generator makes of the latent vectors of rows."""
        return room.reconstruct(self, rows, key=key).rows

    def interpolate(
        self, starts: Any, ends: Any, points: int, *, key: PRNGKeyArray
    ) -> Shaped[np.ndarray, " lines points *shape"]:
        """What the generator makes along straight lines in z, from each start to its end."""
        return room.interpolate(self, starts, ends, points, key=key)

    def save(self, path: Path | str) -> None:
        """Write the model into a new folder, which `energax.load` reads.

        Raises InputError where the folder exists.
        """
        room.save(self, Path(path))
