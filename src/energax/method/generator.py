"""What methods that train a generator beside the energy have in common."""

import dataclasses
from typing import Any, Literal

from energax import learner
from energax.method import build
from energax.method.chain import Chain, LatentWalk, Penalty, TrainingChain
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Network
from energax.method.real import AbstractRealMethod
from energax.options import WIDTH, above, at_least, check, option

Posterior = Literal["encoder", "prior", "persistent", "variational", "none"]


@dataclasses.dataclass(frozen=True)
class Generator:
    """A network from latent vectors to rows, whose samples carry noise."""

    latent_dim: int = option("Dimension of the latent vector z.", WIDTH, default=16)
    noise: float = option(
        "Standard deviation of the generator's noise, in model units.", above(0), default=0.3
    )
    generator_width: int = option(
        "Units of a layer of the generator, or its channels.", WIDTH, default=128
    )
    generator_learning_rate: float = option(
        "Learning rate of the generator at the start.", above(0), default=1e-3
    )
    generator_weight_decay: float = option(
        "Decoupled weight decay of generator and encoder.", at_least(0), default=0.0
    )
    generator_weight: float = option(
        "Weight, for the generator, of samples that the chains refined.",
        at_least(0),
        default=0.1,
    )
    halvings: int = option(
        "With conv: doublings from z to the image, and halvings back.",
        at_least(1),
        default=2,
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Generator":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An amortised Gaussian posterior q(z given x)."""

    posterior: Posterior = option(
        "z of a row: encoder, prior, persistent (chains), variational or none.",
        default="encoder",
    )
    encoder_width: int | None = option(
        "Units of a layer of the encoder, or its channels.",
        WIDTH,
        default=None,
        unset="as the generator",
    )
    encoder_learning_rate: float = option(
        "Learning rate of the encoder at the start.", above(0), default=1e-3
    )
    encoder_weight: float = option(
        "Weight, for the encoder, of the z of refined samples.", at_least(0), default=0.1
    )
    pathwise_weight: float = option(
        "Weight, for the generator, of E less log q(z given x) at its samples.",
        at_least(0),
        default=0.0,
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Encoder":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractTeaching(AbstractRealMethod):
    """An energy and a generator that learn from each other's chains."""

    network: Network
    optimiser: Adam
    generator: Generator
    chain: Chain
    penalty: Penalty
    latent: LatentWalk

    networks = ("mlp", "conv")
    generates = True
    hints = (
        "--learning-rate",
        "--step-size",
        "--latent-step-size",
        "--generator-learning-rate",
        "--clip",
    )

    @property
    def temperature(self) -> float:
        return self.chain.temperature

    @property
    def training_chain(self) -> TrainingChain | None:
        return self.generator_chain if self.chain.cold else None

    @property
    def generator_chain(self) -> TrainingChain | None:
        steps = self.chain.walk.chain_steps
        if steps == 0:
            return None
        # Cold chains take no noise away, so they start without it.
        return TrainingChain(
            self.chain.langevin(self.base), steps, at_generator=True, noisy=not self.chain.cold
        )

    @property
    def latent_chain(self) -> LatentWalk | None:
        return self.latent


def make_rules(method: Any, posterior: Any, encoder_weight: float, pathwise: float) -> Any:
    """What the players minimise.

    Samples carry the generator's noise unless the chains run cold, which take no noise away.
    """
    return learner.TeachingRules(
        method.chain.langevin(method.base),
        posterior,
        method.chain.walk.chain_steps,
        method.generator.generator_weight,
        encoder_weight,
        pathwise,
        method.penalty.energy_penalty,
        add_noise=not method.chain.cold,
    )


def make_players(method: Any, ground: Groundwork, encoder_width: int | None, *, key: Any) -> Any:
    """The players before training; an encoder where it has a width."""
    first = build.make_energy(method.network, ground, key=key)
    options = build.NetworkPair(
        method.network.kind,
        method.network.depth,
        method.generator.latent_dim,
        method.generator.generator_width,
        encoder_width,
        method.generator.halvings,
        method.generator.noise,
        bounded=method.base.kind == "box",
    )
    generator, encoder = build.make_pair(options, ground.base.shape, key=build.fold_key(key, 1))
    return learner.TeachingPlayers(first, generator, encoder)


def make_optimisers(method: Any, rows: int, encoder_rate: float) -> Any:
    """What moves energy, generator and encoder."""
    adam, training, decay = method.optimiser, method.training, method.generator
    rates = (method.generator.generator_learning_rate, encoder_rate)
    others = (
        build.make_optimiser(
            adam, training, rows, learning_rate=rate, weight_decay=decay.generator_weight_decay
        )
        for rate in rates
    )
    return learner.Optimisers(build.make_optimiser(adam, training, rows), *others)
