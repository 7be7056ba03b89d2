"""How far a model on a sphere is from a known distribution, and its neurons from a teacher's."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from energax.energy import AbstractDistribution, AbstractManifold, Energy
from energax.evaluate.base import Estimate
from energax.network import Shallow


def sphere_grid(points: int = 100) -> tuple[Float[Array, " nodes 3"], Float[Array, " nodes"]]:
    """Nodes on the unit sphere in R^3, and the log of the share of the sphere at each.

    Gauss-Legendre in the height, 2 `points` even steps around: exact for polynomials of degree
    below 2 `points`.

    Raises:
        ValueError: fewer than 2 points.

    Example:
        >>> nodes, log_shares = ex.evaluate.sphere_grid(4)
        >>> nodes.shape, round(float(jnp.exp(log_shares).sum()), 6)
        ((32, 3), 1.0)
    """
    if points < 2:
        raise ValueError(f"`points` must be at least 2; got {points}.")
    height, share = np.polynomial.legendre.leggauss(points)
    turn = math.pi * (np.arange(2 * points) + 0.5) / points
    out = np.sqrt(1 - height**2)[:, None]
    flat = np.broadcast_to(height[:, None], out.shape[:1] + turn.shape)
    nodes = np.stack([out * np.cos(turn), out * np.sin(turn), flat], axis=-1)
    log_share = np.broadcast_to(np.log(share / (4 * points))[:, None], flat.shape)
    return jnp.asarray(nodes.reshape(-1, 3)), jnp.asarray(log_share.reshape(-1))


def kl_on_sphere(distribution: AbstractDistribution, energy: Energy, points: int = 100) -> Estimate:
    """KL(distribution || model) in nats on the unit sphere in R^3, by quadrature, without log Z.

    The error is the change from half as many points each way; `size`: nodes.

    Raises:
        ValueError: fewer than 4 points.

    Example:
        >>> uniform = ex.energy.Sphere((3,)).distribution
        >>> round(float(ex.evaluate.kl_on_sphere(uniform, lambda x: 0 * x[0], points=4).value), 6)
        0.0
    """
    if points < 4:
        raise ValueError(f"`points` must be at least 4; got {points}.")
    fine, coarse = (
        _kl(distribution, energy, *sphere_grid(count)) for count in (points, points // 2)
    )
    return Estimate(fine, jnp.abs(fine - coarse), jnp.asarray(2.0 * points**2, fine.dtype))


@eqx.filter_jit
def _kl(
    distribution: AbstractDistribution,
    energy: Energy,
    nodes: Float[Array, " nodes 3"],
    log_shares: Array,
) -> Float[Array, ""]:
    ours, theirs = -jax.vmap(energy)(nodes), -jax.vmap(distribution)(nodes)
    log_p = theirs + log_shares - logsumexp(theirs + log_shares)
    log_q = ours + log_shares - logsumexp(ours + log_shares)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q))


@eqx.filter_jit
def kl_by_draws(
    distribution: AbstractDistribution, energy: Energy, draws: Float[Array, " size *shape"]
) -> Estimate:
    """KL(distribution || model) in nats from exact draws of the distribution, without log Z.

    mean of (E - E_base) + log mean exp(E_base - E) over `draws`; the error is that of its linear
    part. `size`: draws the second mean is worth; the value is on average about (1 / size - 1 /
    draws) / 2 too low.

    Trap: where the model has mass that the distribution does not reach, no draw shows it and KL is
    too low.

    Example:
        >>> p, q = (ex.energy.Gaussian(jnp.zeros(1)) for _ in range(2))
        >>> float(ex.evaluate.kl_by_draws(p, q, jnp.ones((10, 1))).value)
        0.0
    """
    apart = jax.vmap(lambda x: energy(x) - distribution(x))(draws)
    log_mean = logsumexp(-apart) - math.log(len(draws))
    ratio = jnp.exp(-apart - log_mean)
    parts = apart + ratio
    error = jnp.std(parts, ddof=1) / math.sqrt(len(draws))
    return Estimate(jnp.mean(apart) + log_mean, error, jnp.sum(ratio) ** 2 / jnp.sum(ratio**2))


@eqx.filter_jit
def fisher_divergence(
    manifold: AbstractManifold,
    distribution: AbstractDistribution,
    energy: Energy,
    draws: Float[Array, " size *shape"],
) -> Estimate:
    """Half the mean over draws of the distribution of |P (grad E - grad E_base)|^2: D.

    P projects on the tangent space. What score matching on the manifold minimises. Published "score
    matching errors" of Domingo-Enrich et al. (2021) are 2 D.

    Example:
        >>> normal, moved = (ex.energy.Gaussian(jnp.full(1, mean)) for mean in (0.0, 1.0))
        >>> given = ex.energy.Flat(normal), normal, moved, jnp.ones((9, 1))
        >>> float(ex.evaluate.fisher_divergence(*given).value)
        0.5
    """

    def one(x: Array) -> Array:
        apart = manifold.tangent(x, jax.grad(energy)(x) - jax.grad(distribution)(x))
        return jnp.sum(apart**2) / 2

    values = jax.vmap(one)(draws)
    error = jnp.std(values, ddof=1) / math.sqrt(len(draws))
    return Estimate(jnp.mean(values), error, jnp.asarray(float(len(draws)), values.dtype))


def alignment(
    network: Shallow, directions: Float[Array, " teachers dim"], near: float = 0.95
) -> tuple[Float[Array, " teachers"], Float[Array, ""]]:
    """The best cosine of a neuron with each teacher direction, and the share of weight near one.

    Near: on neurons whose cosine with some teacher direction is at least `near`.

    Example:
        >>> network = ex.network.make_shallow((3,), 8, key=key)
        >>> ex.evaluate.alignment(network, network.directions[:2])[0].round(6).tolist()
        [1.0, 1.0]
    """
    cosines = network.directions @ directions.astype(network.directions.dtype).T
    weights = jnp.abs(network.weights)
    close = jnp.max(cosines, axis=1) >= near
    return jnp.max(cosines, axis=0), jnp.sum(jnp.where(close, weights, 0)) / jnp.sum(weights)
