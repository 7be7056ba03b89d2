"""What is chosen where the user gives nothing: measured, see docs/digits.md and docs/studies.md."""

import math
from typing import Any, Literal

from energax.data import Dataset
from energax.recipe.settings import CHAINS, F_DIVERGENCES, NETWORKS, Settings

Kind = Literal["plane", "table", "small image", "image"]

SMALL = 256
"""Up to this many axes a full covariance matrix and a plain network are the better tools."""

_COMMON: dict[str, Any] = {
    "objective": "nce",
    "seed": 0,
    "batch_size": 256,
    "clip": 1.0,
    "weight_decay": 0.0,
    "decay": 0.99,
    "width": 128,
    "depth": 2,
    "spectral": False,
    "components": 10,
    "noise": 0.3,
    "control_variate": False,
    "projections": 1,
    "plain": False,
    "direction": "rademacher",
    "noise_ratio": 4,
    "divergence": "logistic",
    "kernel": "multiquadric",
    "bandwidth": 0.0,
    "levels": 10,
    "broadest": 1.0,
    "finest": 0.08,
    "rounds": 1,
    "rival_rate": 1e-3,
    "rival_decay": 0.0,
    "momentum": 0.9,
    "square_momentum": 0.999,
    "rate_decay": 0.0,
    "rival_width": 128,
    "halvings": 2,
    "anchor": 1.0,
    "posterior": "encoder",
    "latent": 16,
    "latent_steps": 10,
    "latent_step_size": 5e-3,
    "synthetic": 0.1,
    "imitation": 0.1,
    "through": 0.0,
    "again": True,
    "encoder_rate": 1e-3,
    "label_weight": 1.0,
    "copies": 2,
    "restart": 0.0,
    "direction_step": 2.0,
    "weight_step": 2.0,
    "radius": 200.0,
    "chain_steps": 20,
    "chain_clip": 0.0,
    "buffer_size": 8192,
    "fresh": 0.05,
    "energy_penalty": 0.0,
    "chunk_steps": 100,
    "checkpoint_every": 500,
}

_OF_KIND: dict[Kind, dict[str, Any]] = {
    "plane": {
        "steps": 2000,
        "batch_size": 512,
        "learning_rate": 5e-3,
        "decay": 0.995,
        "noise_ratio": 2,
        "transform": "standardise",
        "network": "mlp",
        "base": "gaussian",
        "step_size": 4e-3,
        "buffer_size": 2048,
        "fresh": 0.1,
    },
    "table": {
        "steps": 3000,
        "learning_rate": 1e-3,
        "transform": "standardise",
        "network": "mlp",
        "base": "mixture",
        "step_size": 1e-2,
    },
    "small image": {
        "steps": 1500,
        "learning_rate": 1e-3,
        "weight_decay": 1.0,
        "decay": 0.999,
        "noise_ratio": 1,
        "transform": "marginal",
        "network": "mlp",
        "width": 256,
        "base": "mixture",
        "step_size": 5e-2,
    },
    "image": {
        "objective": "pcd",
        "steps": 2000,
        "batch_size": 64,
        "learning_rate": 5e-4,
        "decay": 0.99,
        "transform": "box",
        "network": "conv",
        "width": 8,
        "depth": 2,
        "energy_penalty": 1.0,
        "buffer_size": 4096,
        "fresh": 0.02,
        "base": "box",
        "step_size": 10.0,
        "chain_noise": 0.01,
        "chain_clip": 0.01,
        "chunk_steps": 10,
        "checkpoint_every": 100,
    },
}

_TILTED: dict[str, Any] = {
    "steps": 800,
    "batch_size": 256,
    "learning_rate": 2e-3,
    "decay": 0.998,
    "base": "mixture",
}
"""In the plane, for chains and most rivals: a tilt of a nearby base stays flat enough for them.
From one Gaussian energies grow walls too steep for a Langevin step, gaps that no rival fills."""

_CRITIC: dict[str, Any] = {"learning_rate": 1e-2, "rival_rate": 1e-2, "noise_ratio": 4}
"""In the plane, for f-divergences."""

_STEEP: dict[str, dict[str, Any]] = {
    "f-reverse-kl": {"momentum": 0.0, "rounds": 2},
    "f-pearson": {"momentum": 0.0},
}
"""Exponentials of the critic in both slopes: with momentum the players run past each other."""

_BY_OBJECTIVE: dict[str, dict[str, Any]] = {
    "dsm": {"noise": 0.1},
    "dual": {"network": "shallow", "width": 256, "batch_size": 2048, "steps": 1000}
    | {"weight_decay": 0.0},
    "recovery": {"noise": 0.5, "step_size": 0.025, "chain_steps": 40},
    "recovery-levels": {"step_size": 0.1, "chain_steps": 40},
    "teaching": {"noise": 0.7, "fresh": 0.01},
    "cooperative": {"posterior": "none", "again": False, "synthetic": 0.09},
}
"""Chains of recovery must forget the noisy row: steps times step size, over noise^2, near 4."""

_ON_IMAGES: dict[str, dict[str, Any]] = {
    "teaching": {"noise": 0.3, "latent": 64, "synthetic": 50.0, "rival_width": 16, "fresh": 1.0}
    | {"rival_rate": 3e-4, "encoder_rate": 3e-4, "learning_rate": 1e-4},
}
"""For large images: chains run cold there, so that revised draws may weigh much, and all chains
begin at them. In the plane too, where chains that live on keep wrong shares of modes; on tables and
small images the energy wants chains that live on."""

_IN_PLANE: dict[str, dict[str, Any]] = {
    "dsm": {"noise": 0.05, "control_variate": True},
    "dual": {"network": "shallow", "width": 256, "batch_size": 1024, "steps": 3000}
    | {"direction_step": 1.0, "radius": 600.0},
    "recovery": {"noise": 0.2, "chain_steps": 40},
    "stein": {"bandwidth": 0.06, "base": "mixture", "steps": 1500, "learning_rate": 2e-3},
    "coupled": _TILTED | {"step_size": 0.02, "chain_steps": 30},
    "dsm-levels": {"steps": 4000, "learning_rate": 1e-2, "decay": 0.999, "levels": 4},
    "recovery-levels": {"steps": 4000, "decay": 0.999, "levels": 3, "finest": 0.05}
    | {"chain_steps": 30, "step_size": 0.1},
    "adversarial": _TILTED
    | {"batch_size": 512, "learning_rate": 1e-3, "rival_rate": 2e-3, "rounds": 3}
    | {"momentum": 0.0, "energy_penalty": 0.01, "decay": 0.995},
    "adversarial-generator": _TILTED
    | {"learning_rate": 1e-4, "rival_rate": 3e-3, "rounds": 4, "momentum": 0.0}
    | {"energy_penalty": 1.0, "noise": 0.15, "noise_ratio": 8},
    "cooperative": {"learning_rate": 1e-4, "rival_rate": 3e-3, "step_size": 1e-2}
    | {"chain_steps": 40, "energy_penalty": 1.0, "noise": 0.2, "latent": 2}
    | {"posterior": "none", "again": False, "synthetic": 0.04},
    "teaching": {"learning_rate": 3e-5, "rival_rate": 3e-3, "encoder_rate": 3e-3, "latent": 2}
    | {"chain_steps": 40, "energy_penalty": 1.0, "noise": 0.2, "fresh": 1.0},
    "flow-contrastive": _TILTED
    | {"batch_size": 512, "rival_rate": 3e-4, "noise_ratio": 1, "decay": 0.995},
    "stein-learned": _TILTED
    | {"steps": 1000, "batch_size": 512, "learning_rate": 1e-3, "rival_rate": 2e-3}
    | {"rounds": 3, "momentum": 0.0, "decay": 0.995},
} | {word: _CRITIC | _STEEP.get(word, {}) for word in F_DIVERGENCES}
"""What an objective wants in the plane, beyond what suits all."""

_SPECIAL: dict[Kind, dict[str, dict[str, Any]]] = {
    "plane": _IN_PLANE,
    "image": _BY_OBJECTIVE | _ON_IMAGES,
}


def kind_of(data: Dataset) -> Kind:
    """Which row of the table of defaults a data set falls under."""
    dim = math.prod(data.shape)
    if len(data.shape) > 1:
        return "small image" if dim <= SMALL and data.levels is not None else "image"
    return "plane" if dim <= 3 else "table"


_UNSUITED: dict[str, tuple[tuple[Kind, ...], str]] = {
    "dual": (("image",), "one layer of neurons on all pixels learns little; choose pcd"),
    "sm": (("image",), "it takes the whole Hessian of each row; choose ssm"),
    "stein-learned": (("image",), "its critic's divergence takes a pass for each pixel"),
    "adversarial-generator": (("image",), "it factors a matrix as wide as the row"),
    "dsm-levels": (("image",), "its network is a plain perceptron; choose dsm"),
    "recovery-levels": (("image",), "its network is a plain perceptron; choose recovery"),
}
"""Words that some kinds of data are too large for, and why."""


def applicable(objective: str, data: Dataset, network: str | None = None) -> str | None:
    """Why an objective does not suit a data set, or the network that is asked for; else None."""
    if network is not None and network not in NETWORKS.get(objective, (network,)):
        return f"it wants --network {' or '.join(NETWORKS[objective])}"
    if objective == "joint" and data.labels is None:
        return "its rows have no labels"
    kinds, why = _UNSUITED.get(objective, ((), ""))
    return why if kind_of(data) in kinds else None


def resolved(given: dict[str, Any], data: Dataset) -> Settings:
    """The settings of a run: each option that was given, and for the others what suits the data.

    Raises InputError for a value that makes no sense.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    kind = kind_of(data)
    settings = _COMMON | _OF_KIND[kind] | chosen
    if kind == "plane" and settings["objective"] in CHAINS:
        settings |= _TILTED
    special = _SPECIAL.get(kind, _BY_OBJECTIVE)
    settings |= special.get(settings["objective"], {})
    settings["batch_size"] = min(settings["batch_size"], len(data.train))
    settings |= chosen
    if "fresh" not in chosen and not (settings["again"] and settings["chain_steps"] > 0):
        settings["fresh"] = 1.0
    settings.setdefault("encoder_width", settings["rival_width"])
    settings.setdefault("labels", data.labels or 0)
    # The noise for which the chains follow exp(-E) itself, at temperature 1.
    settings.setdefault("chain_noise", math.sqrt(2 * max(settings["step_size"], 0.0)))
    return Settings(**settings)
