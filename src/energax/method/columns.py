"""The method for tables of mixed columns: ranking, column by column."""

import dataclasses
from typing import Any

from energax import learner, objective
from energax.method import build
from energax.method.base import AbstractMethod
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam
from energax.options import DEPTH, Range, above, at_least, check, option

LOOKED_AT = 1000
"""Validation rows at most."""


@dataclasses.dataclass(frozen=True)
class ColumnBase:
    """What a network tilts, where chains start, and what proposes numbers."""

    components: int = option(
        "Components of the base, each of independent columns; of one, a number is a mixture of "
        "Gaussians.",
        at_least(1),
        default=1,
    )
    pseudocount: float = option(
        "Rows of the whole table that each component has seen besides its own.",
        above(0),
        default=1.0,
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "ColumnBase":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True)
class ColumnNetwork:
    """The network that is trained: pairs of columns, and a perceptron."""

    width: int = option(
        "Units of a layer of the perceptron; 0: pairs alone.", Range(0, 2**16), default=64
    )
    depth: int = option("Hidden layers of the perceptron.", DEPTH, default=1)
    knots: int = option("Steps of the staircase that codes a number.", at_least(1), default=8)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "ColumnNetwork":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True)
class Ranks:
    """What a cell is ranked among."""

    draws: int = option("Draws that the number of a row is ranked among.", at_least(1), default=32)
    columns: int = option("Random columns of a row in an update; 0: all.", at_least(0), default=2)
    prior: float = option("Precision of the normal prior of the weights.", at_least(0), default=1.0)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Ranks":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnRanking(AbstractMethod):
    """Column-wise ranking: which of several cells stands in a column, given the rest of the row?"""

    base: ColumnBase
    network: ColumnNetwork
    optimiser: Adam
    ranks: Ranks

    name = "columns"
    title = "column-wise ranking"
    source = "Ma and Collins (2018); Besag (1975)"
    minimises = "cross-entropy of picking the cell of a column, given the rest of the row"
    use = "tables of numbers and categories, with missing cells"
    trap = "it learns conditionals: clusters that no single column connects get any shares"
    spaces = ("columns",)
    networks = ("mlp",)

    @property
    def base_kind(self) -> str:
        return "columns"

    @property
    def base_title(self) -> str:
        count = self.base.components
        return "independent columns" if count == 1 else f"{count} components of independent columns"

    def fit_ground(self, rows: Any) -> tuple[Any, Any]:
        transform = build.standardise_columns(rows)
        return transform, self.fit_base(self.split(rows)[0], transform)

    def fit_base(self, rows: Any, transform: Any) -> Any:
        options, seed = self.base, self.training.seed
        return build.fit_column_base(
            rows, transform, options.components, options.pseudocount, seed=seed
        )

    def blank_base(self, schema: Any) -> Any:
        return build.blank_column_base(schema.space, self.base.components)

    @property
    def judged(self) -> bool:
        return True

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """The loss itself, of all columns, without the prior."""
        return objective.ColumnRanking(ground.base, self.ranks.draws), LOOKED_AT

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        ranks = self.ranks
        loss = objective.ColumnRanking(
            ground.base, ranks.draws, ranks.columns or None, ranks.prior / ground.rows
        )
        moves = build.make_optimiser(self.optimiser, self.training, ground.rows)
        made = learner.Descent(loss, moves, self.training.ema_decay or None)
        net = self.network
        return build.make_columns(ground, net.width, net.depth, net.knots, key=key), made
