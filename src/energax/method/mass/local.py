"""Methods that compare a row with its neighbours, or sum over all points: no chains."""

import dataclasses
from typing import Any

from energax import objective
from energax.errors import InputError
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.mass.base import AbstractMassDescent
from energax.options import above, at_least, check, option


@dataclasses.dataclass(frozen=True)
class Sites:
    """How many sites of a row are looked at."""

    sites: int = option("Random sites of each row in an update; 0: all.", at_least(0), default=0)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Sites":
        """What suits most methods on a kind of data."""
        return cls()

    @property
    def count(self) -> int | None:
        """The number, None for all."""
        return self.sites or None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExactLikelihood(AbstractMassDescent):
    """Maximum likelihood, with Z summed over all points."""

    name = "exact"
    title = "exact maximum likelihood"
    source = "a sum over all points"
    minimises = "negative log-likelihood, Z by enumeration"
    use = "up to 20 bits: nothing is better"
    trap = "it memorises small data sets: keep validation rows"

    def check_ground(self, rows: Any) -> None:
        if not rows.space.enumerable:
            raise InputError(
                f"--method exact sums over all points, at most 2^20; {rows.name} has "
                f"{rows.space.states}^{rows.space.sites}: choose pcd, ladder or pseudo-likelihood."
            )

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ExactLikelihood()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PseudoLikelihood(AbstractMassDescent):
    """Pseudo-likelihood: the probability of each site given the others."""

    local: Sites

    name = "pseudo-likelihood"
    title = "pseudo-likelihood"
    source = "Besag (1975)"
    minimises = "the sum of -log p(site given the others)"
    use = "couplings of pairs (contacts, inverse Ising): fast, without chains"
    trap = "modes that no single change connects get any weights"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.PseudoLikelihood(self.local.count)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatioMatching(AbstractMassDescent):
    """Ratio matching: the Brier score of each site given the others."""

    local: Sites

    name = "ratio-matching"
    title = "ratio matching"
    source = "Hyvarinen (2007)"
    minimises = "the Brier score of each site given the others"
    use = "as pseudo-likelihood, where outliers disturb it"
    trap = "no gradient where the model is badly wrong: start from pseudo-likelihood"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.RatioMatching(self.local.count)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeighbourFlow(AbstractMassDescent):
    """Minimum probability flow from the data to their neighbours."""

    local: Sites
    ratio_clip: float = option(
        "Log-ratio of probabilities from which on the gradient no longer grows.",
        above(0),
        default=10.0,
    )

    name = "flow"
    title = "minimum probability flow"
    source = "Sohl-Dickstein et al. (2011)"
    minimises = "the flow of probability from data to neighbours"
    use = "as pseudo-likelihood"
    trap = "its gradient grows with the square root of a ratio: bad starts dominate"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.NeighbourFlow(self.local.count, self.ratio_clip)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConcreteScoreMatching(AbstractMassDescent):
    """Concrete score matching: least squares of the ratios to neighbours."""

    local: Sites
    ratio_clip: float = option(
        "Log-ratio of probabilities from which on the gradient no longer grows.",
        above(0),
        default=3.0,
    )

    name = "concrete-score"
    title = "concrete score matching"
    source = "Meng et al. (2022)"
    minimises = "squared error of the ratios p(neighbour) / p(row)"
    use = "to refine an energy that is nearly right"
    trap = "explodes where a ratio is badly wrong"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ConcreteScoreMatching(self.local.count, self.ratio_clip)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SiteDiscrepancy(AbstractMassDescent):
    """Energy discrepancy: a row is ranked among copies with changed sites."""

    flip_probability: float = option(
        "Probability that a site of a copy is changed, twice.", above(0), default=0.1
    )
    copies: int = option("Copies that each row is ranked among.", at_least(1), default=32)

    name = "discrepancy"
    title = "energy discrepancy"
    source = "Schröder et al. (2024)"
    minimises = "the loss of ranking a row among perturbed copies"
    use = "networks on many sites: no chains, no gradients in x"
    trap = "far copies teach nothing, near ones miss the weights of modes"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.SiteDiscrepancy("flip", self.flip_probability, self.copies)
