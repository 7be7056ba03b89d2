"""The dual of the kernel ball: particles alone, and an energy made of their kernels."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import AbstractManifold, Tilt
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.update import copy_arrays
from energax.network import AbstractFeature, flatten
from energax.sampler.manifold import retract

_AT_ONCE = 256
"""Points whose kernels with all centres are held in memory together."""


class Witness(eqx.Module):
    """f(x) = scale (mean_j k(x, y_j) - mean_i k(x, x_i)): high where particles y exceed rows x.

    The witness function of the maximum mean discrepancy; k is `feature.kernel` of embedded points.

    Example:
        >>> parts = jnp.eye(2)[:1], jnp.eye(2)[1:], jnp.array(1.0)
        >>> f = ex.learner.Witness(*parts, ex.network.Relu(), ex.network.flatten)
        >>> bool(f(jnp.array([0.0, 1.0])) > 0)
        True
    """

    rows: Float[Array, " rows dim"]
    particles: Float[Array, " particles dim"]
    scale: Float[Array, ""]
    feature: AbstractFeature
    embedding: Callable = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        u = self.embedding(x)
        above, below = (mean_kernel(self.feature, u, part) for part in (self.particles, self.rows))
        return self.scale * (above - below)


def mean_kernel(
    feature: AbstractFeature, u: Float[Array, " dim"], centres: Float[Array, " count dim"]
) -> Float[Array, ""]:
    """Mean of k(u, v) over centres v."""
    return jnp.mean(jax.vmap(lambda v: feature.kernel(u, v))(centres))


class KernelState(eqx.Module):
    """What `KernelDual` carries from update to update.

    `rows` are embedded, `particles` are not; `within_rows` is the mean kernel of two rows.

    Example:
        >>> state = ex.learner.KernelState(None, jnp.eye(3), jnp.eye(3), jnp.array(1.0))
        >>> state.rows.shape
        (3, 3)
    """

    distribution: PyTree
    rows: Float[Array, " rows dim"]
    particles: Float[Array, " count *shape"]
    within_rows: Float[Array, ""]


class KernelDual(AbstractLearner):
    """Particles that descend KL(nu || tau) + radius MMD(nu, data), each along the witness function.

    The dual of maximum likelihood over the ball of `radius` in the space that `feature.kernel`
    reproduces: no neurons. x <- project(x - rate grad excess(x) - h grad E_tau(x) + sqrt(2h) xi)
    with h = rate MMD / radius: Langevin dynamics of step size h along E_tau + f, where f = radius
    excess / MMD is the function of the ball that separates particles from rows best. At rest the
    particles follow exp(-f) tau, and f is the maximum-likelihood one.

    The model to train is the manifold's distribution; `energy` is its tilt by a `Witness`. Rows are
    those of the first batch, so give all of them (`batch_size=None`); cost grows as particles x
    (particles + rows). Metrics: "loss" and "distance" are both the MMD.

    Args:
        radius: above 0 and finite.
        rate: above 0 and finite.
        copies: particles for each row, at least 1.

    Raises:
        ValueError: rows off the manifold, or a setting out of its range.

    Trap: the MMD includes each point with itself, of order 1 / particles: below that it is noise.
    Source: Domingo-Enrich et al. (2021), the dual of section 3 for F2, and the flow in their
    released code.

    Example:
        >>> sphere = ex.energy.Sphere((3,))
        >>> learner = ex.learner.KernelDual(sphere, ex.network.Relu(), radius=5.0, rate=0.1)
        >>> learner.init(sphere.distribution, jnp.eye(3), key=key).particles.shape
        (3, 3)
    """

    manifold: AbstractManifold
    feature: AbstractFeature
    radius: Float[Array, ""]
    rate: Float[Array, ""]
    embedding: Callable = eqx.field(static=True)
    copies: int = eqx.field(static=True)

    def __init__(
        self,
        manifold: AbstractManifold,
        feature: AbstractFeature,
        radius: float,
        rate: float,
        *,
        embedding: Callable = flatten,
        copies: int = 1,
    ):
        for name, size in (("radius", radius), ("rate", rate)):
            if not (size > 0 and math.isfinite(size)):
                raise ValueError(f"`{name}` must be above 0 and finite; got {size}.")
        if copies < 1:
            raise ValueError(f"`copies` must be at least 1; got {copies}.")
        self.manifold, self.feature, self.embedding = manifold, feature, embedding
        self.radius = jnp.asarray(radius, jnp.result_type(float))
        self.rate = jnp.asarray(rate, jnp.result_type(float))
        self.copies = copies

    def init(
        self, players: Any, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> KernelState:
        """Particles begin as draws of the distribution: at the rows the witness would be 0."""
        if not eqx.tree_equal(players, self.manifold.distribution):
            raise ValueError(
                "`players` must be the distribution of `manifold`: give `manifold.distribution`."
            )
        self.manifold.check("rows", jax.device_get(rows))
        keys = jax.random.split(key, self.copies * len(rows))
        particles = jax.vmap(lambda k: players.sample(key=k))(keys).astype(rows.dtype)
        seen = jax.vmap(self.embedding)(rows)
        within = jax.lax.map(
            lambda u: mean_kernel(self.feature, u, seen), seen, batch_size=_AT_ONCE
        )
        return copy_arrays(KernelState(players, seen, particles, jnp.mean(within)))

    def _pulls(self, state: KernelState) -> tuple[Array, Float[Array, ""]]:
        """The slope of the excess at each particle, and the MMD."""
        others = jax.vmap(self.embedding)(state.particles)

        def excess(x: Array) -> tuple[Array, Array]:
            u = self.embedding(x)
            above, below = (mean_kernel(self.feature, u, part) for part in (others, state.rows))
            return above - below, above - 2 * below

        slope, shares = jax.lax.map(
            jax.grad(excess, has_aux=True), state.particles, batch_size=_AT_ONCE
        )
        square = jnp.mean(shares) + state.within_rows
        return slope, jnp.sqrt(jnp.maximum(square, 0))

    def step(
        self, state: KernelState, batch: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> tuple[KernelState, Metrics]:
        particles = state.particles
        dtype = particles.dtype
        pull, distance = self._pulls(state)
        size = self.rate.astype(dtype) * distance / self.radius.astype(dtype)
        slope = self.radius.astype(dtype) / distance * pull + jax.vmap(
            jax.grad(state.distribution)
        )(particles)
        noise = jax.random.normal(key, particles.shape, dtype)
        particles = jax.vmap(lambda x, g, r: retract(self.manifold, x, g, size, r))(
            particles, slope, noise
        )
        after = KernelState(state.distribution, state.rows, particles, state.within_rows)
        return after, {"loss": distance, "distance": distance}

    def energy(self, state: KernelState) -> Any:
        """The distribution tilted by the witness of the particles as they are."""
        _, distance = self._pulls(state)
        seen = jax.vmap(self.embedding)(state.particles)
        scale = self.radius.astype(distance.dtype) / distance
        return Tilt(
            state.distribution, Witness(state.rows, seen, scale, self.feature, self.embedding)
        )
