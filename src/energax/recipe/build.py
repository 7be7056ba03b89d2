"""From settings and rows to the objects of the public API."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from energax import data, network, objective, sampler
from energax.data import AbstractTransform, Dataset
from energax.energy import (
    AbstractEnergy,
    AbstractLaw,
    Fixed,
    Gaussian,
    GaussianMixture,
    Neural,
    Normalised,
    Tilt,
    UniformBox,
    fitted_mixture,
)
from energax.errors import InputError
from energax.learner import Descent
from energax.objective import AbstractObjective
from energax.recipe.lens import Brightness
from energax.recipe.settings import Settings

BOX = (-1.0, 1.0)
"""Where the transform `box` puts the data, and the base law `box` lives."""

RIDGE = {"marginal": 0.1, "standardise": 1e-4, "box": 1e-3, "none": 1e-4}
"""Variance added to each axis of a fitted base law, in model units."""

ENOUGH = 6000
"""Dequantised rows that a base law is fitted to, where one dequantisation has fewer."""


def transform(settings: Settings, rows: Dataset) -> AbstractTransform:
    """The map to model units, fitted to the training rows. Integers are dequantised first."""
    kind, levels = settings.transform, rows.levels
    if levels is None:
        if kind == "marginal":
            raise InputError("--transform marginal is for whole numbers (images); choose another.")
        fitted = {"standardise": data.standardise, "box": data.scale_to_box}
        return fitted[kind](rows.train) if kind in fitted else data.Pipeline(())
    first = data.Dequantise(levels)
    unit = (rows.train + 0.5) / levels
    steps = {
        "none": lambda: (),
        "standardise": lambda: (data.standardise(unit),),
        "box": lambda: (data.ScaleToBox(0.0, 1.0, *BOX),),
        "marginal": lambda: (data.marginal_gauss(rows.train, levels),),
    }
    return data.Pipeline((first, *steps[kind]()))


def check(settings: Settings, rows: Dataset) -> None:
    """Raise InputError for settings that make sense, but not for these rows."""
    if settings.batch_size > len(rows.train):
        raise InputError(
            f"{rows.name} has {len(rows.train)} training rows, fewer than a batch of "
            f"{settings.batch_size}: give --batch-size {len(rows.train)} or less."
        )
    if settings.network == "conv" and len(rows.shape) not in (2, 3):
        raise InputError(f"--network conv is for images; {rows.name} has none: choose mlp.")
    inside = settings.transform == "box" or (
        settings.transform == "none" and (rows.levels or np.abs(rows.train).max() <= BOX[1])
    )
    if settings.base == "box" and not inside:
        raise InputError(
            f"--base box is a law on {list(BOX)}, which --transform {settings.transform} does not "
            "bring the data to: choose --transform box."
        )


@eqx.filter_jit
def _encoded(transform: AbstractTransform, rows: Array, keys: Array) -> tuple[Array, Array]:
    return jax.vmap(lambda x, k: transform.encode(x, key=k))(rows, keys)


def encoded(
    transform: AbstractTransform, rows: np.ndarray, *, key: PRNGKeyArray
) -> tuple[Float[Array, " size *shape"], Float[Array, " size"]]:
    """Rows in model units, and log|dy/dx| of each in nats."""
    return _encoded(transform, jnp.asarray(rows), jax.random.split(key, len(rows)))


def base_law(settings: Settings, rows: Dataset, transform: AbstractTransform) -> AbstractLaw:
    """The law that is tilted, that chains start from and that noise is drawn from.

    Fitted to the training rows in model units; to several dequantisations of few whole numbers.
    """
    if settings.base in ("box", "none"):
        return blank_law(settings, rows.shape)
    components = settings.components if settings.base == "mixture" else 1
    if components > len(rows.train):
        raise InputError(
            f"--components {components} exceeds the {len(rows.train)} training rows: choose fewer."
        )
    copies = 1 if rows.levels is None else max(1, ENOUGH // len(rows.train))
    key = jax.random.key(settings.seed)
    inputs = np.asarray(encoded(transform, np.repeat(rows.train, copies, axis=0), key=key)[0])
    ridge = RIDGE[settings.transform]
    return fitted_mixture(inputs, components, ridge=ridge, seed=settings.seed)


def blank_law(settings: Settings, shape: tuple[int, ...]) -> AbstractLaw:
    """A law of the structure of `base_law`, to be filled with saved arrays."""
    if settings.base == "box":
        return UniformBox(shape, *BOX)
    if settings.base == "none":
        return Gaussian(jnp.zeros(shape))
    count = settings.components if settings.base == "mixture" else 1
    dim = int(np.prod(shape))
    means = np.zeros((count, *shape), np.float32)
    return GaussianMixture(np.zeros(count), means, np.tile(np.eye(dim), (count, 1, 1)))


def energy(
    settings: Settings, law: AbstractLaw, transform: AbstractTransform, *, key: PRNGKeyArray
) -> AbstractEnergy:
    """The energy before training: the base law, tilted by a fresh network."""
    if settings.network == "conv":
        net: Callable = network.ConvNet(
            law.shape, settings.width, settings.depth, spectral=settings.spectral, key=key
        )
    else:
        net = network.MLP(law.shape, settings.width, settings.depth, key=key)
    match transform:
        case data.Pipeline(steps=(_, data.MarginalGauss() as pixels)):
            net = network.Through(Fixed(Brightness(pixels)), net)
    built = Neural(net, law.shape) if settings.base == "none" else Tilt(law, net)
    return Normalised(built) if settings.objective == "nce" else built


def chain(settings: Settings) -> sampler.Langevin:
    """The chains of training."""
    return sampler.Langevin(
        settings.step_size,
        settings.chain_noise,
        clip=settings.chain_clip or None,
        box=BOX if settings.base == "box" else None,
    )


def loss(settings: Settings, law: AbstractLaw) -> AbstractObjective:
    """The objective by its word on the command line."""
    steps, penalty = settings.chain_steps, settings.energy_penalty
    noise, ratio = settings.noise, settings.noise_ratio
    makers = {
        "cd": lambda: objective.ContrastiveDivergence(chain(settings), steps, penalty),
        "cd-improved": lambda: objective.ImprovedContrastiveDivergence(
            chain(settings), steps, penalty
        ),
        "shortrun": lambda: objective.ShortRun(chain(settings), law, steps, penalty),
        "pcd": lambda: objective.PersistentContrastiveDivergence(
            chain(settings), law, steps, settings.buffer_size, settings.fresh, penalty
        ),
        "recovery": lambda: objective.RecoveryLikelihood(chain(settings), noise, steps),
        "sm": objective.ImplicitScoreMatching,
        "ssm": lambda: objective.SlicedScoreMatching(
            settings.projections, not settings.plain, settings.direction
        ),
        "ssm-finite": lambda: objective.FiniteDifferenceScoreMatching(
            projections=settings.projections, direction=settings.direction
        ),
        "dsm": lambda: objective.DenoisingScoreMatching(noise, settings.control_variate),
        "nce": lambda: objective.NoiseContrastiveEstimation(law, ratio, settings.divergence),
        "nce-ranking": lambda: objective.RankingNoiseContrastiveEstimation(law, ratio),
        "nce-conditional": lambda: objective.ConditionalNoiseContrastiveEstimation(noise, ratio),
        "nce-self": lambda: objective.SelfPerturbedNoiseContrastiveEstimation(noise),
        "discrepancy": lambda: objective.EnergyDiscrepancy(noise, ratio),
        "velocity": objective.MinimumVelocity,
        "contraction": lambda: objective.MinimumKLContraction(law, ratio),
        "flow": lambda: objective.MinimumProbabilityFlow(noise, ratio),
        "stein": lambda: objective.KernelStein(settings.kernel),
    }
    return makers[settings.objective]()


def learner(settings: Settings, law: AbstractLaw) -> Descent:
    """Adam with decoupled weight decay, clipped gradients, and a rate that falls along a cosine."""
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    adam = optax.adamw(rate, weight_decay=settings.weight_decay)
    optimiser = optax.chain(optax.clip_by_global_norm(settings.clip), adam)
    return Descent(loss(settings, law), optimiser, settings.decay or None)


def lifetime(settings: Settings) -> int:
    """Langevin steps that a chain of training has made when it ends or starts anew, on average."""
    if settings.objective == "pcd" and settings.fresh > 0:
        return round(settings.chain_steps / settings.fresh)
    return settings.chain_steps


def law_of(energy: AbstractEnergy, other: AbstractLaw) -> AbstractLaw:
    """The base law inside `energy`, the very object; `other` where it tilts none."""

    def is_tilt(node: object) -> bool:
        return isinstance(node, Tilt)

    tilts = [node for node in jax.tree.leaves(energy, is_leaf=is_tilt) if is_tilt(node)]
    return tilts[0].law if tilts else other
