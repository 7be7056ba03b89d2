"""Warm-up: step size and mass of Hamiltonian Monte Carlo, found by BlackJAX."""

import blackjax
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.sampler.base import AbstractSampler
from energax.sampler.blackjax import FromBlackjax

PILOT = 400
"""Transitions of the warm-up chain; none of them is kept."""


def adapt_hmc(
    energy: Energy,
    start: Float[Array, "*shape"],
    *,
    leaps: int = 10,
    steps: int = PILOT,
    key: PRNGKeyArray,
) -> AbstractSampler:
    """HMC with the step size and the diagonal mass that Stan's window adaptation finds.

    Args:
        energy: The energy to sample.
        start: Where the warm-up chain starts.
        leaps: Leapfrog steps of a transition.
        steps: Transitions of the warm-up chain.
        key: Its randomness.

    Returns:
        The tuned sampler.

    Source: Carpenter et al. (2017), section 4.2 of the Stan reference, as in BlackJAX.

    Example:
        >>> tuned = ex.sampler.adapt_hmc(ex.energy.Gaussian(jnp.zeros(2)), jnp.zeros(2), key=key)
        >>> type(tuned).__name__
        'FromBlackjax'
    """
    adaptation = blackjax.window_adaptation(
        blackjax.hmc, lambda x: -energy(x), num_integration_steps=leaps
    )
    # BlackJAX declares `run` with two arguments and takes three: the third is the number of steps.
    # Its step counts meet flags, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        found, _ = jax.jit(lambda k, x: adaptation.run(k, x, steps))(key, start)  # pyright: ignore[reportCallIssue]
    return FromBlackjax(blackjax.hmc, found.parameters | {"num_integration_steps": leaps})
