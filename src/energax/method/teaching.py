"""Dual-MCMC teaching of energy, generator and encoder, and cooperative learning, its member."""

import dataclasses
from typing import Any, Literal

from energax import learner, sampler
from energax.errors import InputError
from energax.method import build
from energax.method.base import AbstractMethod
from energax.method.chain import Chain, LatentWalk, Penalty, TrainingChain
from energax.method.descent import tilt_in_plane
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Network
from energax.options import PROBABILITY, above, at_least, check, option, replace

Posterior = Literal["encoder", "prior", "persistent", "variational", "none"]

ENCODED = ("encoder", "variational")
"""Posteriors that start at the sample of an encoder."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """A network from latent vectors to rows, whose samples carry noise."""

    latent_dim: int = option("Dimension of the latent vector z.", at_least(1), default=16)
    noise: float = option(
        "Standard deviation of the generator's noise, in model units.", above(0), default=0.3
    )
    generator_width: int = option(
        "Units of a layer of the generator, or its channels.", at_least(1), default=128
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
        "z of a row: a chain from the encoder, the prior or its last end (persistent); "
        "variational (no chain); none.",
        default="encoder",
    )
    encoder_width: int | None = option(
        "Units of a layer of the encoder, or its channels.",
        at_least(1),
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
class AbstractTeaching(AbstractMethod):
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class DualMCMCTeaching(AbstractTeaching):
    """Dual-MCMC teaching: energy, generator and encoder learn from each other's chains."""

    encoder: Encoder
    resample: bool = option(
        "Refine samples again for the energy, once the generator has moved.", default=True
    )
    reinit_probability: float | None = option(
        "Probability that a chain restarts at the generator; 1: as published.",
        PROBABILITY,
        default=None,
        unset="0.01, or 1 without --resample or --chain-steps",
    )

    name = "teaching"
    title = "dual-MCMC teaching of energy, generator and encoder"
    source = "Cui and Han (2023)"
    minimises = "likelihood, chains started at a generator's samples; an encoder learns too"
    use = "samples and codes matter"
    trap = "long chains flatten the generator; short ones bias the energy, unless persistent"

    @classmethod
    def preset(cls, kind: Kind) -> "DualMCMCTeaching":
        usual = cls.usual(kind)
        match kind:
            case "plane":
                return replace(
                    tilt_in_plane(usual),
                    learning_rate=3e-5,
                    generator_learning_rate=3e-3,
                    encoder_learning_rate=3e-3,
                    latent_dim=2,
                    chain_steps=40,
                    energy_penalty=1.0,
                    noise=0.2,
                    reinit_probability=1.0,
                )
            case "image":
                # Chains run cold there, so that refined samples may weigh much, and all chains
                # start at them.
                return replace(
                    usual,
                    noise=0.3,
                    latent_dim=64,
                    generator_weight=50.0,
                    generator_width=16,
                    reinit_probability=1.0,
                    generator_learning_rate=3e-4,
                    encoder_learning_rate=3e-4,
                    learning_rate=1e-4,
                )
        return replace(usual, noise=0.7)

    def validate(self) -> None:
        posterior = self.encoder.posterior
        if self.restart < 1 and not self._rewalks:
            raise InputError(
                "--reinit-probability must be 1 with --no-resample or --chain-steps 0; got "
                f"{self.restart}."
            )
        if posterior in ("prior", "persistent") and self.latent.latent_steps < 1:
            raise InputError(
                f"--latent-steps must be at least 1 for a posterior {posterior}; got 0."
            )
        if self.encoder.pathwise_weight > 0 and posterior not in ENCODED:
            raise InputError(
                f"--pathwise-weight must be 0 without an encoder (--posterior {posterior}); got "
                f"{self.encoder.pathwise_weight}."
            )

    @property
    def _rewalks(self) -> bool:
        return self.resample and self.chain.walk.chain_steps > 0

    @property
    def restart(self) -> float:
        """Probability that a chain of the energy restarts from the generator."""
        if self.reinit_probability is not None:
            return self.reinit_probability
        return 0.01 if self._rewalks else 1.0

    @property
    def encoder_width(self) -> int | None:
        """That of the encoder; None where no posterior starts at its sample."""
        if self.encoder.posterior not in ENCODED:
            return None
        return self.encoder.encoder_width or self.generator.generator_width

    def make_posterior(self, rows: int) -> Any:
        """Where z of a row comes from; None for nowhere."""
        walk, steps = sampler.Langevin(self.latent.latent_step_size), self.latent.latent_steps
        match self.encoder.posterior:
            case "encoder":
                return learner.FromEncoder(walk, steps)
            case "prior":
                return learner.FromPrior(walk, steps)
            case "persistent":
                return learner.PersistentPosterior(walk, rows, steps)
            case "variational":
                return learner.Variational()
        return None

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        weights = (self.encoder.encoder_weight, self.encoder.pathwise_weight)
        rules = make_rules(self, self.make_posterior(ground.rows), *weights)
        moves = make_optimisers(self, ground.rows, self.encoder.encoder_learning_rate)
        decay = self.training.ema_decay or None
        made = learner.Teaching(rules, moves, self.resample, decay, self.restart)
        return make_players(self, ground, self.encoder_width, key=key), made

    def training_rows(self, rows: Any) -> Any:
        """The rows; with their numbers where each has a chain of its own."""
        if self.encoder.posterior == "persistent":
            return build.number_rows(rows.train)
        return rows.train

    @property
    def infers_latents(self) -> bool:
        return self.encoder.posterior != "none"

    @property
    def infers_by_chain(self) -> bool:
        return self.encoder.posterior != "variational"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CooperativeLearning(AbstractTeaching):
    """Cooperative learning: chains refine a generator's samples, the generator imitates them."""

    name = "cooperative"
    title = "cooperative learning with a generator"
    source = "Xie et al. (2018)"
    minimises = "likelihood, chains started at a generator's samples"
    use = "samples matter"
    trap = "not consistent: the chain is part of the model"

    @classmethod
    def preset(cls, kind: Kind) -> "CooperativeLearning":
        usual = replace(cls.usual(kind), generator_weight=0.09)
        if kind != "plane":
            return usual
        return replace(
            tilt_in_plane(usual),
            learning_rate=1e-4,
            generator_learning_rate=3e-3,
            step_size=1e-2,
            chain_steps=40,
            energy_penalty=1.0,
            noise=0.2,
            latent_dim=2,
            generator_weight=0.04,
        )

    def validate(self) -> None:
        if self.chain.walk.chain_steps < 1:
            raise InputError("--chain-steps must be at least 1; got 0.")

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        rules = make_rules(self, None, 0.1, 0.0)
        moves = make_optimisers(self, ground.rows, self.generator.generator_learning_rate)
        made = learner.Teaching(rules, moves, False, self.training.ema_decay or None, 1.0)
        return make_players(self, ground, None, key=key), made
