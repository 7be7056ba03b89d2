"""log Z of bits and categories as a sum over all states, exact to rounding."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from energax.energy import AbstractRBM, Energy, space_of
from energax.evaluate.base import Estimate
from energax.evaluate.log_z import LogZ
from energax.space import AbstractFinite, AbstractSpace

BLOCK = 2**12
"""States whose energies are computed at once."""


def enumerate_log_z(
    energy: Energy, space: AbstractSpace | None = None, *, level: float = 0.95
) -> LogZ:
    """log of the sum of exp(-E(x)) over all states x, in nats: exact, and certified as such.

    The energies are computed a block at a time, in their own precision; their sum in float64, and
    it is kept in float64 even where JAX computes in float32: the probabilities add up to 1.

    Args:
        energy: finite or infinite at each state; infinite means probability 0.
        space: of at most 2^20 states; that of the energy where None.
        level: confidence that the record names; the interval is one number at any level.

    Returns:
        A `LogZ` without error. Refused where the sum is 0 or not a number.

    Raises:
        ValueError: for a space that is not finite, or has more than 2^20 states.

    Example:
        >>> energy = ex.energy.Neural(lambda e: 0 * jnp.sum(e), ex.space.Bits((3,)))
        >>> round(ex.evaluate.enumerate_log_z(energy).value, 6)  # log 8
        2.079442
    """
    space = space_of(energy) if space is None else space
    if not isinstance(space, AbstractFinite):
        raise ValueError(
            "`space` must be one of bits or categories for a sum over all states; got "
            f"{'none' if space is None else space.title}."
        )
    return _certify(_log_sum(_energies(energy, space)), space.count, "states", level)


def rbm_log_z(rbm: AbstractRBM, *, level: float = 0.95) -> LogZ:
    """log Z of a restricted Boltzmann machine, in nats: the sum over its smaller layer.

    The other layer is summed, or integrated, in closed form:

        Z = sum over x of exp(-F(x)) = sum over h of exp(-F(h)).

    Args:
        rbm: with visible bits, categories or real numbers.

    Raises:
        ValueError: where the smaller layer has more than 2^20 states.

    Example:
        >>> rbm = ex.energy.BernoulliRBM(jnp.zeros((3, 30)), jnp.zeros(3), jnp.zeros(30))
        >>> round(ex.evaluate.rbm_log_z(rbm).value, 4)  # 33 log 2
        22.8739
    """
    visible, hidden = rbm.space, rbm.hidden_space
    if isinstance(visible, AbstractFinite) and visible.count <= hidden.count:
        return enumerate_log_z(rbm, visible, level=level)
    energies = _energies(rbm.hidden_energy, hidden)
    return _certify(_log_sum(energies), hidden.count, "hidden states", level)


@eqx.filter_jit
def _energies(energy: Energy, space: AbstractFinite) -> Float[Array, " blocks size"]:
    """The energies of all states, in their order; the last one again where a block is short."""
    size = min(BLOCK, space.count)
    blocks = -(-space.count // size)

    def of_block(block: Array) -> Float[Array, " size"]:
        numbers = jnp.minimum(size * block + jnp.arange(size), space.count - 1)
        return jax.vmap(energy)(space.points(numbers))

    found = jax.lax.map(of_block, jnp.arange(blocks))
    return jnp.where(jnp.arange(found.size).reshape(found.shape) < space.count, found, jnp.inf)


def _log_sum(energies: Float[Array, "..."]) -> float:
    values = -np.asarray(energies, np.float64)
    top = float(values.max())
    return top + math.log(np.exp(values - top).sum()) if math.isfinite(top) else top


def _certify(value: float, count: int, states: str, level: float) -> LogZ:
    # float64 even where JAX computes in float32, or probabilities would not add up to 1.
    with jax.enable_x64(True):
        numbers = (jnp.asarray(number, jnp.float64) for number in (value, 0.0, count))
        exact = Estimate(*numbers)
    certified = math.isfinite(value)
    good = f"Exact, by enumeration of {count} {states}."
    bad = f"The sum of exp(-energy) over {count} {states} is 0 or not a number."
    return LogZ(exact, exact, value, value, level, certified, good if certified else bad)
