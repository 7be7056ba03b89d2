"""The slope of a generator's log-density, by draws of its latent vector given the example."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, PRNGKeyArray

from energax.network import NoisyGenerator


def density_slope(
    generator: NoisyGenerator,
    x: Float[Array, "*shape"],
    z: Float[Array, " latent"],
    proposals: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
    """d log q(x) / dx = E[(g(z) - x) / s^2 | x], and the effective number of proposals.

    The mean over z given x is a self-normalised importance sum over `proposals` draws from the
    Gaussian that the posterior would be if g were linear, with its slope J at the `z` that made x:
    precision M = I + J'J / s^2, mean z + M^-1 (J'(x - g(z)) / s^2 - z). For a linear g it is the
    posterior itself, and the estimate is unbiased. Source: Grathwohl et al. (2021), eq. 8-10, whose
    proposal has one learned width in place of M.

    Trap: where far latent vectors make the same x, the proposals see but one of them.
    """
    variance = generator.std**2

    def made(z: Array) -> Array:
        return generator(z).reshape(-1)

    flat, slope = x.reshape(-1), jax.jacfwd(made)(z)
    precision = jnp.eye(len(z)) + slope.T @ slope / variance
    factor = jnp.linalg.cholesky(precision)
    pull = slope.T @ (flat - made(z)) / variance - z
    step = solve_triangular(factor, solve_triangular(factor, pull, lower=True), lower=True, trans=1)
    noise = jax.random.normal(key, (proposals, len(z)))
    spread = solve_triangular(factor, noise.T, lower=True, trans=1).T
    found = (z + step)[None] + spread
    gaps = jax.vmap(made)(found) - flat[None]
    log_joint = -jnp.sum(found**2, axis=1) / 2 - jnp.sum(gaps**2, axis=1) / (2 * variance)
    share = jax.nn.softmax(log_joint + jnp.sum(noise**2, axis=1) / 2)
    return (share @ gaps / variance).reshape(x.shape), 1 / jnp.sum(share**2)
