"""Dual training of shallow energies: particles and neurons that move together."""

import dataclasses
import math
from typing import Any, ClassVar

from energax import energy, learner, network, sampler
from energax.errors import InputError
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.real import AbstractRealMethod
from energax.options import PROBABILITY, WIDTH, above, at_least, check, option, replace


@dataclasses.dataclass(frozen=True)
class Shallow:
    """One hidden layer in the mean-field scaling."""

    width: int = option("Neurons.", WIDTH, default=256)
    direction_step: float = option(
        "Step of the directions of neurons; 0 freezes them (the lazy regime).",
        at_least(0),
        default=2.0,
    )
    weight_step: float = option(
        "Step of the logarithms of their weights.", at_least(0), default=2.0
    )
    radius: float = option(
        "Largest mean weight, a bound on the variation norm; 0 for none.",
        at_least(0),
        default=200.0,
    )

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "Shallow":
        """What suits a kind of data."""
        return cls(direction_step=1.0, radius=600.0) if kind == "plane" else cls()


@dataclasses.dataclass(frozen=True)
class Particles:
    """The particles that stand for the model."""

    copies: int = option(
        "Particles for each row of a batch, an even number.", at_least(2), default=2
    )
    restart: float = option(
        "Probability that a particle restarts at a row, before each step; 1 is score matching.",
        PROBABILITY,
        default=0.0,
    )
    step_size: float = option(
        "h of x' = x - h dE/dx + noise, in model units.", above(0), default=1e-2
    )

    def __post_init__(self):
        check(self)
        if self.copies % 2:
            raise InputError(
                f"--copies must be even, as particles move in pairs; got {self.copies}."
            )

    @classmethod
    def usual(cls, kind: Kind) -> "Particles":
        """What suits a kind of data."""
        steps = {"plane": 4e-3, "table": 1e-2, "small image": 5e-2, "image": 10.0}
        return cls(step_size=steps[kind])


@dataclasses.dataclass(frozen=True, kw_only=True)
class DualTraining(AbstractRealMethod):
    """Dual training: likelihood over a ball of shallow networks, particles and neurons together."""

    network: Shallow
    particles: Particles

    name = "dual"
    title = "dual training of particles and neurons"
    source = "Domingo-Enrich et al. (2021)"
    minimises = "negative log-likelihood over a ball of shallow networks"
    use = "a bound on the distance from the optimum; learned features"
    trap = "neurons that move much faster than the particles oscillate"
    unsuited: ClassVar[dict[Kind, str]] = {
        "image": "one hidden layer on all pixels learns little; choose pcd"
    }
    networks = ("shallow",)
    needs_base = True
    suits_box = False
    hints = ("--radius", "--direction-step", "--weight-step", "--step-size")

    @classmethod
    def preset(cls, kind: Kind) -> "DualTraining":
        usual = cls.usual(kind)
        if kind == "plane":
            return replace(usual, batch_size=1024, steps=3000)
        return replace(usual, batch_size=2048, steps=1000)

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        if ground.energy is not None:
            raise InputError("--method dual makes its own energy: leave out `energy`.")
        net = network.make_shallow(
            ground.base.shape, self.network.width, embedding=network.add_bias, key=key
        )
        ball = learner.VariationBall(self.network.radius or math.inf)
        neurons = learner.Neurons(self.network.direction_step, self.network.weight_step, ball)
        made = learner.DualTraining(
            sampler.OnManifold(energy.Flat(ground.base), self.particles.step_size),
            neurons,
            self.particles.restart,
            copies=self.particles.copies,
            ema_decay=self.training.ema_decay or None,
            horizon=self.training.steps,
        )
        return energy.Tilt(ground.base, net), made
