"""A Monte Carlo number never travels alone."""

import equinox as eqx
from jaxtyping import Array, Float


class Estimate(eqx.Module):
    """A number, its standard error, and the effective count of independent draws behind it.

    Example:
        >>> estimate = ex.evaluate.Estimate(jnp.array(1.5), jnp.array(0.1), jnp.array(200.0))
        >>> float(estimate.value)
        1.5
    """

    value: Float[Array, "..."]
    error: Float[Array, "..."]
    size: Float[Array, "..."]
