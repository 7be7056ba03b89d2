"""What a method is: its options, what they suit, and how they become an energy and a learner."""

import abc
import dataclasses
import typing
from typing import Any, ClassVar, TypeVar

from energax.errors import InputError
from energax.method import build
from energax.method.chain import LatentWalk, NoisePath, TrainingChain
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind, kind_of
from energax.method.parts import Training, Validation
from energax.options import check, replace

T = TypeVar("T", bound="AbstractMethod")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractMethod(abc.ABC):
    """A known combination of energy, objective and learner, with every option of it.

    A method is a frozen dataclass: its fields are options (`energax.options.option`) or groups of
    them. It is what the command line fills in, what `config.json` records and what trains.

    To add one: derive a final class, say what it is in the class variables, give it a `preset`
    where the usual values do not serve, and a `build`; then put it into `METHODS`.
    """

    training: Training
    validation: Validation

    name: ClassVar[str]
    """What the command line calls it."""
    title: ClassVar[str]
    """Its full name."""
    source: ClassVar[str]
    """Authors and year."""
    minimises: ClassVar[str]
    """What is minimised, in a line."""
    use: ClassVar[str]
    """When to choose it, in a line."""
    trap: ClassVar[str]
    """What goes wrong, in a line."""
    spaces: ClassVar[tuple[str, ...]]
    """The names of the spaces that its rows may live in."""
    networks: ClassVar[tuple[str, ...]]
    """The networks that it trains."""
    unsuited: ClassVar[dict[Kind, str]] = {}
    """Kinds of data that it does not suit, and why."""
    generates: ClassVar[bool] = False
    """Does it train a generator?"""
    classifies: ClassVar[bool] = False
    """Does it learn labels?"""
    hints: ClassVar[tuple[str, ...]] = ("--learning-rate", "--clip")
    """Options of which a smaller value helps against divergence."""

    def __post_init__(self):
        check(self)
        self.validate_base()
        network = self.network_kind
        if network is not None and network not in self.networks:
            raise InputError(
                f"--method {self.name} does not train --network {network}: choose --network "
                f"{' or '.join(self.networks)}."
            )
        self.validate()

    @property
    def network_kind(self) -> str | None:
        """The kind of network; None for a method that has one kind only."""
        return getattr(getattr(self, "network", None), "kind", None)

    def validate(self) -> None:
        """Raise InputError for options that contradict each other."""
        return

    def validate_base(self) -> None:
        """Raise InputError for a base that the method cannot have."""
        return

    @classmethod
    def usual(cls: type[T], kind: Kind) -> T:
        """Every group of options as it suits most methods on a kind of data."""
        hints = typing.get_type_hints(cls)
        groups = {
            field.name: hints[field.name].usual(kind)
            for field in dataclasses.fields(cls)
            if dataclasses.is_dataclass(hints[field.name])
        }
        return cls(**groups)

    @classmethod
    def preset(cls: type[T], kind: Kind) -> T:
        """The method as it suits a kind of data."""
        return cls.usual(kind)

    @classmethod
    def preset_for(cls: type[T], rows: Any) -> T:
        """The method as it suits a data set: the preset of its kind, no batch above its rows."""
        found = cls.preset(kind_of(rows))
        most = min(found.training.batch_size, found.count_rows(rows))
        return replace(found, batch_size=most)

    @classmethod
    def refusal(cls, rows: Any, network: str | None = None) -> str | None:
        """Why the method does not suit a data set, or the network that is asked for; else None."""
        if rows.space.name not in cls.spaces:
            return f"its rows are {rows.space.title}"
        if network is not None and network not in cls.networks:
            return f"it trains --network {' or '.join(cls.networks)}"
        if cls.classifies and rows.labels is None:
            return "its rows have no labels"
        return cls.unsuited.get(kind_of(rows))

    def check_rows(self, rows: Any) -> None:
        """Raise InputError for options that make sense, but not for these rows."""
        if rows.space.name not in self.spaces:
            raise InputError(
                f"--method {self.name} of this kind learns from {' or '.join(self.spaces)}; the "
                f"rows of {rows.name} are {rows.space.title}."
            )
        count = self.count_rows(rows)
        if self.training.batch_size > count:
            raise InputError(
                f"{rows.name} has {count} training rows, fewer than a batch of "
                f"{self.training.batch_size}: give --batch-size {count} or less."
            )
        if self.classifies and rows.labels is None:
            raise InputError(
                f"--method {self.name} learns labels, and {rows.name} has none: choose another "
                "method."
            )
        if self.network_kind == "conv" and len(rows.shape) not in (2, 3):
            raise InputError(f"--network conv is for images; {rows.name} has none: choose mlp.")
        self.check_ground(rows)

    def check_ground(self, rows: Any) -> None:
        """Raise InputError for a base or units that these rows cannot have."""
        return

    def settle(self: T, rows: Any) -> tuple[T, str | None]:
        """The method with what it leaves to the rows settled, and what was chosen, in words."""
        return self, None

    def shrink(self: T, rows: Any) -> T | None:
        """The settled method with a smaller base, worth a trial; None where there is none."""
        return None

    @property
    @abc.abstractmethod
    def base_kind(self) -> str:
        """What the base distribution is; `none` for no base."""

    @property
    def base_title(self) -> str:
        """What the base distribution is, with its options, in words."""
        return self.base_kind

    @abc.abstractmethod
    def fit_ground(self, rows: Any) -> tuple[Any, Any]:
        """The transform to model units and the base distribution, fitted to the training rows."""

    @abc.abstractmethod
    def fit_base(self, rows: Any, transform: Any) -> Any:
        """The base distribution, fitted to the training rows in the units of a transform."""

    @abc.abstractmethod
    def blank_base(self, schema: Any) -> Any:
        """A distribution of the structure of that base, to be filled with saved arrays."""

    @abc.abstractmethod
    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        """What the learner moves, new, and the learner.

        The first is an energy, `learner.Players` or `learner.TeachingPlayers`; the second an
        `AbstractLearner`.
        """

    def fit_players(self, players: Any, rows: Any, transform: Any) -> Any:
        """The players, with what of them is fitted to the rows before training."""
        return players

    def make_criterion(self, ground: Groundwork) -> tuple[Any, int] | None:
        """The loss that validation rows are looked at by, and how many of them at most.

        None where there is no such loss: then no rows are kept.
        """
        return None

    @property
    def judged(self) -> bool:
        """Is there a loss that validation rows can be looked at by?"""
        return False

    @property
    def validated(self) -> bool:
        """Are validation rows kept, to choose the weights and the end of training by?"""
        return self.judged and self.validation.validation > 0

    def split(self, rows: Any) -> tuple[Any, Any]:
        """The rows to train on, and those to choose by, as two data sets; None for no such."""
        if not self.validated:
            return rows, None
        return build.split_valid(self.validation.validation, rows, seed=self.training.seed)

    def count_rows(self, rows: Any) -> int:
        """How many rows there are to train on."""
        return len(self.split(rows)[0].train)

    def training_rows(self, rows: Any) -> Any:
        """The rows to train on, with labels or numbers beside them where the method asks."""
        return rows.train

    def validation_rows(self, rows: Any) -> Any:
        """The rows to choose by, with labels beside them where the method asks."""
        return rows.train

    def select_energy(self, energy: Any) -> Any:
        """The energy that is sampled and measured, of the energy that was trained."""
        return energy

    def wrap_learner(self, learner: Any, rows: Any, ground: Groundwork) -> Any:
        """The learner, which keeps the weights that do best on the rows to choose by, if any."""
        found = None if rows is None else self.make_criterion(ground)
        if found is None:
            return learner
        loss, most = found
        some = build.choose_rows(self.validation_rows(rows), most)
        every = min(self.validation.validation_every, self.training.steps)
        options = dataclasses.replace(self.validation, validation_every=every)
        return build.keep_best(learner, options, loss, some, ground.transform)

    @property
    def keeps_average(self) -> bool:
        """Are other weights kept beside the last ones: their running average, or the best?"""
        return self.training.ema_decay > 0 or self.validated

    @property
    def temperature(self) -> float:
        """T of the distribution exp(-E/T) that the trained energy stands for."""
        return 1.0

    @property
    def training_chain(self) -> TrainingChain | None:
        """The chain that samples the model as it was trained; None where exact MCMC serves."""
        return None

    def noise_path(self, base: Any) -> NoisePath | None:
        """The noise levels that a draw goes down; None where chains draw."""
        return None

    @property
    def generator_chain(self) -> TrainingChain | None:
        """The chain of training that starts at samples of a generator; None for no such chain."""
        return None

    @property
    def latent_chain(self) -> LatentWalk | None:
        """The chain on the latent vector of a row; None for a method without a generator."""
        return None

    @property
    def infers_latents(self) -> bool:
        """Does training infer the latent vectors of rows?"""
        return False

    @property
    def infers_by_chain(self) -> bool:
        """Does training infer latent vectors by chains?"""
        return self.latent_chain is not None
