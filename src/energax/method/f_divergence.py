"""Training by an f-divergence, whose variational form a critic learns."""

import abc
import dataclasses
from typing import Any, Literal, TypeVar

from energax import energy, learner, network
from energax.method.contrast import Ratio
from energax.method.game import AbstractGameMethod, RivalWidth
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.options import replace

T = TypeVar("T", bound="AbstractFDivergence")

Divergence = Literal["kl", "reverse-kl", "js", "hellinger", "pearson"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractFDivergence(AbstractGameMethod):
    """An f-divergence, by a critic; samples of the model are weighted draws of the base."""

    width: RivalWidth
    ratio: Ratio

    source = "Yu et al. (2020)"
    trap = "where the model is far from the base, few samples carry all the weight"
    needs_base = True

    @property
    @abc.abstractmethod
    def divergence(self) -> Divergence:
        """Which one."""

    @classmethod
    def preset(cls: type[T], kind: Kind) -> T:
        usual = cls.usual(kind)
        if kind == "plane":
            return replace(usual, learning_rate=1e-2, rival_learning_rate=1e-2, noise_ratio=4)
        return usual

    def make_rules(self, ground: Groundwork) -> Any:
        source = learner.FromDistribution(ground.base, self.ratio.noise_ratio)
        return learner.FDivergence(source, self.divergence)

    def make_rival(self, ground: Groundwork, *, key: Any) -> Any:
        wide, depth = self.width.rival_width, self.network.depth
        return energy.Tilt(ground.base, network.MLP(ground.base.shape, wide, depth, key=key))


@dataclasses.dataclass(frozen=True, kw_only=True)
class KullbackLeibler(AbstractFDivergence):
    """Kullback-Leibler divergence of the data from the model, by a critic."""

    name = "f-kl"
    title = "f-divergence: Kullback-Leibler"
    minimises = "KL(data | model), with a learned critic"
    use = "misspecified models: as maximum likelihood, covers every mode"

    @property
    def divergence(self) -> Divergence:
        return "kl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReverseKullbackLeibler(AbstractFDivergence):
    """Kullback-Leibler divergence of the model from the data, by a critic."""

    name = "f-reverse-kl"
    title = "f-divergence: reverse Kullback-Leibler"
    minimises = "KL(model | data), with a learned critic"
    use = "misspecified models: prefers the largest mode"
    trap = "diverges with momentum; few samples of the base carry all the weight"

    @property
    def divergence(self) -> Divergence:
        return "reverse-kl"

    @classmethod
    def preset(cls, kind: Kind) -> "ReverseKullbackLeibler":
        usual = cls.usual(kind)
        if kind != "plane":
            return usual
        # Its exponential is in both gradients: with momentum the players overshoot.
        return replace(
            usual,
            learning_rate=1e-2,
            rival_learning_rate=1e-2,
            noise_ratio=4,
            momentum=0.0,
            rounds=2,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class JensenShannon(AbstractFDivergence):
    """Jensen-Shannon divergence, by a critic."""

    name = "f-js"
    title = "f-divergence: Jensen-Shannon"
    minimises = "twice the Jensen-Shannon divergence, with a learned critic"
    use = "misspecified models: between f-kl and f-reverse-kl; try it first"

    @property
    def divergence(self) -> Divergence:
        return "js"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hellinger(AbstractFDivergence):
    """Squared Hellinger distance, by a critic."""

    name = "f-hellinger"
    title = "f-divergence: squared Hellinger"
    minimises = "squared Hellinger distance, with a learned critic"
    use = "misspecified models: as f-js"

    @property
    def divergence(self) -> Divergence:
        return "hellinger"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pearson(AbstractFDivergence):
    """Pearson chi-squared divergence, by a critic."""

    name = "f-pearson"
    title = "f-divergence: Pearson"
    minimises = "Pearson chi-squared divergence, with a learned critic"
    use = "misspecified models: covers more than f-kl"
    trap = "diverges with momentum; few samples of the base carry all the weight"

    @property
    def divergence(self) -> Divergence:
        return "pearson"

    @classmethod
    def preset(cls, kind: Kind) -> "Pearson":
        usual = cls.usual(kind)
        if kind != "plane":
            return usual
        return replace(
            usual, learning_rate=1e-2, rival_learning_rate=1e-2, noise_ratio=4, momentum=0.0
        )
