"""How far a shallow energy is from the best in its ball: primal and dual value, and their gap."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Tilt
from energax.learner import KernelBall
from energax.network import Shallow

_AT_ONCE = 32
"""Directions whose features at all points are held in memory together."""

_CLIMBERS = 16
"""Directions that are improved by steps: the best of those that were tried."""


class Duality(eqx.Module):
    """Values in nats: `primal` of an energy, `dual` of the distribution it defines, `gap` >= 0.

    primal = mean f(data) + log integral of exp(-f) dtau; maximum likelihood minimises it, and
    -primal is the mean log-likelihood of the rows relative to tau. dual = -(KL(nu || tau) + radius
    x distance(nu, data)) of nu = exp(-f) tau / Z. No f of the ball has a primal value below `dual`,
    so gap = primal - dual bounds the log-likelihood that is still to be gained.

    Example:
        >>> found = ex.evaluate.Duality(jnp.array(0.3), jnp.array(0.1), jnp.array(0.2))
        >>> float(found.gap)
        0.2
    """

    primal: Float[Array, ""]
    dual: Float[Array, ""]
    gap: Float[Array, ""]


@eqx.filter_jit
@eqx.filter_jit
def variation_duality(
    energy: Tilt,
    radius: float,
    rows: Float[Array, " size *shape"],
    nodes: Float[Array, " nodes *shape"],
    log_shares: Float[Array, " nodes"],
    *,
    key: PRNGKeyArray,
    starts: int = 512,
    ascents: int = 100,
) -> Duality:
    """The gap in the ball of variation norm, F1: distance = sup over directions z of |Delta(z)|.

    Delta(z) = mean of phi(<z, u>) over the model less over the rows. The sup is sought among the
    network's neurons and `starts` uniform directions, and by `ascents` steps along the sphere from
    the best of them.

    Args:
        radius: of the ball; the gap is at least 0 for an f inside.
        nodes: points of a quadrature of tau (`sphere_grid`), or draws of tau.
        log_shares: the log of the share of tau at each node.

    Trap: a sup that the search misses makes the gap too small; on the 2-sphere hundreds of starts
    are enough. With draws for nodes the noise of Delta makes the gap too large, as does a network
    trained with the noise of few particles: see `DualTraining(horizon=...)`.
    Source: Domingo-Enrich et al. (2021), theorem 1; with f of norm up to radius, their beta.

    Example:
        >>> network, grid = ex.network.make_shallow((3,), 4, key=key), ex.evaluate.sphere_grid(4)
        >>> tilt = ex.energy.Tilt(ex.energy.Sphere((3,)).distribution, network)
        >>> bool(ex.evaluate.variation_duality(tilt, 1.0, jnp.eye(3), *grid, key=key).gap > 0)
        True
    """
    network, f, model = _parts(energy, nodes, log_shares)
    points, shares = jax.vmap(network.embedding)(nodes), jnp.exp(model)
    seen = jax.vmap(network.embedding)(rows)

    def gap(z: Array) -> Array:
        above = shares @ network.feature(points @ z)
        return above - jnp.mean(network.feature(seen @ z))

    def climb_from(z: Array) -> Array:
        side = jnp.sign(gap(z))

        def climb(z: Array, size: Array) -> tuple[Array, None]:
            slope = side * jax.grad(gap)(z)
            along = slope - jnp.dot(slope, z) * z
            z = z + size * along / jnp.maximum(jnp.linalg.norm(along), jnp.finfo(z.dtype).tiny)
            return z / jnp.linalg.norm(z), None

        sizes = 0.2 * 0.95 ** jnp.arange(ascents, dtype=z.dtype)
        return jnp.abs(gap(jax.lax.scan(climb, z, sizes)[0]))

    fresh = jax.random.normal(key, (starts, network.directions.shape[1]), points.dtype)
    fresh = fresh / jnp.linalg.norm(fresh, axis=1, keepdims=True)
    begin = jnp.concatenate([network.directions.astype(points.dtype), fresh])
    still = jnp.abs(jax.lax.map(gap, begin, batch_size=_AT_ONCE))
    best, at = jax.lax.top_k(still, min(_CLIMBERS, len(still)))
    distance = jnp.maximum(best[0], jnp.max(jax.vmap(climb_from)(begin[at])))
    return _duality(jnp.mean(jax.vmap(network)(rows)), f, model, log_shares, radius * distance)


@eqx.filter_jit
@eqx.filter_jit
def kernel_duality(
    energy: Tilt,
    radius: float,
    rows: Float[Array, " size *shape"],
    nodes: Float[Array, " nodes *shape"],
    log_shares: Float[Array, " nodes"],
) -> Duality:
    """The gap in the kernel ball, F2: distance = sup over f in it of mean f(model) - mean f(rows).

    For a `Shallow` the ball is that of its own neurons (`KernelBall.distance`): directions fixed,
    weights free. For any other tilt with a `feature` and an `embedding`, as a `Witness` has, it is
    that of the space that `feature.kernel` reproduces, of infinitely many neurons, and the distance
    is the MMD. Either way the gap is at least 0 for an f of the ball.

    Args: as in `variation_duality`.

    Source: Domingo-Enrich et al. (2021), theorem 2.

    Example:
        >>> network, grid = ex.network.make_shallow((3,), 4, key=key), ex.evaluate.sphere_grid(4)
        >>> tilt = ex.energy.Tilt(ex.energy.Sphere((3,)).distribution, network)
        >>> bool(ex.evaluate.kernel_duality(tilt, 1.0, jnp.eye(3), *grid).gap > 0)
        True
    """
    network, f, model = _parts(energy, nodes, log_shares)
    points, seen = (jax.vmap(network.embedding)(part) for part in (nodes, rows))
    distance = _distance(network, points, jnp.exp(model), seen)
    return _duality(jnp.mean(jax.vmap(network)(rows)), f, model, log_shares, radius * distance)


@functools.singledispatch
def _distance(network: Any, points: Array, shares: Array, seen: Array) -> Float[Array, ""]:
    """MMD of weighted `points` and evenly weighted `seen` under the kernel of `network.feature`."""
    centres = jnp.concatenate([points, seen])
    charge = jnp.concatenate([shares, jnp.full(len(seen), -1 / len(seen), shares.dtype)])

    def field(u: Array) -> Array:
        return charge @ jax.vmap(lambda v: network.feature.kernel(u, v))(centres)

    square = charge @ jax.lax.map(field, centres, batch_size=256)
    return jnp.sqrt(jnp.maximum(square, 0))


@_distance.register
def _(network: Shallow, points: Array, shares: Array, seen: Array) -> Float[Array, ""]:
    def gap(z: Array) -> Array:
        above = shares @ network.feature(points @ z)
        return above - jnp.mean(network.feature(seen @ z))

    directions = network.directions.astype(points.dtype)
    return KernelBall().distance(jax.lax.map(gap, directions, batch_size=_AT_ONCE))


def _parts(
    energy: Tilt, nodes: Array, log_shares: Array
) -> tuple[Any, Float[Array, " nodes"], Float[Array, " nodes"]]:
    """The network, f at the nodes, and the log of the model's shares there."""
    network = energy.network
    f = jax.vmap(network)(nodes)
    log_mass = log_shares.astype(f.dtype) - f
    return network, f, log_mass - logsumexp(log_mass)


def _duality(on_rows: Array, f: Array, model: Array, log_shares: Array, reach: Array) -> Duality:
    shares = jnp.exp(model)
    primal = on_rows + logsumexp(log_shares.astype(f.dtype) - f)
    kl = jnp.sum(shares * (model - log_shares.astype(f.dtype)))
    # KL and log Z share their large part: the gap is reach less the integral of f d(model - rows).
    return Duality(primal, -(kl + reach), reach - (jnp.sum(shares * f) - on_rows))
