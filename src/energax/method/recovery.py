"""Likelihood of a clean row given a noisy one: chains that need not travel far."""

import dataclasses
from typing import Any, ClassVar

from energax import learner, objective, sampler
from energax.errors import InputError
from energax.method import build
from energax.method.chain import Walk
from energax.method.denoising import Levels, make_noisy_energy
from energax.method.descent import AbstractChainMethod, tilt_in_plane
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Perceptron
from energax.method.real import LOOKED_AT, AbstractRealMethod
from energax.options import above, option, replace


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecoveryLikelihood(AbstractChainMethod):
    """Recovery likelihood: a clean row given a noisy one, by chains that start at the noisy one."""

    noise: float = option(
        "Standard deviation of the noise of the noisy row, in model units.", above(0), default=0.5
    )

    name = "recovery"
    title = "recovery likelihood"
    source = "Bengio et al. (2013); Gao et al. (2021)"
    minimises = "-log p(clean row | noisy row), with chains started at the noisy row"
    use = "when chains of the energy itself do not mix"
    trap = "with small noise the weights of modes are hardly learned"

    @classmethod
    def preset(cls, kind: Kind) -> "RecoveryLikelihood":
        # Chains must forget the noisy row: steps times step size, over noise^2, near 4.
        usual = replace(cls.usual(kind), chain_steps=40)
        if kind == "plane":
            return replace(tilt_in_plane(usual), noise=0.2)
        return replace(usual, step_size=0.025)

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.RecoveryLikelihood(
            self.chain.langevin(self.base), self.noise, self.chain.walk.chain_steps
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecoveryAtManyLevels(AbstractRealMethod):
    """Recovery likelihood from each level of noise to the next, by one energy that knows the level.

    The step size is in units of the noise between two levels.
    """

    network: Perceptron
    optimiser: Adam
    levels: Levels
    walk: Walk

    name = "recovery-levels"
    title = "recovery likelihood at many noise levels"
    source = "Gao et al. (2021)"
    minimises = "recovery from each noise level to the next"
    use = "as dsm-levels, with chains"
    trap = "the bias of the chains is learned"
    unsuited: ClassVar[dict[Kind, str]] = {
        "image": "its network is a plain perceptron; choose recovery"
    }
    networks = ("mlp",)
    judges_itself = True
    hints = ("--learning-rate", "--step-size", "--clip")

    @classmethod
    def preset(cls, kind: Kind) -> "RecoveryAtManyLevels":
        usual = replace(cls.usual(kind), step_size=0.1, chain_steps=40)
        if kind == "plane":
            return replace(
                usual, steps=4000, ema_decay=0.999, levels=3, sigma_min=0.05, chain_steps=30
            )
        return usual

    def validate(self) -> None:
        if self.walk.chain_steps < 1:
            raise InputError("--chain-steps must be at least 1; got 0.")

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """Denoising score matching at the same levels, which needs no chains."""
        return self.levels.make_loss(), LOOKED_AT

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        steps = sampler.mala(self.walk.step_size)
        loss = objective.MultiLevelRecovery(steps, self.levels.make(), self.walk.chain_steps)
        moves = build.make_optimiser(self.optimiser, self.training, ground.rows)
        made = learner.Descent(loss, moves, self.training.ema_decay or None)
        return make_noisy_energy(self.network, ground, key=key), made

    def select_energy(self, energy: Any) -> Any:
        """The energy at the lowest level of noise."""
        return energy.at(self.levels.sigma_min)
