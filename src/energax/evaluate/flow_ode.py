"""Log-densities along the probability flow: a model of many noise levels as a normalising flow."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, AbstractNoisy, log_density
from energax.evaluate.base import Estimate
from energax.sampler.flow import prepare_solver, solve, velocity

Rows = Float[Array, " rows *shape"]

COARSER = 10
"""The second solve, whose distance is the error, has tolerances this many times as large."""


def flow_log_density(
    model: AbstractNoisy,
    prior: AbstractDistribution,
    sigma_max: float,
    sigma_min: float,
    rows: Rows,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> Estimate:
    """log p of each row, in nats, under the probability flow from `prior` down to little noise.

    The row flows up to x' at the highest noise by dx/dlog s = v = -s^2 score(x, s), and log p(row)
    = log prior(x') + integral of div v dlog s, the divergence by one derivative along each axis:
    for few axes.

    Args:
        model: a model of shrunk rows goes in as `Unshrunk`, with the s of its docstring.
        prior: the distribution at `sigma_max`, as near as possible; `Gaussian(0, sqrt(1 +
            sigma_max^2))` for standardised data.
        sigma_max: the highest noise.
        sigma_min: the lowest noise, below `sigma_max`.
        rtol: relative tolerance of the solver.
        atol: absolute tolerance of the solver.

    Returns:
        For each row the value; as error the distance from a solve with both tolerances ten times as
        large, most often ten times the true error, plus a tenth of its mean over the rows, for rows
        where the two meet by chance; as size the steps of the solver.

    Raises:
        ValueError: `sigma_max` is not above `sigma_min`. A solve that fails raises too.

    Trap: this is the exact density of what `probability_flow` makes of draws of `prior`, normalised
    whatever the network. Not in the error: it is at best the distribution of the data *with the
    lowest noise on them*, and what `prior` misses is carried down whole. A `NoisyEnergy` has
    another density at the lowest level, exp(-E(x, s)) / Z; the two agree only where its levels fit
    one another.
    Source: Song et al. (2021), section 4.3 and appendix D.2.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (1,))
        >>> given = model, ex.energy.Gaussian(jnp.zeros(1), 50**0.5), 7.0, 0.1, jnp.zeros((1, 1))
        >>> ex.evaluate.flow_log_density(*given).value.round(2).tolist()
        [-0.92]
    """
    fine, coarse, steps = _twice(model, prior, (sigma_max, sigma_min), rows, (rtol, atol), None)
    return Estimate(fine[:, 0], _gap(fine[:, 0], coarse[:, 0]), steps)


def flow_log_density_by_probes(
    model: AbstractNoisy,
    prior: AbstractDistribution,
    sigma_max: float,
    sigma_min: float,
    rows: Rows,
    *,
    probes: int = 16,
    rtol: float = 1e-4,
    atol: float = 1e-4,
    key: PRNGKeyArray,
) -> Estimate:
    """`flow_log_density` for many axes: the divergence from `probes` random directions of a row.

    div v is the mean of u . (dv/dx) u over directions u of independent signs. A row keeps its
    directions along its whole way, so it has `probes` independent values, of which `value` is the
    mean, unbiased up to the solver. The error is their standard error, plus that of the solver;
    `size`: `probes`.

    Args: as in `flow_log_density`, and `probes`, at least 2.

    Raises:
        ValueError: `probes` is below 2, or as `flow_log_density`.

    Trap: a standard error from few probes is itself uncertain.
    Source: Song et al. (2021), appendix D.2, after Hutchinson (1990).

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (1,))
        >>> given = model, ex.energy.Gaussian(jnp.zeros(1), 50**0.5), 7.0, 0.1, jnp.zeros((1, 1))
        >>> ex.evaluate.flow_log_density_by_probes(*given, key=key).value.round(2).tolist()
        [-0.92]
    """
    if probes < 2:
        raise ValueError(f"`probes` must be at least 2; got {probes}.")
    signs = jax.random.rademacher(key, (len(rows), probes, *rows.shape[1:]), rows.dtype)
    fine, coarse, _ = _twice(model, prior, (sigma_max, sigma_min), rows, (rtol, atol), signs)
    spread = jnp.std(fine, axis=1, ddof=1) / jnp.sqrt(jnp.asarray(probes, fine.dtype))
    value = jnp.mean(fine, axis=1)
    error = spread + _gap(value, jnp.mean(coarse, axis=1))
    return Estimate(value, error, jnp.full_like(value, probes))


def _gap(fine: Float[Array, " rows"], coarse: Float[Array, " rows"]) -> Float[Array, " rows"]:
    gap = jnp.abs(fine - coarse)
    return gap + jnp.mean(gap) / COARSER


def _twice(
    model: AbstractNoisy,
    prior: AbstractDistribution,
    noises: tuple[float, float],
    rows: Rows,
    tolerances: tuple[float, float],
    signs: Float[Array, " rows probes *shape"] | None,
) -> tuple[Array, Array, Array]:
    """Log-densities at the tolerances and at coarser ones, and the steps of the finer solve."""
    if not noises[0] > noises[1]:
        raise ValueError(f"`sigma_max` must be above `sigma_min`; got {noises[0]} and {noises[1]}.")
    span, fine = prepare_solver((noises[1], noises[0]), *tolerances, rows.dtype)
    values, steps = _densities(model, prior, span, fine, rows, signs)
    return values, _densities(model, prior, span, COARSER * fine, rows, signs)[0], steps


Signs = Float[Array, " probes *shape"] | None


def divergence(field: Callable[[Array], Array], x: Array, signs: Signs) -> tuple[Array, Array]:
    """`field` at `x`, and its divergence: once by exact trace, or once for each probe."""
    value, push = jax.linearize(field, x)
    if signs is None:
        axes = jnp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
        return value, jnp.sum(jax.vmap(push)(axes) * axes)[None]
    along = jax.vmap(push)(signs) * signs
    return value, jnp.sum(along, axis=range(1, along.ndim))


@eqx.filter_jit
def _densities(
    model: AbstractNoisy,
    prior: AbstractDistribution,
    span: Float[Array, " 2"],
    tolerances: Float[Array, " 2"],
    rows: Rows,
    signs: Float[Array, " rows probes *shape"] | None,
) -> tuple[Float[Array, " rows values"], Float[Array, " rows"]]:
    """Log-densities of each row, one for each probe, and the steps of the solver."""

    def slope(time: Array, state: tuple[Array, Array], signs: Signs) -> tuple[Array, Array]:
        return divergence(lambda x: velocity(model, x, jnp.exp(time)), state[0], signs)

    def one(x: Array, signs: Signs) -> tuple[Array, Array]:
        volume = jnp.zeros(1 if signs is None else len(signs), x.dtype)
        (last, volume), steps = solve(slope, span, tolerances, (x, volume), signs)
        return log_density(prior, last) + volume, steps.astype(x.dtype)

    return jax.vmap(one)(rows, signs)
