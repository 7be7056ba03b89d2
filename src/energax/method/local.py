"""Methods that compare a row with points around it, or with a mirror image."""

import dataclasses
from typing import Any

from energax import objective
from energax.method.contrast import Ratio
from energax.method.descent import AbstractDescentMethod
from energax.method.groundwork import Groundwork
from energax.options import above, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnergyDiscrepancy(AbstractDescentMethod):
    """Energy discrepancy: the energy of a row against that of its surroundings."""

    noise: float = option(
        "Standard deviation of the noise around a row, in model units.", above(0), default=0.3
    )
    ratio: Ratio

    name = "discrepancy"
    title = "energy discrepancy"
    source = "Schröder et al. (2023)"
    minimises = "energy of a row relative to that of its noisy copies"
    use = "as nce-conditional, with many copies of each row"
    trap = "noise so large that no copy is likely under the model"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.EnergyDiscrepancy(self.noise, self.ratio.noise_ratio)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinimumProbabilityFlow(AbstractDescentMethod):
    """Minimum probability flow: the first outflow of probability from the data."""

    noise: float = option(
        "Standard deviation of the step to a neighbour, in model units.", above(0), default=0.3
    )
    ratio: Ratio

    name = "flow"
    title = "minimum probability flow"
    source = "Sohl-Dickstein, Battaglino and DeWeese (2011)"
    minimises = "initial rate at which probability flows away from the data"
    use = "as nce-conditional"
    trap = "exponentials of energy differences have heavy tails"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.MinimumProbabilityFlow(self.noise, self.ratio.noise_ratio)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinimumKLContraction(AbstractDescentMethod):
    """Minimum KL contraction: what is lost by mixing a row with its mirror image."""

    ratio: Ratio

    name = "contraction"
    title = "minimum KL contraction"
    source = "Lyu (2011)"
    minimises = "KL divergence lost when each row is mixed with its mirror image"
    use = "to learn the weights of modes without chains"
    trap = "mirror images far from all data teach little"
    needs_base = True

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.MinimumKLContraction(ground.base, self.ratio.noise_ratio)
