"""A Monte Carlo number never travels alone."""

import equinox as eqx
from jaxtyping import Array, Float


class Estimate(eqx.Module):
    """A number, its standard error, and the effective count of independent draws behind it."""

    value: Float[Array, "..."]
    error: Float[Array, "..."]
    size: Float[Array, "..."]
