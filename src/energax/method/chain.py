"""The Markov chains that methods run in each update, and networks that learn beside the energy."""

import dataclasses
import math

from energax import sampler
from energax.method.kind import Kind
from energax.method.parts import BOX, Base
from energax.options import PROBABILITY, above, at_least, check, option


@dataclasses.dataclass(frozen=True)
class NoisePath:
    """Noise levels that a draw goes down, highest first, in model units.

    `churn`: noise that is added on the way, in all; see `sampler.heun_flow`.
    """

    levels: tuple[float, ...]
    churn: float


@dataclasses.dataclass(frozen=True)
class Walk:
    """Length and step of a chain."""

    chain_steps: int = option("Steps of each chain in an update.", at_least(0), default=20)
    step_size: float = option(
        "h of x' = x - h dE/dx + noise, in model units.", above(0), default=1e-2
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Walk":
        """What suits most methods on a kind of data."""
        usual = {"plane": 4e-3, "small image": 5e-2, "image": 10.0}
        return cls(step_size=usual.get(kind, 1e-2))


@dataclasses.dataclass(frozen=True)
class Chain:
    """Langevin chains, and the temperature that their noise implies."""

    walk: Walk = dataclasses.field(default_factory=Walk)
    chain_noise: float | None = option(
        "Standard deviation s of that noise; temperature s^2 / (2 h).",
        at_least(0),
        default=None,
        unset="sqrt(2 h)",
    )
    chain_clip: float = option(
        "Bound on each component of dE/dx; 0 for none.", at_least(0), default=0.0
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Chain":
        """What suits most methods on a kind of data; cold on images."""
        if kind == "image":
            return cls(Walk.usual(kind), chain_noise=0.01, chain_clip=0.01)
        return cls(Walk.usual(kind))

    @property
    def noise(self) -> float:
        """Standard deviation of the noise of a step."""
        exact = math.sqrt(2 * self.walk.step_size)
        return exact if self.chain_noise is None else self.chain_noise

    @property
    def temperature(self) -> float:
        """T of the distribution exp(-E/T) that the chains follow; 1 where there are none."""
        if self.walk.chain_steps == 0:
            return 1.0
        return self.noise**2 / (2 * self.walk.step_size)

    @property
    def cold(self) -> bool:
        """Is the temperature another than 1?"""
        return abs(self.temperature - 1) > 1e-6

    def langevin(self, base: Base) -> "sampler.Langevin":
        """The sampler; it reflects at the edges of a base that is a box."""
        return sampler.Langevin(
            self.walk.step_size,
            self.noise,
            clip=self.chain_clip or None,
            box=BOX if base.kind == "box" else None,
        )


@dataclasses.dataclass(frozen=True)
class TrainingChain:
    """The chain by which a model that was trained cold, or by short runs, is sampled.

    `steps`: from where those of training started. `at_generator`: is that a generator's sample?
    `noisy`: does that carry the generator's noise?
    """

    sampler: "sampler.AbstractSampler"
    steps: int
    at_generator: bool = False
    noisy: bool = False


@dataclasses.dataclass(frozen=True)
class Penalty:
    """What keeps energies small."""

    energy_penalty: float = option(
        "Weight of the variance of E over data and samples.", at_least(0), default=0.0
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Penalty":
        """What suits most methods on a kind of data."""
        return cls(1.0 if kind == "image" else 0.0)


@dataclasses.dataclass(frozen=True)
class Buffer:
    """The persistent chains that are kept between updates."""

    buffer_size: int = option("Chains that are kept.", at_least(1), default=8192)
    reinit_probability: float = option(
        "Probability that a chain restarts from the base, at each update.",
        PROBABILITY,
        default=0.05,
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Buffer":
        """What suits most methods on a kind of data."""
        match kind:
            case "plane":
                return cls(2048, 0.1)
            case "image":
                return cls(4096, 0.02)
            case "bits" | "categories":
                return cls(512, 0.0)
        return cls()


@dataclasses.dataclass(frozen=True)
class Rival:
    """The network that the energy plays against."""

    rival_learning_rate: float = option(
        "Learning rate of the rival at the start.", above(0), default=1e-3
    )
    rival_weight_decay: float = option(
        "Decoupled weight decay of the rival.", at_least(0), default=0.0
    )
    rounds: int = option("Updates of the rival for each of the energy.", at_least(1), default=1)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Rival":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True)
class LatentWalk:
    """The chains on the latent vector of a row."""

    latent_steps: int = option("Langevin steps on z; 0 for none.", at_least(0), default=10)
    latent_step_size: float = option(
        "h of those steps; it must fall with the square of --noise.", above(0), default=5e-3
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "LatentWalk":
        """What suits most methods on a kind of data."""
        return cls()
