"""Denoising at all levels of noise: an energy E(x, s) that draws from noise to data."""

import dataclasses
from typing import Any, ClassVar

from energax import learner, objective, sampler
from energax.errors import InputError
from energax.method import build
from energax.method.base import AbstractMethod
from energax.method.chain import NoisePath
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Inputs, Perceptron
from energax.options import FRACTION, above, at_least, check, option, replace

LOOKED_AT = 400
"""Validation rows at most: each look costs as much as several updates."""

HIGHEST = 160.0
"""Highest noise level, in standard deviations of the rows: nothing of a row is left."""


@dataclasses.dataclass(frozen=True)
class NoiseLevels:
    """The noise that is trained on, and the steps that draw from the model."""

    sigma_min: float = option(
        "Lowest level of noise, whose energy is kept, in model units.", above(0), default=0.1
    )
    noise_median: float = option(
        "Median noise of training, in standard deviations of the rows.", above(0), default=0.6
    )
    noise_spread: float = option(
        "Standard deviation of the logarithm of the noise.", above(0), default=1.2
    )
    score_share: float = option(
        "Share of the updates that train the network as a score, before it is an energy.",
        FRACTION,
        default=0.6,
    )
    time_weight: float = option(
        "Weight of the loss on dE/dt, which makes the energy of every level normalised.",
        at_least(0),
        default=0.0,
    )
    sampling_steps: int = option(
        "Steps from the highest level of noise to the lowest.", at_least(2), default=20
    )
    churn: float = option("Noise added on that way, in all.", at_least(0), default=0.0)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "NoiseLevels":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenoisingLevels(AbstractMethod):
    """Denoising at all noise levels, by an energy that starts as a plain denoiser."""

    network: Perceptron
    optimiser: Adam
    inputs: Inputs
    levels: NoiseLevels

    name = "denoising-levels"
    title = "denoising at all noise levels"
    source = "Karras et al. (2022); Guth et al. (2025)"
    minimises = "error of denoised rows at all noise levels, by the gradient of one energy E(x, s)"
    use = "images: draws from noise to data in few steps, no chains in training"
    trap = "the energy at each level is known up to a constant unless --time-weight is above 0"
    spaces: ClassVar[tuple[str, ...]] = ("reals",)
    unsuited: ClassVar[dict[Kind, str]] = dict.fromkeys(
        ("plane", "table"), "its energy of rows that are no images is poor; choose dsm-levels"
    )
    networks = ("unet", "mlp")

    @classmethod
    def preset(cls, kind: Kind) -> "DenoisingLevels":
        # Looks at the score are no measure of the energy: nothing ends training early.
        usual = replace(cls.usual(kind), patience=0)
        match kind:
            case "image":
                return replace(
                    usual,
                    width=96,
                    depth=4,
                    steps=9000,
                    batch_size=32,
                    learning_rate=2e-3,
                    square_momentum=0.99,
                    ema_decay=0.999,
                    chunk_steps=25,
                    validation_every=500,
                    sigma_min=0.01,
                    noise_median=1.2,
                    sampling_steps=60,
                    churn=30.0,
                )
            case "plane":
                return replace(
                    usual, steps=4000, sigma_min=0.05, noise_median=0.2, noise_spread=1.5
                )
        return usual

    @property
    def base_kind(self) -> str:
        return "gaussian"

    @property
    def base_title(self) -> str:
        return "one Gaussian of one width"

    @property
    def judged(self) -> bool:
        return True

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """The error of denoising, by the energy."""
        return self.make_objective(ground, score_updates=0), LOOKED_AT

    def make_objective(self, ground: Groundwork, score_updates: int) -> Any:
        """The loss, for rows whose spread is that of the base."""
        std = build.find_spread(ground.base)
        return objective.LogNormalDenoising(
            std,
            self.levels.noise_median * std,
            self.levels.noise_spread,
            score_updates,
            self.levels.time_weight,
        )

    def fit_ground(self, rows: Any) -> tuple[Any, Any]:
        transform = build.fit_transform(self.inputs, rows)
        return transform, self.fit_base(rows, transform)

    def fit_base(self, rows: Any, transform: Any) -> Any:
        """The Gaussian with the mean of the rows, and their mean variance on every axis."""
        return build.fit_round_base(rows, transform, seed=self.training.seed)

    def blank_base(self, schema: Any) -> Any:
        return build.blank_round_base(schema.shape)

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        if ground.energy is not None:
            raise InputError(
                "A method at many noise levels makes its own energy: leave out `energy`."
            )
        score_updates = round(self.levels.score_share * self.training.steps)
        moves = build.make_optimiser(self.optimiser, self.training, ground.rows)
        loss = self.make_objective(ground, score_updates)
        made = learner.Descent(loss, moves, self.training.ema_decay or None)
        shape = self.network.width, self.network.depth
        return build.make_levels(ground.base, *shape, key=key), made

    def select_energy(self, energy: Any) -> Any:
        """The energy at the lowest level of noise."""
        return energy.at(self.levels.sigma_min)

    def noise_path(self, base: Any) -> NoisePath:
        """From noise that hides a row whole to the lowest level, for rows as broad as the base."""
        highest = HIGHEST * build.find_spread(base)
        levels = sampler.power_levels(
            highest, self.levels.sigma_min, self.levels.sampling_steps + 1
        )
        return NoisePath(tuple(levels.tolist()), self.levels.churn)
