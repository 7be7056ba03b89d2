"""Denoising score matching, at one level of noise and at many."""

import dataclasses
from typing import Any, ClassVar

from energax import energy, learner, network, objective, sampler
from energax.errors import InputError
from energax.method import build
from energax.method.descent import AbstractDescentMethod
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Perceptron
from energax.method.real import LOOKED_AT, AbstractRealMethod
from energax.options import above, at_least, check, option, replace


@dataclasses.dataclass(frozen=True)
class Levels:
    """Levels of noise that one energy knows."""

    levels: int = option(
        "Levels of noise, evenly spaced in their logarithm.", at_least(2), default=10
    )
    sigma_max: float = option("Highest level of noise, in model units.", above(0), default=1.0)
    sigma_min: float = option(
        "Lowest level of noise, whose energy is kept.", above(0), default=0.08
    )

    def __post_init__(self):
        check(self)
        if not self.sigma_min < self.sigma_max:
            raise InputError(
                f"--sigma-min must be below --sigma-max, {self.sigma_max}; got {self.sigma_min}."
            )

    @classmethod
    def usual(cls, kind: Kind) -> "Levels":
        """What suits most methods on a kind of data."""
        return cls()

    def make(self) -> Any:
        """The levels, highest first."""
        return sampler.geometric_levels(self.sigma_max, self.sigma_min, self.levels)

    def make_loss(self) -> Any:
        """Denoising score matching at all of them."""
        return objective.MultiLevelDenoising(self.make(), antithetic=True)


def make_noisy_energy(options: Perceptron, ground: Groundwork, *, key: Any) -> Any:
    """A new energy of a row and a level of noise. Raises InputError for an energy of the user's."""
    if ground.energy is not None:
        raise InputError("A method at many noise levels makes its own energy: leave out `energy`.")
    shape = ground.base.shape
    seen = network.NoisyMLP(shape, options.width, options.depth, key=key)
    return energy.NoisyEnergy(seen, shape)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenoisingScoreMatching(AbstractDescentMethod):
    """Denoising score matching: the score at a noisy row points back to the clean one."""

    noise: float = option(
        "Standard deviation of the added noise, in model units.", above(0), default=0.1
    )
    control_variate: bool = option(
        "Subtract a zero-mean control variate that carries most of the variance of small noise.",
        default=False,
    )

    name = "dsm"
    title = "denoising score matching"
    source = "Vincent (2011)"
    minimises = "squared error of the score in predicting the added noise"
    use = "many dimensions: no chains, stable and cheap"
    trap = "learns the distribution of the noisy data"

    @classmethod
    def preset(cls, kind: Kind) -> "DenoisingScoreMatching":
        usual = cls.usual(kind)
        if kind == "plane":
            return replace(usual, noise=0.05, control_variate=True)
        return usual

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.DenoisingScoreMatching(self.noise, self.control_variate)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenoisingAtManyLevels(AbstractRealMethod):
    """Denoising score matching at many levels of noise, by one energy that knows the level."""

    network: Perceptron
    optimiser: Adam
    levels: Levels

    name = "dsm-levels"
    title = "denoising score matching at many noise levels"
    source = "Song and Ermon (2019)"
    minimises = "dsm at many noise levels, by one energy E(x, level)"
    use = "distant modes: samples by annealing have the right weights"
    trap = "levels that do not overlap; the noise of the lowest level remains"
    unsuited: ClassVar[dict[Kind, str]] = {"image": "its network is a plain perceptron; choose dsm"}
    networks = ("mlp",)
    judges_itself = True

    @classmethod
    def preset(cls, kind: Kind) -> "DenoisingAtManyLevels":
        usual = cls.usual(kind)
        if kind == "plane":
            return replace(usual, steps=4000, learning_rate=1e-2, ema_decay=0.999, levels=4)
        return usual

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """The objective itself."""
        return self.levels.make_loss(), LOOKED_AT

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        loss = self.levels.make_loss()
        moves = build.make_optimiser(self.optimiser, self.training, ground.rows)
        made = learner.Descent(loss, moves, self.training.ema_decay or None)
        return make_noisy_energy(self.network, ground, key=key), made

    def select_energy(self, energy: Any) -> Any:
        """The energy at the lowest level of noise."""
        return energy.at(self.levels.sigma_min)
