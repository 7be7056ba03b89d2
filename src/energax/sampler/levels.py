"""The check that noise levels fall, shared by the samplers that go down them."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike, Float

Noises = Sequence[float] | Float[ArrayLike, " levels"]


def validate_levels(noises: Noises, dtype: DTypeLike) -> Float[Array, " levels"]:
    """The levels as an array; ValueError unless they fall, stay above 0 and are at least 2."""
    levels = np.asarray(noises, np.float64)
    down = levels.ndim == 1 and levels.size >= 2 and np.all(np.diff(levels) < 0)
    if not (down and levels[-1] > 0):
        raise ValueError(f"`noises` must be at least 2 falling numbers above 0; got {noises}.")
    return jnp.asarray(levels, dtype)
