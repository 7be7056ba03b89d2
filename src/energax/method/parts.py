"""What several methods have in common: schedule, units, base, network, optimiser, validation."""

import dataclasses
from typing import Literal

from energax.method.kind import Kind
from energax.options import (
    CHUNK,
    DEPTH,
    FRACTION,
    PROBABILITY,
    SEED,
    WIDTH,
    above,
    at_least,
    check,
    option,
)

Transform = Literal["none", "standardise", "whiten", "box", "marginal"]
BOX = (-1.0, 1.0)
"""Where the transform `box` puts the data, and the base `box` lives."""

Covariance = Literal["full", "tied", "diag"]
CHOSEN = "chosen on held-out rows"
"""What is left open until rows decide."""

BaseKind = Literal["gaussian", "mixture", "flow", "box", "none"]
NetworkKind = Literal["mlp", "conv", "shallow"]


@dataclasses.dataclass(frozen=True)
class Training:
    """How long, on how many rows, from which seed."""

    steps: int = option("Updates.", at_least(1), default=3000)
    batch_size: int = option("Rows in each update.", at_least(1), default=256)
    ema_decay: float = option(
        "Running average of the weights; 0 keeps none.", FRACTION, default=0.99
    )
    seed: int = option("Seed of everything random in the run.", SEED, default=0)
    chunk_steps: int = option(
        "Updates in one compiled program, between two lines of the log.", CHUNK, default=100
    )
    checkpoint_every: int = option(
        "Updates between checkpoints, rounded up to a chunk.", at_least(1), default=500
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Training":
        """What suits most methods on a kind of data."""
        match kind:
            case "plane":
                return cls(steps=2000, batch_size=512, ema_decay=0.995)
            case "table":
                return cls(steps=3000)
            case "small image":
                return cls(steps=1500, ema_decay=0.999)
            case "image":
                return cls(steps=2000, batch_size=64, chunk_steps=10, checkpoint_every=100)
            case "bits" | "categories":
                return cls(steps=4000, batch_size=128)
            case "mixed":
                return cls(steps=2000, batch_size=128)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The units that the model works in."""

    transform: Transform = option(
        "standardise, whiten, box ([-1, 1]), marginal (Gaussian) or none.",
        default="standardise",
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Inputs":
        """What suits most methods on a kind of data."""
        match kind:
            case "small image":
                return cls("marginal")
            case "image":
                return cls("box")
        return cls()


@dataclasses.dataclass(frozen=True)
class Base:
    """The distribution that the network tilts and that chains start from."""

    kind: BaseKind = option(
        "Base: gaussian, mixture, flow (fitted), box (uniform) or none.",
        default="mixture",
        name="base",
    )
    components: int | None = option(
        "Gaussians of a base that is a mixture.", at_least(1), default=None, unset=CHOSEN
    )
    covariance: Covariance | None = option(
        "Their covariances: full, tied (one for all), diag.", default=None, unset=CHOSEN
    )
    ridge: float | None = option(
        "Variance that is added to each axis, in model units.",
        at_least(0),
        default=None,
        unset=CHOSEN,
    )

    def __post_init__(self):
        check(self)

    @property
    def settled(self) -> bool:
        """Is nothing left to be chosen on rows?"""
        fitted = self.kind in ("gaussian", "mixture")
        return not fitted or None not in (self.components, self.covariance, self.ridge)

    def __str__(self) -> str:
        if self.kind not in ("gaussian", "mixture") or not self.settled:
            return self.kind
        count = "1 Gaussian" if self.components == 1 else f"{self.components} Gaussians"
        return f"{count}, {self.covariance} covariance, ridge {self.ridge:g}"

    @classmethod
    def usual(cls, kind: Kind) -> "Base":
        """What suits most methods on a kind of data."""
        match kind:
            case "plane":
                return cls("gaussian")
            case "image":
                return cls("box")
        return cls()


@dataclasses.dataclass(frozen=True)
class Perceptron:
    """A multilayer perceptron."""

    width: int = option("Units of a layer.", WIDTH, default=128)
    depth: int = option("Hidden layers.", DEPTH, default=2)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Perceptron":
        """What suits most methods on a kind of data."""
        match kind:
            case "small image":
                return cls(width=256)
            case "image":
                return cls(width=8)
        return cls()


@dataclasses.dataclass(frozen=True)
class Network:
    """The network that is trained."""

    kind: NetworkKind = option(
        "mlp (perceptron), conv (convolutions), shallow (one hidden layer).",
        default="mlp",
        name="network",
    )
    width: int = option(
        "Units of a layer, or channels of the first convolution.", WIDTH, default=128
    )
    depth: int = option("Hidden layers, or residual blocks.", DEPTH, default=2)
    spectral: bool = option("Bound the spectral norm of each convolution by 1.", default=False)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Network":
        """What suits most methods on a kind of data."""
        match kind:
            case "small image":
                return cls(width=256)
            case "image":
                return cls("conv", width=8)
        return cls()


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with clipped gradients and a learning rate that falls; its moments for all networks."""

    learning_rate: float = option(
        "Learning rate of the energy at the start.", above(0), default=1e-3
    )
    learning_rate_decay: float = option(
        "Factor of learning rates after each pass over the rows; 0: cosine.",
        PROBABILITY,
        default=0.0,
    )
    weight_decay: float = option("Decoupled weight decay of the energy.", at_least(0), default=0.0)
    clip: float = option("Largest norm of a gradient.", above(0), default=1.0)
    momentum: float = option("Running average of the gradient (b1).", FRACTION, default=0.9)
    square_momentum: float = option(
        "Running average of the squared gradient (b2).", FRACTION, default=0.999
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Adam":
        """What suits most methods on a kind of data."""
        match kind:
            case "plane":
                return cls(learning_rate=5e-3)
            case "small image":
                return cls(weight_decay=1.0)
            case "image":
                return cls(learning_rate=5e-4)
            case "mixed":
                return cls(learning_rate=3e-3)
        return cls()


@dataclasses.dataclass(frozen=True)
class Validation:
    """Rows to choose by: those of the data set, else a share of the training rows."""

    validation: float = option(
        "Share of the training rows to choose base, end and weights by.",
        FRACTION,
        default=0.1,
        off=0.0,
    )
    validation_every: int = option(
        "Updates between two looks at these rows; the best weights are kept.",
        at_least(1),
        default=100,
    )
    patience: int = option(
        "Looks without a better one after which training ends; 0: never.", at_least(0), default=10
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Validation":
        """What suits most methods on a kind of data."""
        match kind:
            case "image":
                return cls(validation_every=200)
            case "bits" | "categories":
                return cls(patience=0)
        return cls()
