"""Sampling by reversed diffusion: the reverse-time SDE, and the predictor-corrector method.

Both are for a model of x + s z (wrap one of shrunk rows in `Unshrunk`), go down the noise levels
that they are given, and start from draws of the distribution at the first: near N(0, s^2 + variance
of the data) where s is far broader than the data. Draws carry the noise of the last level;
`energy.denoise` removes it.
"""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractNoisy
from energax.sampler.flow import velocity
from energax.sampler.levels import Noises, validate_levels

Rows = Float[Array, " count *shape"]


def predictor_corrector(
    model: AbstractNoisy,
    noises: Noises,
    starts: Rows,
    corrections: int = 1,
    ratio: float = 0.16,
    *,
    key: PRNGKeyArray,
) -> Rows:
    """Predictor-corrector sampling: a reverse diffusion step to each level, then Langevin steps.

    Predictor, from s to t < s: x + (s^2 - t^2) score(x, s) + sqrt(s^2 - t^2) z. Corrector at t,
    `corrections` times: x + h score(x, t) + sqrt(2 h) z with h = (`ratio` t)^2.

    Args:
        noises: Standard deviations, highest first; see `geometric_levels`.
        starts: Draws of the distribution at noises[0], near N(0, s^2 + variance of the data).

    Raises:
        ValueError: for negative `corrections`, a `ratio` outside (0, 1), or `noises` that do not
            fall or are not above 0.

    Trap: both are of first order, so few levels make draws too wide: with one correction, and
    levels from 16 down to 0.2 for N(0, 0.25), by 8% of the variance with 50 and by 1% with 200.
    Source: Song et al. (2021), algorithms 2 and 4. Theirs takes h = (r |z| / |score|)^2 times 2
    from norms over the batch; with the typical |score| = |z| / t put in, `ratio` is sqrt(2) r and
    rows stay independent. They drop the noise of the last predictor.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> levels, starts = ex.sampler.geometric_levels(4.0, 0.5, 3), jnp.zeros((5, 2))
        >>> ex.sampler.predictor_corrector(model, levels, starts, key=key).shape
        (5, 2)
    """
    if corrections < 0:
        raise ValueError(f"`corrections` must be at least 0; got {corrections}.")
    if not 0 < ratio < 1:
        raise ValueError(f"`ratio` must lie between 0 and 1; got {ratio}.")
    levels, share = validate_levels(noises, starts.dtype), jnp.asarray(ratio, starts.dtype)
    return _predict_and_correct(model, levels, starts, corrections, share, key)


@eqx.filter_jit
def _predict_and_correct(
    model: AbstractNoisy,
    levels: Float[Array, " levels"],
    starts: Rows,
    corrections: int,
    ratio: Float[Array, ""],
    key: PRNGKeyArray,
) -> Rows:
    def move(x: Array, noise: Array, drift: Array, variance: Array, key: PRNGKeyArray) -> Array:
        z = jax.random.normal(key, x.shape, x.dtype)
        return x + drift * model.score(x, noise) + jnp.sqrt(variance) * z

    def descend(x: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
        noise, less, key = now
        first, *rest = jax.random.split(key, 1 + corrections)
        lost, h = noise**2 - less**2, (ratio * less) ** 2
        x = move(x, noise, lost, lost, first)
        for k in rest:
            x = move(x, less, h, 2 * h, k)
        return x, None

    def one(x: Array, key: PRNGKeyArray) -> Array:
        keys = jax.random.split(key, len(levels) - 1)
        return jax.lax.scan(descend, x, (levels[:-1], levels[1:], keys))[0]

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))


def reverse_sde(model: AbstractNoisy, noises: Noises, starts: Rows, *, key: PRNGKeyArray) -> Rows:
    """Sample by the reverse-time SDE, with one solver step from each of `noises` to the next.

    dx = 2 s^2 score(x, s) dtau + sqrt(2) s dW with tau = -log s. The solver is Diffrax's ShARK: two
    scores a step, strong order 1.5 for noise that does not depend on x, as here. With 13 levels
    from 16 to 0.2 the variance of N(0, 0.25) is right within 2%.

    Args:
        noises: Standard deviations, highest first; see `geometric_levels`.
        starts: Draws of the distribution at noises[0], near N(0, s^2 + variance of the data).

    Raises:
        ValueError: for `noises` that do not fall or are not above 0.

    Trap: steps are fixed, so nothing reports their error; compare with twice as many levels.
    Source: Song et al. (2021), eq. 6, after Anderson (1982); Foster et al. (2023), eq. 6.1.

    Example:
        >>> model = ex.energy.NoisyEnergy(lambda x, s: jnp.sum(x**2) / (2 + 2 * s**2), (2,))
        >>> ex.sampler.reverse_sde(model, [2.0, 1.0, 0.5], jnp.zeros((5, 2)), key=key).shape
        (5, 2)
    """
    return _reverse(model, validate_levels(noises, starts.dtype), starts, key)


@eqx.filter_jit
def _reverse(
    model: AbstractNoisy, levels: Float[Array, " levels"], starts: Rows, key: PRNGKeyArray
) -> Rows:
    like, times = jax.ShapeDtypeStruct(starts.shape[1:], starts.dtype), -jnp.log(levels)
    root = jnp.sqrt(jnp.asarray(2, starts.dtype))

    def drift(time: Any, x: Array, _: None) -> Array:
        return -2 * velocity(model, x, jnp.exp(-time))

    def diffusion(time: Any, x: Array, _: None) -> lineax.AbstractLinearOperator:
        return root * jnp.exp(-time) * lineax.IdentityLinearOperator(like)

    def one(x: Array, key: PRNGKeyArray) -> Array:
        path = diffrax.UnsafeBrownianPath(like, key, levy_area=diffrax.SpaceTimeLevyArea)
        solution = diffrax.diffeqsolve(
            diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, path)),
            diffrax.ShARK(),
            times[0],
            times[-1],
            None,
            x,
            stepsize_controller=diffrax.StepTo(times),
            adjoint=diffrax.ForwardMode(),
            max_steps=None,
        )
        return jax.tree.map(lambda leaf: leaf[0], solution.ys)

    return jax.vmap(one)(starts, jax.random.split(key, len(starts)))
