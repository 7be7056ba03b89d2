"""Weighted draws of a model: fresh ones of its base law, or chains that live on."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import AbstractLaw, Energy, detached, draws, log_density
from energax.objective.likelihood import walk
from energax.sampler import AbstractSampler, filled, pick, put_back

Batch = Float[Array, " batch *shape"]


class Cloud(eqx.Module):
    """Points, and the log-density of the law that they came from, up to a constant."""

    x: Float[Array, " size *shape"]
    log_law: Float[Array, " size"]


def shares(energy: Energy, cloud: Cloud) -> Float[Array, " size"]:
    """The weight exp(-E(x)) / law(x) of each point, summing to 1.

    The mean of F under p is sum(share * F); its gradient in the weights of E, through the shares,
    is the mean of dF less the covariance of F and dE.
    """
    return jax.nn.softmax(-jax.vmap(energy)(cloud.x) - cloud.log_law)


class AbstractSource(eqx.Module):
    """Where draws of a model come from."""

    @abc.abstractmethod
    def init(self, rows: Batch, *, key: PRNGKeyArray) -> PyTree:
        """The memory of the first call."""

    @abc.abstractmethod
    def __call__(
        self, energy: Energy, rows: Batch, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[Cloud, PyTree, dict[str, Float[Array, ""]]]:
        """Draws, the memory of the next call, and what to log."""


class FromLaw(AbstractSource):
    """`ratio` fresh draws of `law` for each row of data: exact up to their weights.

    Nothing is carried, nothing has to mix. Trap: where the model is far from the law few draws
    carry all the weight; "cloud_size" tells how many count.
    """

    law: AbstractLaw
    ratio: int = eqx.field(static=True, default=4)

    def __check_init__(self):
        if self.ratio < 1:
            raise ValueError(f"`ratio` must be at least 1; got {self.ratio}.")

    def init(self, rows: Batch, *, key: PRNGKeyArray) -> None:
        return None

    def __call__(
        self, energy: Energy, rows: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Cloud, None, dict[str, Float[Array, ""]]]:
        x = jax.lax.stop_gradient(draws(self.law, self.ratio * len(rows), key=key))
        cloud = Cloud(x, jax.vmap(lambda x: log_density(detached(self.law), x))(x))
        size = 1 / jnp.sum(shares(detached(energy), cloud) ** 2)
        return cloud, None, {"cloud_size": size}


class FromChains(AbstractSource):
    """As many chains as there are rows, from a buffer of `size`, walk `steps` steps.

    A fraction `fresh` of them starts again from `law`: see `PersistentContrastiveDivergence`.
    """

    sampler: AbstractSampler
    law: AbstractLaw
    steps: int = eqx.field(static=True, default=20)
    size: int = eqx.field(static=True, default=8192)
    fresh: float = 0.05

    def __check_init__(self):
        if self.steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {self.steps}.")
        if not 0 <= self.fresh <= 1:
            raise ValueError(f"`fresh` must lie in [0, 1]; got {self.fresh}.")

    def init(self, rows: Batch, *, key: PRNGKeyArray) -> PyTree:
        if len(rows) > self.size:
            raise ValueError(
                f"`size` must be at least the batch size, {len(rows)}; got {self.size}."
            )
        return filled(self.law, self.size, key=key)

    def __call__(
        self, energy: Energy, rows: Batch, memory: PyTree, *, key: PRNGKeyArray
    ) -> tuple[Cloud, PyTree, dict[str, Float[Array, ""]]]:
        choose, move = jax.random.split(key)
        slots, old = pick(memory, self.law, len(rows), self.fresh, key=choose)
        x, health = walk(self.sampler, energy, old.x, self.steps, key=move)
        cloud = Cloud(x, -jax.vmap(detached(energy))(x))
        return cloud, put_back(memory, slots, x, old.age), health
