"""Score matching, and minimum velocity, its flow of probability."""

import dataclasses
from typing import Any, ClassVar, Literal

from energax import objective
from energax.method.descent import AbstractDescentMethod
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.options import at_least, check, option

Direction = Literal["rademacher", "gaussian", "sphere"]


@dataclasses.dataclass(frozen=True)
class Projections:
    """Random directions along which scores are compared."""

    projections: int = option("Random directions for each row.", at_least(1), default=1)
    direction: Direction = option(
        "Distribution of the directions: rademacher, gaussian or sphere.", default="rademacher"
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Projections":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImplicitScoreMatching(AbstractDescentMethod):
    """Score matching with the exact trace of the Hessian."""

    name = "sm"
    title = "implicit score matching"
    source = "Hyvarinen (2005)"
    minimises = "Fisher divergence, with the exact trace of the Hessian"
    use = "up to a few dozen dimensions"
    trap = "as ssm, and the cost grows with the dimension"
    unsuited: ClassVar[dict[Kind, str]] = {
        "image": "it takes the whole Hessian of each row; choose ssm"
    }

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ImplicitScoreMatching()


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlicedScoreMatching(AbstractDescentMethod):
    """Sliced score matching: the Hessian along random directions only."""

    slices: Projections
    plain: bool = option("The plain form instead of the variance-reduced one.", default=False)

    name = "ssm"
    title = "sliced score matching"
    source = "Song et al. (2019)"
    minimises = "Fisher divergence along random directions"
    use = "smooth energies: no chains, no noise"
    trap = (
        "constant or rounded columns make it unbounded below; weights of distant modes are hardly "
        "learned"
    )

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.SlicedScoreMatching(
            self.slices.projections, not self.plain, self.slices.direction
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FiniteDifferenceScoreMatching(AbstractDescentMethod):
    """Sliced score matching from values of the energy alone."""

    slices: Projections

    name = "ssm-finite"
    title = "finite-difference score matching"
    source = "Pang et al. (2020)"
    minimises = "as ssm, from values of the energy alone"
    use = "when second derivatives cost too much"
    trap = "cancellation in float32"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.FiniteDifferenceScoreMatching(
            projections=self.slices.projections, direction=self.slices.direction
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinimumVelocity(AbstractDescentMethod):
    """Minimum velocity learning: how fast the data would flow to the model."""

    name = "velocity"
    title = "minimum velocity learning"
    source = "Movellan (2008); Wang et al. (2020)"
    minimises = "speed at which the data flow to the model: twice the Fisher divergence"
    use = "as ssm"
    trap = "as ssm"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.MinimumVelocity()
