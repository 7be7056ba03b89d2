"""Maximum likelihood of a mass function, samples of the model by chains."""

import dataclasses
from typing import Any

from energax import objective
from energax.errors import InputError
from energax.method import build
from energax.method.chain import Buffer
from energax.method.groundwork import Groundwork
from energax.method.mass.base import AbstractMassMethod
from energax.method.mass.parts import MassChain


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersistentContrastiveDivergence(AbstractMassMethod):
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
class ContrastiveDivergence(AbstractMassMethod):
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
