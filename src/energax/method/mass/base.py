"""Methods for bits and categories: mass functions, not densities."""

import abc
import dataclasses
from typing import Any, ClassVar

from energax import data, objective
from energax import learner as learners
from energax.method import build
from energax.method.base import AbstractMethod
from energax.method.groundwork import Groundwork
from energax.method.mass.parts import MassBase, MassNetwork
from energax.method.parts import Adam
from energax.options import LARGEST

LOOKED_AT = 1000
"""Validation rows at most, where the loss of each takes an energy for every site."""

SITES = 64
"""Random sites of a validation row, where it has more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractMassMethod(AbstractMethod):
    """One energy of bits or categories, trained by gradients and chosen on validation rows."""

    base: MassBase
    network: MassNetwork
    optimiser: Adam

    spaces: ClassVar[tuple[str, ...]] = ("bits", "categories")
    networks: ClassVar[tuple[str, ...]] = ("mlp", "conv", "rbm", "pairs")

    @property
    def base_kind(self) -> str:
        return self.base.kind

    def fit_ground(self, rows: Any) -> tuple[Any, Any]:
        transform = data.Whole()
        return transform, self.fit_base(self.split(rows)[0], transform)

    def fit_base(self, rows: Any, transform: Any) -> Any:
        some = self.training_rows(rows)
        return build.fit_mass_base(self.base, some, rows.space, seed=self.training.seed)

    def blank_base(self, schema: Any) -> Any:
        return build.blank_mass_base(self.base, schema.space)

    @property
    def judged(self) -> bool:
        return True

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """The exact likelihood of a small space, else the pseudo-likelihood."""
        where = ground.base.space
        if where.enumerable:
            return objective.ExactLikelihood(), LARGEST
        return objective.PseudoLikelihood(SITES if where.sites > SITES else None), LOOKED_AT

    def training_rows(self, rows: Any) -> Any:
        """The rows to train on, with their weights where they have such."""
        return (
            rows.train if rows.row_weights is None else data.Weighted(rows.train, rows.row_weights)
        )

    def validation_rows(self, rows: Any) -> Any:
        return self.training_rows(rows)

    def fit_players(self, players: Any, rows: Any, transform: Any) -> Any:
        """The energy, its biases set to the frequencies of the training rows where it has such."""
        return build.fit_biases(players, self.training_rows(rows), rows.space)

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The energy before training."""
        return build.make_mass(self.network, ground, key=key)

    def make_optimiser(self, ground: Groundwork) -> Any:
        """Adam; of restricted Boltzmann machines with centred gradients."""
        made = build.make_optimiser(self.optimiser, self.training, ground.rows)
        return learners.centre(made) if self.network.kind == "rbm" else made

    @abc.abstractmethod
    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        """The energy, new, and the learner."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractMassDescent(AbstractMassMethod):
    """A method that lowers one objective by Adam."""

    @abc.abstractmethod
    def make_objective(self, ground: Groundwork) -> Any:
        """The objective that is minimised."""

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        decay = self.training.ema_decay or None
        made = learners.Descent(self.make_objective(ground), self.make_optimiser(ground), decay)
        return self.make_energy(ground, key=key), made
