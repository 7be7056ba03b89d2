"""Noise-contrastive estimation of a mass function: rows against draws of the base."""

import dataclasses
from typing import Any

from energax import energy, objective
from energax.method import build
from energax.method.contrast import Ratio
from energax.method.groundwork import Groundwork
from energax.method.mass.base import AbstractMassMethod


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseContrastiveEstimation(AbstractMassMethod):
    """Noise-contrastive estimation: classify rows against draws of the base."""

    ratio: Ratio

    name = "nce"
    title = "noise-contrastive estimation"
    source = "Gutmann and Hyvarinen (2012)"
    minimises = "cross-entropy of classifying data against draws of the base"
    use = "a base that is close to the data (tree, mixture): log Z is learned"
    trap = "with a base far from the data a crude energy classifies well, and learning stops"

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The energy, plus a constant that ends near log Z."""
        return energy.Normalised(build.make_mass(self.network, ground, key=key))

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.NoiseContrastiveEstimation(ground.base, self.ratio.noise_ratio)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankingNoiseContrastiveEstimation(AbstractMassMethod):
    """Ranking noise-contrastive estimation: which of several rows is the data row?"""

    ratio: Ratio

    name = "nce-ranking"
    title = "ranking noise-contrastive estimation"
    source = "Ma and Collins (2018)"
    minimises = "cross-entropy of picking the data row among draws of the base"
    use = "as nce, without a learned log Z"
    trap = "as nce"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.RankingNoiseContrastiveEstimation(ground.base, self.ratio.noise_ratio)
