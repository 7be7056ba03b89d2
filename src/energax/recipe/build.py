"""From settings and rows to the objects of the public API."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from energax import data, network
from energax.data import AbstractTransform, Dataset
from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    Classifier,
    Gaussian,
    GaussianMixture,
    Neural,
    NoisyEnergy,
    NonTrainable,
    Normalised,
    Tilt,
    UniformBox,
    fit_flow,
    fit_mixture,
    make_flow,
)
from energax.errors import InputError
from energax.recipe.lens import UnmapPixels
from energax.recipe.settings import LEVELS, NETWORKS, Settings

BOX = (-1.0, 1.0)
"""Where the transform `box` puts the data, and the base distribution `box` lives."""

RIDGE = {"marginal": 0.1, "standardise": 1e-4, "whiten": 1e-2, "box": 1e-3, "none": 1e-4}
"""Variance added to each axis of a fitted base distribution, in model units."""

ENOUGH = 6000
"""Dequantised rows that a base distribution is fitted to, where one dequantisation has fewer."""


def transform(settings: Settings, rows: Dataset) -> AbstractTransform:
    """The map to model units, fitted to the training rows. Integers are dequantised first."""
    kind, levels = settings.transform, rows.levels
    if levels is None:
        if kind == "marginal":
            raise InputError("--transform marginal is for whole numbers (images); choose another.")
        fitted = {
            "standardise": data.standardise,
            "whiten": data.whiten,
            "box": data.scale_to_box,
        }
        return fitted[kind](rows.train) if kind in fitted else data.Pipeline(())
    first = data.Dequantise(levels)
    unit = (rows.train + 0.5) / levels
    steps = {
        "none": lambda: (),
        "standardise": lambda: (data.standardise(unit),),
        "whiten": lambda: (data.whiten(unit, noise=1 / (levels * math.sqrt(12))),),
        "box": lambda: (data.ScaleToBox(0.0, 1.0, *BOX),),
        "marginal": lambda: (data.gaussianise_marginals(rows.train, levels),),
    }
    return data.Pipeline((first, *steps[kind]()))


def check(settings: Settings, rows: Dataset) -> None:
    """Raise InputError for settings that make sense, but not for these rows."""
    if settings.batch_size > len(rows.train):
        raise InputError(
            f"{rows.name} has {len(rows.train)} training rows, fewer than a batch of "
            f"{settings.batch_size}: give --batch-size {len(rows.train)} or less."
        )
    if settings.network not in NETWORKS.get(settings.objective, (settings.network,)):
        raise InputError(
            f"--objective {settings.objective} does not go with --network {settings.network}: "
            f"choose --network {' or '.join(NETWORKS[settings.objective])}."
        )
    if settings.objective == "joint" and rows.labels is None:
        raise InputError(
            f"--objective joint learns labels, and {rows.name} has none: choose another objective."
        )
    if settings.objective == "joint" and settings.labels != rows.labels:
        raise InputError(
            f"--labels {settings.labels} is not what {rows.name} has, {rows.labels}: leave it out."
        )
    if settings.objective == "dual" and settings.base == "box":
        raise InputError(
            "--objective dual has particles that walk over the edges of a box: choose another "
            "--base (gaussian, mixture or flow)."
        )
    if settings.network == "conv" and len(rows.shape) not in (2, 3):
        raise InputError(f"--network conv is for images; {rows.name} has none: choose mlp.")
    inside = settings.transform == "box" or (
        settings.transform == "none" and (rows.levels or np.abs(rows.train).max() <= BOX[1])
    )
    if settings.base == "box" and not inside:
        raise InputError(
            f"--base box is uniform on {list(BOX)}, which --transform {settings.transform} does "
            "not bring the data to: choose --transform box."
        )


@eqx.filter_jit
def _encoded(transform: AbstractTransform, rows: Array, keys: Array) -> tuple[Array, Array]:
    return jax.vmap(lambda x, k: transform.encode(x, key=k))(rows, keys)


def encoded(
    transform: AbstractTransform, rows: np.ndarray, *, key: PRNGKeyArray
) -> tuple[Float[Array, " size *shape"], Float[Array, " size"]]:
    """Rows in model units, and log|dy/dx| of each in nats."""
    return _encoded(transform, jnp.asarray(rows), jax.random.split(key, len(rows)))


def base_distribution(
    settings: Settings, rows: Dataset, transform: AbstractTransform
) -> AbstractDistribution:
    """The distribution that is tilted, that chains start from and that noise is drawn from.

    Fitted to the training rows in model units; to several dequantisations of few whole numbers.
    """
    if settings.base in ("box", "none"):
        return blank_base(settings, rows.shape)
    components = settings.components if settings.base == "mixture" else 1
    if components > len(rows.train):
        raise InputError(
            f"--components {components} exceeds the {len(rows.train)} training rows: choose fewer."
        )
    inputs = fitting_rows(settings, rows, transform)
    if settings.base == "flow":
        return fit_flow(inputs, seed=settings.seed)
    ridge = RIDGE[settings.transform]
    return fit_mixture(inputs, components, ridge=ridge, seed=settings.seed)


def fitting_rows(
    settings: Settings, rows: Dataset, transform: AbstractTransform
) -> Float[np.ndarray, " size *shape"]:
    """Training rows in model units for a distribution to be fitted to; whole numbers dequantised
    often."""
    copies = 1 if rows.levels is None else max(1, ENOUGH // len(rows.train))
    key = jax.random.key(settings.seed)
    return np.asarray(encoded(transform, np.repeat(rows.train, copies, axis=0), key=key)[0])


def blank_base(settings: Settings, shape: tuple[int, ...]) -> AbstractDistribution:
    """A distribution of the structure of `base_distribution`, to be filled with saved arrays."""
    if settings.base == "box":
        return UniformBox(shape, *BOX)
    if settings.base == "none":
        return Gaussian(jnp.zeros(shape))
    if settings.base == "flow":
        return make_flow(shape, mean=jnp.zeros(shape), std=jnp.ones(shape), key=jax.random.key(0))
    count = settings.components if settings.base == "mixture" else 1
    dim = int(np.prod(shape))
    means = np.zeros((count, *shape), np.float32)
    return GaussianMixture(np.zeros(count), means, np.tile(np.eye(dim), (count, 1, 1)))


def energy(
    settings: Settings,
    distribution: AbstractDistribution,
    transform: AbstractTransform,
    *,
    key: PRNGKeyArray,
) -> AbstractEnergy | NoisyEnergy:
    """The energy before training: the base distribution, tilted by a fresh network.

    Where the energy knows many levels of noise, a network of row and level, without a base
    distribution.
    """
    if settings.objective in LEVELS:
        seen = network.NoisyMLP(distribution.shape, settings.width, settings.depth, key=key)
        return NoisyEnergy(seen, distribution.shape)
    width, depth = settings.width, settings.depth
    out = settings.labels if settings.objective == "joint" else "scalar"
    if settings.network == "conv":
        spectral = settings.spectral
        net: Callable = network.ConvNet(
            distribution.shape, width, depth, spectral=spectral, out=out, key=key
        )
    elif settings.network == "shallow":
        net = network.make_shallow(distribution.shape, width, embedding=network.add_bias, key=key)
    else:
        net = network.MLP(distribution.shape, width, depth, out=out, key=key)
    if settings.objective == "dual":
        return Tilt(distribution, net)
    match transform:
        case data.Pipeline(steps=(_, data.MarginalGauss() as pixels)):
            net = network.InputTransform(NonTrainable(UnmapPixels(pixels)), net)
    if settings.objective == "joint":
        net = Classifier(net, distribution.shape, settings.labels)
    built = Neural(net, distribution.shape) if settings.base == "none" else Tilt(distribution, net)
    return Normalised(built) if settings.objective in ("nce", "flow-contrastive") else built


def seen(settings: Settings, energy: AbstractEnergy | NoisyEnergy) -> AbstractEnergy:
    """What is evaluated and drawn from: of many levels of noise, the energy at the finest."""
    match energy:
        case NoisyEnergy():
            return energy.at(settings.finest)
    return energy


def tilts(energy: AbstractEnergy) -> list[Tilt]:
    """The tilted distributions inside `energy`: one, or none."""

    def is_tilt(node: object) -> bool:
        return isinstance(node, Tilt)

    return [node for node in jax.tree.leaves(energy, is_leaf=is_tilt) if is_tilt(node)]


def base_of(energy: AbstractEnergy, other: AbstractDistribution) -> AbstractDistribution:
    """The base distribution inside `energy`, the very object; `other` where it tilts none."""
    found = tilts(energy)
    return found[0].distribution if found else other
