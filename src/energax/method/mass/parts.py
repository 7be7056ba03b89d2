"""What several methods for bits and categories have in common: base, network, chain."""

import dataclasses
from typing import Literal

from energax.method.kind import Kind
from energax.options import DEPTH, WIDTH, above, at_least, check, option

MassBaseKind = Literal["sites", "mixture", "tree", "uniform"]
MassNetworkKind = Literal["mlp", "conv", "rbm", "pairs"]
Kernel = Literal["gibbs", "gradients", "langevin", "path"]


@dataclasses.dataclass(frozen=True)
class MassBase:
    """What a network tilts, where chains start, and what noise is drawn from."""

    kind: MassBaseKind = option(
        "Base distribution: sites (independent), mixture (of such), tree (Chow-Liu), uniform.",
        default="mixture",
        name="base",
    )
    components: int = option("Components of a base that is a mixture.", at_least(1), default=10)
    pseudocount: float = option(
        "Rows of the uniform distribution that are added to the data's frequencies.",
        above(0),
        default=1.0,
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "MassBase":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True)
class MassNetwork:
    """The energy that is trained."""

    kind: MassNetworkKind = option(
        "mlp (perceptron) or conv, which tilt the base; rbm (restricted Boltzmann machine) or "
        "pairs (Boltzmann machine, Potts model), which stand alone.",
        default="mlp",
        name="network",
    )
    width: int = option(
        "Units of a layer, hidden units, or channels of the first convolution.", WIDTH, default=64
    )
    depth: int = option("Hidden layers, or residual blocks.", DEPTH, default=2)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "MassNetwork":
        """What suits most methods on a kind of data."""
        return cls("pairs") if kind == "categories" else cls()


@dataclasses.dataclass(frozen=True)
class MassChain:
    """The Markov chains of the model's samples."""

    kernel: Kernel = option(
        "gibbs (in blocks for an rbm), gradients (Gibbs with gradients), langevin (discrete, "
        "Metropolis-adjusted), path (path-auxiliary).",
        default="gibbs",
    )
    chain_steps: int = option(
        "Steps of each chain in an update: a sweep of all sites for gibbs.", at_least(1), default=1
    )
    step_size: float = option("a of discrete Langevin steps.", above(0), default=0.2)
    path_length: int = option("Sites of a path-auxiliary move, on average.", at_least(1), default=4)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "MassChain":
        """What suits most methods on a kind of data."""
        return cls()
