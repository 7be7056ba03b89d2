"""The distribution of some numbers of an example, given the others: what fills in a row is drawn
from it."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from energax.energy.base import AbstractEnergy, Energy


class Clamped(AbstractEnergy):
    """E(u) = energy(x), where x has the free numbers u and all its others are held: p(u | held).

    p(u | held) is proportional to exp(-E(u)), so that any sampler of u draws from it. `known` is an
    example; of its free numbers nothing is read but that they are finite. `directions` (dim, free),
    the columns of length 1 and at right angles, span the moves that are free: `free_axes` gives
    them. For a Gaussian of precision P the distribution of u has the precision C'P C, C the
    directions.

    Trap: log Z of this energy is log p(held) + log Z of `energy`: another one for each `known`.
    """

    energy: Energy
    held: Float[Array, "*whole"]
    directions: Float[Array, " dim free"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, energy: Energy, known: Float[Array, "*whole"], directions: Float[Array, " dim free"]
    ):
        self.energy, self.directions = energy, directions
        self.held = held(known, directions)
        self.shape = directions.shape[1:]

    def __call__(self, x: Float[Array, " free"]) -> Float[Array, ""]:
        return self.energy(self.whole(x))

    def whole(self, free: Float[Array, " free"]) -> Float[Array, "*whole"]:
        """The example that has these free numbers."""
        return self.held + _times(self.directions, free).reshape(self.held.shape)

    def part(self, x: Float[Array, "*whole"]) -> Float[Array, " free"]:
        """The free numbers of an example."""
        return _times(self.directions.T, x.reshape(-1))


def held(
    x: Float[Array, "*whole"], directions: Float[Array, " dim free"]
) -> Float[Array, "*whole"]:
    """What is left of an example without its part along the directions: 0 where it is free."""
    along = _times(directions, _times(directions.T, x.reshape(-1)))
    return x - along.reshape(x.shape)


def free_axes(
    hidden: Bool[np.ndarray, "*whole"], factor: Float[np.ndarray, " dim dim"] | None = None
) -> Float[np.ndarray, " dim free"]:
    """Directions in which the `hidden` numbers of an example move, as columns, float64.

    With `factor`, of an energy of y = factor x, while x is what is known in part: an orthonormal
    basis of the columns of `factor` that belong to hidden numbers.
    """
    columns = np.eye(hidden.size) if factor is None else np.asarray(factor, np.float64)
    free = columns[:, hidden.reshape(-1)]
    return free if factor is None else np.linalg.qr(free)[0]


def _times(matrix: Array, vector: Array) -> Array:
    """The product in the whole precision of the numbers, which accelerators else cut short."""
    return jnp.matmul(matrix, vector, precision="highest")
