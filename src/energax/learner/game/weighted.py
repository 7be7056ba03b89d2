"""Weighted draws of a model: fresh ones of its base distribution, or persistent chains."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import AbstractDistribution, Energy, draws, log_density, stop_gradient
from energax.objective.likelihood import walk
from energax.sampler import AbstractSampler, Buffer

Batch = Float[Array, " batch *shape"]


class WeightedSamples(eqx.Module):
    """Points, and the log-density of the distribution that they came from, up to a constant."""

    x: Float[Array, " size *shape"]
    log_distribution: Float[Array, " size"]


def normalise_weights(energy: Energy, samples: WeightedSamples) -> Float[Array, " size"]:
    """The weights exp(-E(x)) / distribution(x) of all points, scaled to sum to 1.

    The mean of F under p is sum(weight * F); its gradient in the parameters of E, through the
    weights, is the mean of dF less the covariance of F and dE.
    """
    return jax.nn.softmax(-jax.vmap(energy)(samples.x) - samples.log_distribution)


class AbstractSource(eqx.Module):
    """Where draws of a model come from."""

    @abc.abstractmethod
    def init(self, rows: Batch, *, key: PRNGKeyArray) -> PyTree:
        """The memory of the first call."""

    @abc.abstractmethod
    def __call__(
        self, energy: Energy, rows: Batch, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[WeightedSamples, PyTree, dict[str, Float[Array, ""]]]:
        """Draws, the memory of the next call, and what to log."""


class FromDistribution(AbstractSource):
    """`ratio` fresh draws of `distribution` for each row of data, weighted to be the model's.

    Nothing is carried and nothing has to mix. Metrics: "effective_size", the effective number of
    draws.

    Raises:
        ValueError: `ratio` is below 1.

    Trap: where the model is far from the distribution, few draws carry all the weight.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(2))
        >>> found = ex.learner.FromDistribution(normal, 4)(normal, jnp.zeros((8, 2)), None, key=key)
        >>> found[0].x.shape
        (32, 2)
    """

    distribution: AbstractDistribution
    ratio: int = eqx.field(static=True, default=4)

    def __check_init__(self):
        if self.ratio < 1:
            raise ValueError(f"`ratio` must be at least 1; got {self.ratio}.")

    def init(self, rows: Batch, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, energy: Energy, rows: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[WeightedSamples, None, dict[str, Float[Array, ""]]]:
        x = jax.lax.stop_gradient(draws(self.distribution, self.ratio * len(rows), key=key))
        samples = WeightedSamples(
            x, jax.vmap(lambda x: log_density(stop_gradient(self.distribution), x))(x)
        )
        size = 1 / jnp.sum(normalise_weights(stop_gradient(energy), samples) ** 2)
        return samples, None, {"effective_size": size}


class FromChains(AbstractSource):
    """As many chains as there are rows, from a buffer of `size`; each update makes `steps` steps.

    Args:
        distribution: where chains start.
        size: at least the batch size.
        reinit_probability: in [0, 1], the share of chains that start again at each update; see
            `PersistentContrastiveDivergence`.

    Raises:
        ValueError: a setting is out of range.

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(2))
        >>> source = ex.learner.FromChains(ex.sampler.Langevin(0.1), normal, steps=5, size=16)
        >>> memory = source.init(jnp.zeros((8, 2)), key=key)
    """

    sampler: AbstractSampler
    distribution: AbstractDistribution
    steps: int = eqx.field(static=True, default=20)
    size: int = eqx.field(static=True, default=8192)
    reinit_probability: float = 0.05

    def __check_init__(self):
        if self.steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {self.steps}.")
        if not 0 <= self.reinit_probability <= 1:
            raise ValueError(
                f"`reinit_probability` must lie in [0, 1]; got {self.reinit_probability}."
            )

    def init(self, rows: Batch, *, key: PRNGKeyArray) -> PyTree:
        if len(rows) > self.size:
            raise ValueError(
                f"`size` must be at least the batch size, {len(rows)}; got {self.size}."
            )
        return Buffer.create(self.distribution, self.size, key=key)

    def __call__(
        self, energy: Energy, rows: Batch, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[WeightedSamples, PyTree, dict[str, Float[Array, ""]]]:
        choose, move = jax.random.split(key)
        slots, old = memory.draw(self.distribution, len(rows), self.reinit_probability, key=choose)
        x, health = walk(self.sampler, energy, old.x, self.steps, key=move)
        samples = WeightedSamples(x, -jax.vmap(stop_gradient(energy))(x))
        return samples, memory.update(slots, x, old.age), health
