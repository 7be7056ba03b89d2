"""Every choice of a training run, complete and checked: what `config.json` repeats it from."""

import dataclasses
import math
from typing import Literal

from energax.errors import InputError
from energax.learner.game.f_divergence import Kind
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
    "coupled",
    "dsm-levels",
    "recovery-levels",
    "adversarial",
    "adversarial-generator",
    "flow-contrastive",
    "stein-learned",
    "f-kl",
    "f-reverse-kl",
    "f-js",
    "f-hellinger",
    "f-pearson",
    "cooperative",
    "teaching",
    "joint",
    "dual",
]
Transform = Literal["none", "standardise", "whiten", "box", "marginal"]
Base = Literal["gaussian", "mixture", "flow", "box", "none"]
Network = Literal["mlp", "conv", "shallow"]

Posterior = Literal["encoder", "prior", "kept", "variational", "none"]

CHAINS = ("pcd", "cd", "cd-improved", "shortrun", "recovery", "cooperative", "teaching")
"""Objectives that run Langevin chains in each update."""

F_DIVERGENCES: dict[str, Kind] = {
    "f-kl": "kl",
    "f-reverse-kl": "reverse-kl",
    "f-js": "js",
    "f-hellinger": "hellinger",
    "f-pearson": "pearson",
}
"""Objectives that minimise an f-divergence."""

GAMES = (
    "adversarial",
    "adversarial-generator",
    "flow-contrastive",
    "stein-learned",
    *F_DIVERGENCES,
)
"""Objectives in which the energy has a rival that learns too."""

TAUGHT = ("teaching", "cooperative")
"""Objectives in which energy, generator and, where there is one, encoder teach one another."""

ENCODED = ("encoder", "variational")
"""Posteriors of `teaching` that begin at the draw of an encoder."""

LEVELS = ("dsm-levels", "recovery-levels")
"""Objectives whose energy knows the level of noise; what is kept is that at the finest."""

NETWORKS: dict[str, tuple[Network, ...]] = {
    "dual": ("shallow",),
    "joint": ("mlp", "conv"),
    "dsm-levels": ("mlp",),
    "recovery-levels": ("mlp",),
}
"""Objectives that want some networks only: neurons to move, several outputs, the level beside x."""

FROM_BASE = ("nce", "nce-ranking", "contraction", "coupled", "joint", "dual", *F_DIVERGENCES)
"""Objectives that draw from the base distribution in each update, or need it to stay near the
data."""


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
    network: Network
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
    bandwidth: float
    levels: int
    broadest: float
    finest: float
    rounds: int
    rival_rate: float
    rival_decay: float
    momentum: float
    square_momentum: float
    rate_decay: float
    rival_width: int
    encoder_width: int
    halvings: int
    anchor: float
    posterior: Posterior
    latent: int
    latent_steps: int
    latent_step_size: float
    synthetic: float
    imitation: float
    through: float
    again: bool
    encoder_rate: float
    labels: int
    label_weight: float
    copies: int
    restart: float
    direction_step: float
    weight_step: float
    radius: float
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
        if self.levels < 2:
            _refuse("levels", "at least 2", self.levels)
        for name in _AT_LEAST_ONE:
            if name == "chain_steps" and self.objective == "teaching":
                continue
            if getattr(self, name) < 1:
                _refuse(name, "at least 1", getattr(self, name))
        for name in _ABOVE_ZERO:
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                _refuse(name, "above 0 and finite", getattr(self, name))
        check_seed(self.seed)
        for name in _NOT_NEGATIVE:
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                _refuse(name, "at least 0 and finite", getattr(self, name))
        for name in ("momentum", "square_momentum"):
            if not 0 <= getattr(self, name) < 1:
                _refuse(name, "in [0, 1)", getattr(self, name))
        if not 0 <= self.rate_decay <= 1:
            _refuse("rate_decay", "in [0, 1], where 0 is the cosine", self.rate_decay)
        if not 0 <= self.decay < 1:
            _refuse("decay", "in [0, 1), where 0 keeps no average", self.decay)
        if not 0 <= self.fresh <= 1:
            _refuse("fresh", "in [0, 1]", self.fresh)
        if self.objective == "pcd" and self.buffer_size < self.batch_size:
            _refuse("buffer_size", f"at least the batch size, {self.batch_size}", self.buffer_size)
        if self.objective in LEVELS and not self.finest < self.broadest:
            _refuse("finest", f"below --broadest, {self.broadest}", self.finest)
        if not 0 <= self.restart <= 1:
            _refuse("restart", "in [0, 1]", self.restart)
        if self.objective == "dual" and self.copies % 2:
            _refuse("copies", "even, as particles move in pairs", self.copies)
        if self.objective in TAUGHT:
            self._check_teaching()
        if self.base == "none" and self.objective in FROM_BASE:
            raise InputError(
                f"--objective {self.objective} needs a base distribution: choose another --base."
            )

    def _check_teaching(self) -> None:
        """Raise InputError for chains or players that these options do not go with."""
        if self.objective == "cooperative" and (self.posterior != "none" or self.again):
            raise InputError(
                "--objective cooperative is teaching with --posterior none --no-again, and takes "
                "no other: choose --objective teaching."
            )
        if self.fresh < 1 and not (self.again and self.chain_steps > 0):
            _refuse("fresh", "1 with --no-again or --chain-steps 0", self.fresh)
        if self.posterior in ("prior", "kept") and self.latent_steps < 1:
            _refuse("latent_steps", f"at least 1 for a posterior {self.posterior}", 0)
        if self.through > 0 and self.posterior not in ENCODED:
            _refuse("through", f"0 without an encoder (--posterior {self.posterior})", self.through)

    @property
    def temperature(self) -> float:
        """T of the distribution exp(-E/T) that the chains of training follow; 1 where there are
        none."""
        if self.objective in CHAINS and self.chain_steps > 0:
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
    "rounds",
    "rival_width",
    "encoder_width",
    "halvings",
    "copies",
    "latent",
)

_ABOVE_ZERO = (
    "learning_rate",
    "clip",
    "noise",
    "step_size",
    "broadest",
    "finest",
    "rival_rate",
    "encoder_rate",
    "latent_step_size",
    "label_weight",
)

_NOT_NEGATIVE = (
    "energy_penalty",
    "chain_noise",
    "chain_clip",
    "weight_decay",
    "rival_decay",
    "bandwidth",
    "anchor",
    "direction_step",
    "weight_step",
    "radius",
    "chain_steps",
    "latent_steps",
    "synthetic",
    "imitation",
    "through",
)


def check_seed(seed: int) -> None:
    """Raise InputError for a seed that not every random generator here takes."""
    if not 0 <= seed < 2**32:
        _refuse("seed", f"from 0 to {2**32 - 1}", seed)


def _refuse(name: str, expected: str, value: int | float) -> None:
    option = "--" + name.replace("_", "-")
    raise InputError(f"{option} must be {expected}; got {value}.")
