"""Methods for bits and categories: mass functions, not densities."""

import abc
import dataclasses
from typing import Any, ClassVar

from energax import data, objective
from energax import learner as learners
from energax.method import build
from energax.method.base import AbstractMethod
from energax.method.groundwork import Groundwork
from energax.method.mass.parts import MassBase, MassNetwork, Validation
from energax.method.parts import Adam

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
    validation: Validation

    spaces: ClassVar[tuple[str, ...]] = ("bits", "categories")
    networks: ClassVar[tuple[str, ...]] = ("mlp", "conv", "rbm", "pairs")

    @property
    def base_kind(self) -> str:
        return self.base.kind

    def fit_ground(self, rows: Any) -> tuple[Any, Any]:
        train, _ = build.split_valid(self.validation, rows)
        base = build.fit_mass_base(self.base, train, rows.space, seed=self.training.seed)
        return data.Whole(), base

    def blank_base(self, schema: Any) -> Any:
        return build.blank_mass_base(self.base, schema.space)

    def training_rows(self, rows: Any) -> Any:
        """The training rows, without those to choose by."""
        return build.split_valid(self.validation, rows)[0]

    def count_rows(self, rows: Any) -> int:
        return len(self.training_rows(rows))

    @property
    def keeps_average(self) -> bool:
        return self.training.ema_decay > 0 or self.validation.validation_every > 0

    def wrap_learner(self, learner: Any, rows: Any) -> Any:
        """The learner, which keeps the weights that do best on validation rows."""
        if not self.validation.validation_every:
            return learner
        valid = build.split_valid(self.validation, rows)[1]
        loss, most = self.make_criterion(rows)
        some = build.choose_rows(valid, most)
        return learners.KeepBest(learner, loss, some, self.validation.validation_every)

    def make_criterion(self, rows: Any) -> tuple[Any, int]:
        """The loss that validation rows are looked at by, and how many of them at most.

        The exact likelihood of a small space, else the pseudo-likelihood.
        """
        if rows.space.enumerable:
            return objective.ExactLikelihood(), len(rows.train)
        sites = SITES if rows.space.sites > SITES else None
        return objective.PseudoLikelihood(sites), LOOKED_AT

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
