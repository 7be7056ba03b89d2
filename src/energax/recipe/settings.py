"""Every choice of a training run, complete and checked: what `config.json` repeats it from."""

import dataclasses
import math
from typing import Literal

from energax.errors import InputError
from energax.objective import Direction, Divergence, Kernel

Objective = Literal[
    "pcd",
    "cd",
    "cd-improved",
    "shortrun",
    "recovery",
    "sm",
    "ssm",
    "ssm-finite",
    "dsm",
    "nce",
    "nce-ranking",
    "nce-conditional",
    "nce-self",
    "discrepancy",
    "velocity",
    "contraction",
    "flow",
    "stein",
]
Transform = Literal["none", "standardise", "box", "marginal"]
Base = Literal["gaussian", "mixture", "box", "none"]

CHAINS = ("pcd", "cd", "cd-improved", "shortrun", "recovery")
"""Objectives that run Langevin chains in each update."""

FROM_BASE = ("nce", "nce-ranking", "contraction")
"""Objectives that compare the data with draws of the base law."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained and how: complete, so that it can be written down and repeated."""

    objective: Objective
    steps: int
    seed: int
    batch_size: int
    learning_rate: float
    clip: float
    weight_decay: float
    decay: float
    transform: Transform
    network: Literal["mlp", "conv"]
    width: int
    depth: int
    spectral: bool
    base: Base
    components: int
    noise: float
    control_variate: bool
    projections: int
    plain: bool
    direction: Direction
    noise_ratio: int
    divergence: Divergence
    kernel: Kernel
    chain_steps: int
    step_size: float
    chain_noise: float
    chain_clip: float
    buffer_size: int
    fresh: float
    energy_penalty: float
    chunk_steps: int
    checkpoint_every: int

    def __post_init__(self):
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                _refuse(name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "clip", "noise", "step_size"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                _refuse(name, "above 0 and finite", getattr(self, name))
        check_seed(self.seed)
        for name in ("energy_penalty", "chain_noise", "chain_clip", "weight_decay"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                _refuse(name, "at least 0 and finite", getattr(self, name))
        if not 0 <= self.decay < 1:
            _refuse("decay", "in [0, 1), where 0 keeps no average", self.decay)
        if not 0 <= self.fresh <= 1:
            _refuse("fresh", "in [0, 1]", self.fresh)
        if self.objective == "pcd" and self.buffer_size < self.batch_size:
            _refuse("buffer_size", f"at least the batch size, {self.batch_size}", self.buffer_size)
        if self.base == "none" and self.objective in FROM_BASE:
            raise InputError(
                f"--objective {self.objective} draws from the base law: choose another --base."
            )

    @property
    def temperature(self) -> float:
        """T of the law exp(-E/T) that the chains of training follow; 1 where there are none."""
        if self.objective in CHAINS:
            return self.chain_noise**2 / (2 * self.step_size)
        return 1.0


_AT_LEAST_ONE = (
    "steps",
    "batch_size",
    "width",
    "depth",
    "components",
    "projections",
    "noise_ratio",
    "chain_steps",
    "buffer_size",
    "chunk_steps",
    "checkpoint_every",
)


def check_seed(seed: int) -> None:
    """Raise InputError for a seed that not every random generator here takes."""
    if not 0 <= seed < 2**32:
        _refuse("seed", f"from 0 to {2**32 - 1}", seed)


def _refuse(name: str, expected: str, value: int | float) -> None:
    option = "--" + name.replace("_", "-")
    raise InputError(f"{option} must be {expected}; got {value}.")
