"""Dual-MCMC teaching of energy, generator and encoder, and cooperative learning, its member."""

import dataclasses
from typing import Any

from energax import learner, sampler
from energax.errors import InputError
from energax.method import build
from energax.method.descent import tilt_in_plane
from energax.method.generator import (
    AbstractTeaching,
    Encoder,
    make_optimisers,
    make_players,
    make_rules,
)
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.options import PROBABILITY, option, replace

ENCODED = ("encoder", "variational")
"""Posteriors that start at the sample of an encoder."""


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
    minimises = "negative log-likelihood, with chains from a generator; an encoder infers codes"
    use = "when samples and codes matter"
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
    minimises = "negative log-likelihood, with chains started at a generator's samples"
    use = "when samples matter"
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
