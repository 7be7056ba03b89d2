"""Maximum likelihood, samples of the model by chains: contrastive divergence and kin."""

import dataclasses
from typing import Any

from energax import objective, sampler
from energax.errors import InputError
from energax.method.chain import Buffer, TrainingChain, Walk
from energax.method.descent import AbstractChainMethod, AbstractDescentMethod, tilt_in_plane
from energax.method.groundwork import Groundwork
from energax.method.kind import Kind
from energax.options import replace

PAIRED = 2
"""Rows of a batch for each pair of coupled chains."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersistentContrastiveDivergence(AbstractChainMethod):
    """Persistent contrastive divergence: chains are kept in a buffer between updates."""

    buffer: Buffer

    name = "pcd"
    title = "persistent contrastive divergence"
    source = "Tieleman (2008); Du and Mordatch (2019)"
    minimises = "E(data) - E(chains), with persistent chains in a buffer"
    use = "images; wherever no noise distribution is close to the data"
    trap = "chains lag behind the energy; the loss stays near 0 and shows no progress"

    def validate(self) -> None:
        if self.chain.walk.chain_steps < 1:
            raise InputError("--chain-steps must be at least 1; got 0.")
        if self.buffer.buffer_size < self.training.batch_size:
            raise InputError(
                f"--buffer-size must be at least the batch size, {self.training.batch_size}; got "
                f"{self.buffer.buffer_size}."
            )

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.PersistentContrastiveDivergence(
            self.chain.langevin(self.base),
            ground.base,
            self.chain.walk.chain_steps,
            self.buffer.buffer_size,
            self.buffer.reinit_probability,
            self.penalty.energy_penalty,
        )

    @property
    def training_chain(self) -> TrainingChain | None:
        """Langevin steps from the base until a chain restarts, on average."""
        if not self.chain.cold:
            return None
        steps, restart = self.chain.walk.chain_steps, self.buffer.reinit_probability
        lifetime = round(steps / restart) if restart > 0 else steps
        return TrainingChain(self.chain.langevin(self.base), lifetime)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContrastiveDivergence(AbstractChainMethod):
    """Contrastive divergence: chains start at the data in each update."""

    name = "cd"
    title = "contrastive divergence"
    source = "Hinton (2002)"
    minimises = "E(data) - E(chains), with chains started at the data"
    use = "to refine an energy that is nearly right"
    trap = "biased for any number of steps; nothing is learned far from the data"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ContrastiveDivergence(
            self.chain.langevin(self.base),
            self.chain.walk.chain_steps,
            self.penalty.energy_penalty,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImprovedContrastiveDivergence(AbstractChainMethod):
    """Contrastive divergence that also lowers the divergence of its own chains from the model."""

    name = "cd-improved"
    title = "improved contrastive divergence"
    source = "Du et al. (2021)"
    minimises = "as cd, plus the divergence of the chains from the model"
    use = "as cd, where chains collapse"
    trap = "one step learns next to nothing; a sampler that rejects has no useful gradient"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ImprovedContrastiveDivergence(
            self.chain.langevin(self.base),
            self.chain.walk.chain_steps,
            self.penalty.energy_penalty,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShortRun(AbstractChainMethod):
    """Short-run chains: they start from the base distribution in each update."""

    name = "shortrun"
    title = "short-run chains"
    source = "Nijkamp et al. (2019)"
    minimises = "E(data) - E(chains), with chains started from the base"
    use = "when samples matter more than the density"
    trap = "the chain is part of the model: sample with the same chain"

    def make_objective(self, ground: Groundwork) -> Any:
        return objective.ShortRun(
            self.chain.langevin(self.base),
            ground.base,
            self.chain.walk.chain_steps,
            self.penalty.energy_penalty,
        )

    @property
    def training_chain(self) -> TrainingChain | None:
        """The chain that is part of the model."""
        return TrainingChain(self.chain.langevin(self.base), self.chain.walk.chain_steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoupledLikelihood(AbstractDescentMethod):
    """Likelihood by pairs of chains that meet: no bias from short chains."""

    walk: Walk

    name = "coupled"
    title = "likelihood by coupled chains"
    source = "Jacob et al. (2020); Qiu et al. (2020)"
    minimises = "negative log-likelihood, by pairs of chains that meet"
    use = "few dimensions and a base close to the data"
    trap = "pairs that do not meet bring the bias back"
    needs_base = True
    judges_itself = False
    hints = ("--learning-rate", "--step-size", "--clip")

    @classmethod
    def preset(cls, kind: Kind) -> "CoupledLikelihood":
        usual = cls.usual(kind)
        if kind == "plane":
            return replace(tilt_in_plane(usual), step_size=0.02, chain_steps=30)
        return usual

    def validate(self) -> None:
        if self.walk.chain_steps < 1:
            raise InputError("--chain-steps must be at least 1; got 0.")

    def make_objective(self, ground: Groundwork) -> Any:
        limit = self.walk.chain_steps
        return objective.CoupledLikelihood(
            sampler.CoupledLangevin(ground.base, self.walk.step_size),
            max(1, limit // 5),
            max(1, 2 * limit // 5),
            limit,
            pairs=max(1, self.training.batch_size // PAIRED),
        )
