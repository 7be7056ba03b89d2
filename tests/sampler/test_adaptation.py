"""A warm-up returns a tuned sampler."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import Bowl

from energax.sampler import adapt, chains, hmc, mala, nuts, trace


@pytest.mark.parametrize("sampler", [mala(0.1), hmc(0.1, 3, jnp.ones(2)), nuts(0.1, jnp.ones(2))])
def test_a_warm_up_finds_the_mass_and_a_step_that_is_accepted(sampler, key):
    """Standard deviations of 1 and 30: variances to a factor of 2, acceptance near its target."""
    energy = Bowl(jnp.zeros(2), jnp.asarray([1.0, 1 / 900]))
    tuned = adapt(sampler, energy, jnp.ones(2), steps=600, key=key)
    found = np.asarray(tuned.settings["inverse_mass_matrix"])
    assert np.all((found > [0.5, 450]) & (found < [2, 1800]))
    _, info = chains(tuned, energy, jnp.zeros((20, 2)), 60, key=key, keep=trace)
    assert 0.4 < float(info.acceptance[:, 20:].mean()) < 0.97
