"""Noise-contrastive estimation and its kin: classify rows against other points."""

import dataclasses
from typing import Any, Literal

from energax import energy, objective
from energax.method import build
from energax.method.descent import AbstractDescentMethod
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.options import RATIO, above, check, option

Divergence = Literal["logistic", "kl", "squared"]

USUAL_RATIO = {"plane": 2, "small image": 1}
"""Points that each row is compared with, by kind of data; 4 for the others."""


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How many points each row is compared with."""

    noise_ratio: int = option("Points that each row is compared with.", RATIO, default=4)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Ratio":
        """What suits most methods on a kind of data."""
        return cls(USUAL_RATIO.get(kind, 4))


@dataclasses.dataclass(frozen=True)
class Contrast:
    """Noise rows, and the divergence of the density ratio that is minimised."""

    ratio: Ratio = dataclasses.field(default_factory=Ratio)
    divergence: Divergence = option(
        "Bregman divergence of the density ratio: logistic, kl (importance sampling), squared.",
        default="logistic",
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Contrast":
        """What suits most methods on a kind of data."""
        return cls(Ratio.usual(kind))

    def make(self, ground: Groundwork) -> Any:
        """Noise-contrastive estimation against draws of the base."""
        return objective.NoiseContrastiveEstimation(
            ground.base, self.ratio.noise_ratio, self.divergence
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseContrastiveEstimation(AbstractDescentMethod):
    """Noise-contrastive estimation: classify rows against noise of a known distribution."""

    contrast: Contrast

    name = "nce"
    title = "noise-contrastive estimation"
    source = "Gutmann and Hyvarinen (2012)"
    minimises = "cross-entropy of classifying data against noise of a known distribution"
    use = "tables, small images, 2-D data: no chains, and log Z is learned"
    trap = "with noise far from the data a crude energy classifies well, and learning stops"
    needs_base = True

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The energy, plus a constant that ends near log Z."""
        return energy.Normalised(build.make_energy(self.network, ground, key=key))

    def make_objective(self, ground: Groundwork) -> Any:
        return self.contrast.make(ground)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankingNoiseContrastiveEstimation(AbstractDescentMethod):
    """Ranking noise-contrastive estimation: which of several rows is the data row?"""

    ratio: Ratio

    name = "nce-ranking"
    title = "ranking noise-contrastive estimation"
    source = "Ma and Collins (2018)"
    minimises = "cross-entropy of picking the data row among noise rows"
    use = "as nce, without a learned log Z"
    trap = "as nce"
    needs_base = True

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.RankingNoiseContrastiveEstimation(ground.base, self.ratio.noise_ratio)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionalNoiseContrastiveEstimation(AbstractDescentMethod):
    """Conditional noise-contrastive estimation: classify a row against its noisy copies."""

    noise: float = option(
        "Standard deviation of the noise of the copies, in model units.", above(0), default=0.3
    )
    ratio: Ratio

    name = "nce-conditional"
    title = "conditional noise-contrastive estimation"
    source = "Ceylan and Gutmann (2018)"
    minimises = "cross-entropy of classifying a row against its noisy copies"
    use = "when no noise distribution is close to the data"
    trap = "small noise: vanishing gradients; large noise: a crude energy classifies well"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ConditionalNoiseContrastiveEstimation(self.noise, self.ratio.noise_ratio)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfPerturbedNoiseContrastiveEstimation(AbstractDescentMethod):
    """Noise-contrastive estimation between a row and one noisy copy of it, on both sides."""

    noise: float = option(
        "Standard deviation of the noise of the copy, in model units.", above(0), default=0.3
    )

    name = "nce-self"
    title = "self-perturbed noise-contrastive estimation"
    source = "Song and Kingma (2021), eq. 25-26"
    minimises = "cross-entropy of classifying a row against two opposite noisy copies"
    use = "as nce-conditional, with lower variance"
    trap = "as nce-conditional"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.SelfPerturbedNoiseContrastiveEstimation(self.noise)


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointLikelihood(AbstractDescentMethod):
    """A classifier that is a density too: noise contrast of rows, cross-entropy of their labels."""

    contrast: Contrast
    label_weight: float = option(
        "Weight of the cross-entropy of the labels.", above(0), default=1.0
    )

    name = "joint"
    title = "joint likelihood of rows and labels"
    source = "Grathwohl et al. (2020)"
    minimises = "the loss of nce plus cross-entropy of the labels, by one network"
    use = "rows with labels: a classifier that is also a density"
    trap = "accuracy says nothing about the density"
    needs_base = True
    classifies = True
    networks = ("mlp", "conv")

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The logits, one for each label, read as an energy."""
        net = build.make_network(
            self.network, ground.base.shape, ground.transform, out=ground.labels, key=key
        )
        logits = energy.Classifier(net, ground.base.shape, ground.labels)
        return energy.Tilt(ground.base, logits)

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.JointLikelihood(self.contrast.make(ground), self.label_weight)

    def training_rows(self, rows: Any) -> Any:
        """Rows with their labels."""
        return rows.labelled[0]

    def validation_rows(self, rows: Any) -> Any:
        """Likewise."""
        return rows.labelled[0]
