"""Warm-up: step size and mass of a Hamiltonian sampler, found by BlackJAX."""

import blackjax
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.sampler.blackjax import FromBlackjax

PILOT = 400
"""Transitions of the warm-up chain; none of them is kept."""

TARGET, TARGET_OF_ONE_LEAP = 0.8, 0.574
"""Acceptance that mixes best: Stan's choice; of one leapfrog step, Roberts and Rosenthal (1998)."""


def adapt(
    sampler: FromBlackjax,
    energy: Energy,
    start: Float[Array, "*shape"],
    *,
    steps: int = PILOT,
    dense: bool = False,
    key: PRNGKeyArray,
) -> FromBlackjax:
    """The same sampler with the step size and the mass that Stan's window adaptation finds.

    Args:
        sampler: one of `mala`, `preconditioned_langevin`, `hmc` or `nuts`. Its other settings
            stay; `mala`, which has no mass, comes back as `preconditioned_langevin`.
        energy: The energy to sample.
        start: Where the warm-up chain starts.
        steps: Transitions of the warm-up chain.
        dense: find the whole mass matrix, not its diagonal.
        key: Its randomness.

    Returns:
        The tuned sampler.

    Raises:
        ValueError: for another sampler.

    Source: Carpenter et al. (2017), section 4.2 of the Stan reference, as in BlackJAX.

    Example:
        >>> start, energy = jnp.zeros(2), ex.energy.Gaussian(jnp.zeros(2), jnp.array([1.0, 9.0]))
        >>> tuned = ex.sampler.adapt(ex.sampler.nuts(0.1, jnp.ones(2)), energy, start, key=key)
        >>> tuned.settings["inverse_mass_matrix"].shape
        (2,)
    """
    make, rest = sampler.make, dict(sampler.settings)
    if make is blackjax.mala:
        make, rest["num_integration_steps"] = blackjax.hmc, 1
    if make not in (blackjax.hmc, blackjax.nuts):
        raise ValueError("`sampler` must be one of mala, preconditioned_langevin, hmc and nuts.")
    rest.pop("step_size")
    rest.pop("inverse_mass_matrix", None)
    one = rest.get("num_integration_steps") == 1
    adaptation = blackjax.window_adaptation(
        make,
        lambda x: -energy(x),
        is_mass_matrix_diagonal=not dense,
        target_acceptance_rate=TARGET_OF_ONE_LEAP if one else TARGET,
        **rest,
    )
    # BlackJAX declares `run` with two arguments and takes three: the third is the number of steps.
    # Its step counts meet flags, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        found, _ = jax.jit(lambda k, x: adaptation.run(k, x, steps))(key, start)  # pyright: ignore[reportCallIssue]
    return FromBlackjax(make, found.parameters | rest)
