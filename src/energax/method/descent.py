"""Methods that lower one objective of one energy by Adam."""

import abc
import dataclasses
from typing import Any, TypeVar

from energax import learner
from energax.errors import InputError
from energax.method import build
from energax.method.chain import Chain, Penalty, TrainingChain
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Network
from energax.method.real import LOOKED_AT, AbstractRealMethod
from energax.options import replace

D = TypeVar("D", bound="AbstractDescentMethod")
T = TypeVar("T", bound="AbstractChainMethod")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractDescentMethod(AbstractRealMethod):
    """One energy, one objective, one optimiser."""

    network: Network
    optimiser: Adam

    judges_itself = True

    @abc.abstractmethod
    def make_objective(self, ground: Groundwork) -> Any:
        """The objective that is minimised."""

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int]:
        """The objective itself, where it shows progress; else the rank among draws of the base."""
        if self.judges_itself:
            return self.make_objective(ground), LOOKED_AT
        return build.rank_among_draws(ground.base), LOOKED_AT

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The energy before training."""
        return build.make_energy(self.network, ground, key=key)

    def shrink(self: D, rows: Any) -> D | None:
        """The method with a base of few numbers for each row, where it has a large mixture.

        The draws of a mixture that fits its own rows too well look like these rows, and a network
        that compares the two learns nothing, though the mixture is far from new rows.
        """
        if not self.judges_itself or self.classifies or not self.validated:
            return None
        base = build.shrink_base(self.base, rows)
        return None if base is None else dataclasses.replace(self, base=base)

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        moves = build.make_optimiser(self.optimiser, self.training, ground.rows)
        decay = self.training.ema_decay or None
        made = learner.Descent(self.make_objective(ground), moves, decay)
        return self.make_energy(ground, key=key), made


def tilt_in_plane(method: Any) -> Any:
    """In the plane, for chains and most rivals: a tilt of a nearby base, which stays flat enough.

    From one Gaussian energies grow walls too steep for a Langevin step, and gaps no rival fills.
    """
    return replace(
        method, steps=800, batch_size=256, learning_rate=2e-3, ema_decay=0.998, base="mixture"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractChainMethod(AbstractDescentMethod):
    """One energy that learns by Langevin chains."""

    chain: Chain
    penalty: Penalty

    judges_itself = False
    hints = ("--learning-rate", "--step-size", "--clip")

    @classmethod
    def preset(cls: type[T], kind: Kind) -> T:
        usual = cls.usual(kind)
        return tilt_in_plane(usual) if kind == "plane" else usual

    def validate(self) -> None:
        if self.chain.walk.chain_steps < 1:
            raise InputError("--chain-steps must be at least 1; got 0.")

    @property
    def temperature(self) -> float:
        return self.chain.temperature

    @property
    def training_chain(self) -> TrainingChain | None:
        if not self.chain.cold:
            return None
        return TrainingChain(self.chain.langevin(self.base), self.chain.walk.chain_steps)
