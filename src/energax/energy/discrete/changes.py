"""What a change of one site costs: exactly, and to first order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from energax.energy.base import Energy, NonTrainable, extension_of, float_dtype
from energax.energy.combine import Bridge, Sum, Tempered
from energax.energy.discrete.base import AbstractLocal
from energax.energy.normalised import Normalised
from energax.energy.tilt import Tilt
from energax.space import AbstractFinite


def set_site(
    x: Shaped[Array, "*shape"], site: Int[Array, ""], value: Int[Array, ""]
) -> Shaped[Array, "*shape"]:
    """The example with one site, of the flattened example, set to a value.

    Example:
        >>> ex.energy.set_site(jnp.zeros((2, 2), jnp.uint8), jnp.array(3), jnp.array(1)).tolist()
        [[0, 0], [0, 1]]
    """
    return x.reshape(-1).at[site].set(value.astype(x.dtype)).reshape(x.shape)


def change_energies(
    energy: Energy,
    x: Shaped[Array, "*shape"],
    space: AbstractFinite,
    sites: Int[Array, " some"] | None = None,
) -> Float[Array, " some states"]:
    """E(x with site i set to c) - E(x), in nats, exactly: 0 where c is the value of the site.

    Costs one product of matrices where the energy knows its changes (`AbstractLocal`, and what is
    combined of them), else an evaluation of the energy for each site and state.

    Args:
        energy: of examples in `space`.
        x: one example.
        space: where it lives.
        sites: numbers of sites of the flattened example; all of them where None.

    Example:
        >>> space, x = ex.space.Bits((3,)), jnp.array([1, 0, 1], jnp.uint8)
        >>> energy = ex.energy.Neural(lambda e: jnp.sum(e), space)
        >>> ex.energy.change_energies(energy, x, space).tolist()
        [[-1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    """
    chosen = jnp.arange(space.sites) if sites is None else sites

    def inside(part: Energy) -> Float[Array, " some states"]:
        return change_energies(part, x, space, chosen)

    match energy:
        case AbstractLocal():
            return energy.changes(x, chosen)
        case NonTrainable():
            return jax.lax.stop_gradient(inside(energy.value))
        case Normalised():
            return inside(energy.energy)
        case Tempered():
            found = inside(energy.energy)
            return found / energy.temperature.astype(found.dtype)
        case Sum():
            return sum(map(inside, energy.terms[1:]), inside(energy.terms[0]))
        case Bridge():
            start, end = inside(energy.start), inside(energy.end)
            time = energy.time.astype(start.dtype)
            return (1 - time) * start + time * end
        case Tilt():
            return inside(energy.base) + _evaluate_changes(energy.tilt, x, space, chosen)
    return _evaluate_changes(energy, x, space, chosen)


def _evaluate_changes(
    energy: Energy, x: Shaped[Array, "*shape"], space: AbstractFinite, sites: Int[Array, " some"]
) -> Float[Array, " some states"]:
    states = jnp.arange(space.states)

    def of_site(site: Array) -> Float[Array, " states"]:
        return jax.vmap(lambda c: energy(set_site(x, site, c)))(states)

    return jax.vmap(of_site)(sites) - energy(x)


def approximate_changes(
    energy: Energy, x: Shaped[Array, "*shape"], space: AbstractFinite
) -> tuple[Float[Array, ""], Float[Array, " sites states"]]:
    """E(x), and `change_energies` of all sites to first order, by one gradient of `extend`.

    Exact for an energy that is linear in each site, such as those of pairs without self-couplings.

    Example:
        >>> space, x = ex.space.Bits((2,)), jnp.array([1, 0], jnp.uint8)
        >>> energy = ex.energy.Neural(lambda e: 3 * e[0] * e[1] + e[0], space)
        >>> ex.energy.approximate_changes(energy, x, space)[1].tolist()
        [[-1.0, 0.0], [0.0, 3.0]]
    """
    here = space.embed(x, float_dtype(energy))
    value, slope = jax.value_and_grad(extension_of(energy))(here)
    flat = x.reshape(-1)
    if space.states == 2 and here.shape == space.shape:
        moves = jnp.stack([0 - here.reshape(-1), 1 - here.reshape(-1)], axis=1)
        return value, slope.reshape(-1, 1) * moves
    per_state = slope.reshape(space.sites, space.states)
    current = jnp.take_along_axis(per_state, flat[:, None].astype(jnp.int32), axis=1)
    return value, per_state - current
