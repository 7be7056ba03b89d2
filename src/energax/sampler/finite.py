"""What samplers of bits and categories share: the space of an energy, draws of sites."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from energax.energy import Energy, space_of
from energax.space import AbstractFinite


def require_finite(energy: Energy, sampler: str) -> AbstractFinite:
    """The space of an energy of bits or categories; TypeError for any other energy."""
    space = space_of(energy)
    if not isinstance(space, AbstractFinite):
        raise TypeError(
            f"{sampler} needs an energy that names its space of bits or categories: wrap a "
            "function as `ex.energy.Neural(function, ex.space.Bits(shape))`."
        )
    return space


def draw_states(
    probabilities: Float[Array, " some states"], uniforms: Float[Array, " some"]
) -> Int[Array, " some"]:
    """A state of each site, by inversion of its distribution. One of probability 0 never comes."""
    below = jnp.cumsum(probabilities, axis=1)
    return jnp.sum(uniforms[:, None] >= below[:, :-1] / below[:, -1:], axis=1, dtype=jnp.int32)


def present(x: Int[Array, " some"], states: int) -> Bool[Array, " some states"]:
    """True at the state that each site has."""
    return jnp.arange(states, dtype=x.dtype)[None] == x[:, None]


def move_sites(
    x: Shaped[Array, "*shape"], sites: Int[Array, " some"], values: Int[Array, " some"]
) -> Shaped[Array, "*shape"]:
    """The example with some sites, all of them different, set to these values."""
    moved = x.reshape(-1).at[sites].set(values.astype(x.dtype), unique_indices=True)
    return moved.reshape(x.shape)
