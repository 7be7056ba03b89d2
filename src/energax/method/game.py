"""An energy that learns against a rival: a flow, a generator, or a critic."""

import abc
import dataclasses
import math
from typing import Any, ClassVar

from energax import energy, learner, network
from energax.method import build
from energax.method.chain import Penalty, Rival
from energax.method.descent import tilt_in_plane
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.parts import Adam, Network
from energax.method.real import AbstractRealMethod
from energax.options import RATIO, WIDTH, above, at_least, check, option, replace


@dataclasses.dataclass(frozen=True)
class RivalWidth:
    """Size of a rival that is a perceptron, as deep as the energy's network."""

    rival_width: int = option("Units of a layer of the rival.", WIDTH, default=128)

    def __post_init__(self):
        check(self)

    @classmethod
    def usual(cls, kind: Kind) -> "RivalWidth":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractGameMethod(AbstractRealMethod):
    """An energy and a rival, each with a loss of its own."""

    network: Network
    optimiser: Adam
    rival: Rival

    hints = ("--learning-rate", "--rival-learning-rate", "--clip")

    @abc.abstractmethod
    def make_rules(self, ground: Groundwork) -> Any:
        """What energy and rival minimise."""

    @abc.abstractmethod
    def make_rival(self, ground: Groundwork, *, key: Any) -> Any:
        """The rival before training; where it is fitted to the rows first, before that."""

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The energy before training."""
        return build.make_energy(self.network, ground, key=key)

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        first = self.make_energy(ground, key=key)
        players = learner.Players(first, self.make_rival(ground, key=build.fold_key(key, 1)))
        moves = build.make_optimiser(self.optimiser, self.training, ground.rows)
        answers = build.make_optimiser(
            self.optimiser,
            self.training,
            ground.rows,
            learning_rate=self.rival.rival_learning_rate,
            weight_decay=self.rival.rival_weight_decay,
            rounds=self.rival.rounds,
        )
        decay = self.training.ema_decay or None
        rules = self.make_rules(ground)
        return players, learner.Game(rules, moves, answers, self.rival.rounds, decay)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialLikelihood(AbstractGameMethod):
    """Adversarial likelihood against a flow that follows the energy, with its exact entropy."""

    penalty: Penalty

    name = "adversarial"
    title = "adversarial likelihood against a flow"
    source = "Dai et al. (2017); Song and Kingma (2021), eq. 31-32"
    minimises = "negative log-likelihood, with samples from a flow that follows the energy"
    use = "when chains do not mix and a flow can represent the model"
    trap = "modes that the flow has lost are no longer sampled"

    @classmethod
    def preset(cls, kind: Kind) -> "AdversarialLikelihood":
        usual = cls.usual(kind)
        if kind != "plane":
            return usual
        return replace(
            tilt_in_plane(usual),
            batch_size=512,
            learning_rate=1e-3,
            rival_learning_rate=2e-3,
            rounds=3,
            momentum=0.0,
            energy_penalty=0.01,
            ema_decay=0.995,
        )

    def make_rules(self, ground: Groundwork) -> Any:
        return learner.AdversarialLikelihood(self.penalty.energy_penalty)

    def make_rival(self, ground: Groundwork, *, key: Any) -> Any:
        return build.blank_flow(ground.base.shape, key=key)

    def fit_players(self, players: Any, rows: Any, transform: Any) -> Any:
        """The flow, fitted to the rows."""
        return build.fit_rival_flow(players, rows, transform, seed=self.training.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowContrastive(AbstractGameMethod):
    """Flow-contrastive estimation: classify rows against a flow that learns to fool the energy."""

    noise_ratio: int = option("Noise rows for each data row.", RATIO, default=1)
    anchor: float = option(
        "Weight of the flow's own likelihood of the data.", at_least(0), default=1.0
    )

    name = "flow-contrastive"
    title = "flow-contrastive estimation"
    source = "Gao et al. (2020)"
    minimises = "nce against a flow that learns to fool the energy"
    use = "when no fixed noise distribution is close to the data"
    trap = "a flow that moves fast leaves log Z behind: keep it slow and anchored"

    @classmethod
    def preset(cls, kind: Kind) -> "FlowContrastive":
        if kind != "plane":
            return replace(cls.usual(kind), noise_ratio=1 if kind == "small image" else 4)
        return replace(
            tilt_in_plane(cls.usual(kind)),
            batch_size=512,
            rival_learning_rate=3e-4,
            ema_decay=0.995,
        )

    def make_energy(self, ground: Groundwork, *, key: Any) -> Any:
        """The energy, plus a constant that ends near log Z."""
        return energy.Normalised(build.make_energy(self.network, ground, key=key))

    def make_rules(self, ground: Groundwork) -> Any:
        return learner.FlowContrastive(self.noise_ratio, self.anchor)

    def make_rival(self, ground: Groundwork, *, key: Any) -> Any:
        return build.blank_flow(ground.base.shape, key=key)

    def fit_players(self, players: Any, rows: Any, transform: Any) -> Any:
        """The flow, fitted to the rows."""
        return build.fit_rival_flow(players, rows, transform, seed=self.training.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialGenerator(AbstractGameMethod):
    """Adversarial likelihood against a noisy generator, its entropy by importance sampling."""

    width: RivalWidth
    penalty: Penalty
    noise: float = option(
        "Standard deviation of the generator's noise, in model units.", above(0), default=0.3
    )
    proposals: int = option("Proposals of z that estimate the entropy.", at_least(1), default=4)

    name = "adversarial-generator"
    title = "adversarial likelihood against a noisy generator"
    source = "Grathwohl et al. (2021)"
    minimises = "negative log-likelihood, with samples from a noisy generator"
    use = "when samples matter"
    trap = (
        "data finer than the generator's noise make the energy narrow without bound: keep the "
        "penalty"
    )
    unsuited: ClassVar[dict[Kind, str]] = {"image": "it factors a matrix as wide as the row"}
    generates = True

    @classmethod
    def preset(cls, kind: Kind) -> "AdversarialGenerator":
        if kind != "plane":
            return replace(cls.usual(kind), proposals=1 if kind == "small image" else 4)
        return replace(
            tilt_in_plane(cls.usual(kind)),
            learning_rate=1e-4,
            rival_learning_rate=3e-3,
            rounds=4,
            momentum=0.0,
            energy_penalty=1.0,
            noise=0.15,
            proposals=8,
        )

    def make_rules(self, ground: Groundwork) -> Any:
        return learner.AdversarialGenerator(self.proposals, self.penalty.energy_penalty)

    def make_rival(self, ground: Groundwork, *, key: Any) -> Any:
        shape = ground.base.shape
        size = math.prod(shape)
        wide, depth = self.width.rival_width, self.network.depth
        maker = network.ArrayMLP((size,), shape, wide, depth, key=key)
        return network.NoisyGenerator(maker, size, self.noise)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedStein(AbstractGameMethod):
    """Stein discrepancy under a critic that learns."""

    width: RivalWidth

    name = "stein-learned"
    title = "learned Stein discrepancy"
    source = "Grathwohl et al. (2020)"
    minimises = "Stein discrepancy under a learned critic"
    use = "scores without a Hessian of the energy"
    trap = "a critic that lags behind the energy"
    unsuited: ClassVar[dict[Kind, str]] = {
        "image": "the divergence of its critic takes a pass for each pixel"
    }

    @classmethod
    def preset(cls, kind: Kind) -> "LearnedStein":
        if kind != "plane":
            return cls.usual(kind)
        return replace(
            tilt_in_plane(cls.usual(kind)),
            steps=1000,
            batch_size=512,
            learning_rate=1e-3,
            rival_learning_rate=2e-3,
            rounds=3,
            momentum=0.0,
            ema_decay=0.995,
        )

    def make_rules(self, ground: Groundwork) -> Any:
        return learner.LearnedStein()

    def make_rival(self, ground: Groundwork, *, key: Any) -> Any:
        shape = ground.base.shape
        wide, depth = self.width.rival_width, self.network.depth
        return network.ArrayMLP(shape, shape, wide, depth, key=key)
