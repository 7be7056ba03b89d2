"""Maximum likelihood of a mass function, samples of the model by chains."""

import dataclasses
from typing import Any

from energax import learner, objective
from energax.errors import InputError
from energax.method import build
from energax.method.chain import Buffer
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.method.mass.base import AbstractMassDescent, AbstractMassMethod
from energax.method.mass.parts import MassChain
from energax.options import Range, at_least, check, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersistentContrastiveDivergence(AbstractMassDescent):
    """Persistent contrastive divergence: chains are kept in a buffer between updates."""

    chain: MassChain
    buffer: Buffer

    name = "pcd"
    title = "persistent contrastive divergence"
    source = "Tieleman (2008)"
    minimises = "E(data) - E(chains), with persistent chains in a buffer"
    use = "restricted Boltzmann machines, Potts models, networks on many sites"
    trap = "chains that no longer cross between modes, which no metric shows: see ladder"

    def validate(self) -> None:
        if self.buffer.buffer_size < self.training.batch_size:
            raise InputError(
                f"--buffer-size must be at least the batch size, {self.training.batch_size}; got "
                f"{self.buffer.buffer_size}."
            )

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.PersistentContrastiveDivergence(
            build.make_kernel(self.chain, self.network.kind),
            ground.base,
            self.chain.chain_steps,
            self.buffer.buffer_size,
            self.buffer.reinit_probability,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContrastiveDivergence(AbstractMassDescent):
    """Contrastive divergence: chains start at the data in each update."""

    chain: MassChain

    name = "cd"
    title = "contrastive divergence"
    source = "Hinton (2002)"
    minimises = "E(data) - E(chains), with chains started at the data"
    use = "a quick start, and energies that are nearly right"
    trap = "biased for any number of steps; modes far from the data are never seen"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ContrastiveDivergence(
            build.make_kernel(self.chain, self.network.kind), self.chain.chain_steps
        )


@dataclasses.dataclass(frozen=True)
class Rungs:
    """The rungs of a ladder, and the chains on each."""

    ladder_chains: int = option("Chains on each rung, a multiple of 16.", at_least(16), default=128)
    rounds: int = option("Exchanges between rungs for each update.", at_least(1), default=1)
    max_rungs: int = option("Room for rungs above the base.", Range(3, 256), default=24)

    def __post_init__(self):
        check(self)
        if self.ladder_chains % 16:
            raise InputError(f"--ladder-chains must be a multiple of 16; got {self.ladder_chains}.")

    @classmethod
    def usual(cls, kind: Kind) -> "Rungs":
        """What suits most methods on a kind of data."""
        return cls()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ladder(AbstractMassMethod):
    """Persistent chains at checkpoints of the energy's own training, which exchange states."""

    chain: MassChain
    rungs: Rungs

    name = "ladder"
    title = "parallel trajectory tempering"
    source = "Bereux et al. (2024)"
    minimises = "E(data) - E(chains), with chains on a ladder of checkpoints"
    use = "distributions of several clusters; the log-likelihood is a curve of training"
    trap = "a mode that base, path and chains never saw is missed without a sign"

    def build(self, ground: Groundwork, *, key: Any) -> tuple[Any, Any]:
        made = learner.Ladder(
            ground.base,
            build.make_kernel(self.chain, self.network.kind),
            self.make_optimiser(ground),
            sweeps=self.chain.chain_steps,
            rounds=self.rungs.rounds,
            chains=self.rungs.ladder_chains,
            max_rungs=self.rungs.max_rungs,
            ema_decay=self.training.ema_decay or None,
        )
        return self.make_energy(ground, key=key), made
