"""The conditional distribution of some numbers of an example, given the others: inpainting."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from energax.energy.base import AbstractEnergy, Energy


class Clamped(AbstractEnergy):
    """The energy of the free numbers u of an example whose other numbers are known.

    E(u) = energy(x) with x = known part + directions @ u, so exp(-E(u)) is proportional to
    p(u | known part): any sampler of u fills in the rest of the example. Of a Gaussian with
    precision P, u has the precision C' P C, C the directions.

    Args:
        energy: of whole examples.
        known: an example. Its free numbers are ignored but must be finite.
        directions: (dim, free), orthonormal columns that span the free moves; see `free_axes`.

    Trap: log Z of this energy is log p(known part) + log Z of `energy`: it differs between rows.

    Example:
        >>> axes = jnp.asarray(ex.energy.free_axes(np.array([True, False])))
        >>> normal, row = ex.energy.Gaussian(jnp.zeros(2)), jnp.array([0.0, 3.0])
        >>> ex.energy.Clamped(normal, row, axes).whole(jnp.array([1.0])).tolist()
        [1.0, 3.0]
    """

    energy: Energy
    known: Float[Array, "*whole"]
    directions: Float[Array, " dim free"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, energy: Energy, known: Float[Array, "*whole"], directions: Float[Array, " dim free"]
    ):
        self.energy, self.directions = energy, directions
        self.known = remove_free(known, directions)
        self.shape = directions.shape[1:]

    def __call__(self, x: Float[Array, " free"]) -> Float[Array, ""]:
        return self.energy(self.whole(x))

    def whole(self, free: Float[Array, " free"]) -> Float[Array, "*whole"]:
        """The whole example with these free numbers."""
        return self.known + _times(self.directions, free).reshape(self.known.shape)

    def part(self, x: Float[Array, "*whole"]) -> Float[Array, " free"]:
        """The free numbers of an example."""
        return _times(self.directions.T, x.reshape(-1))


def remove_free(
    x: Float[Array, "*whole"], directions: Float[Array, " dim free"]
) -> Float[Array, "*whole"]:
    """An example minus its projection on the directions: 0 where it is free."""
    along = _times(directions, _times(directions.T, x.reshape(-1)))
    return x - along.reshape(x.shape)


def free_axes(
    hidden: Bool[np.ndarray, "*whole"], factor: Float[np.ndarray, " dim dim"] | None = None
) -> Float[np.ndarray, " dim free"]:
    """The directions in which the `hidden` numbers of an example move, as orthonormal columns.

    Args:
        hidden: True where a number is to be filled in.
        factor: for an energy of y = factor x while numbers of x are known: then the columns span
            those of `factor` that belong to hidden numbers.

    Returns:
        (dim, free) in float64, for `Clamped`.

    Example:
        >>> ex.energy.free_axes(np.array([False, True, True])).tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    columns = np.eye(hidden.size) if factor is None else np.asarray(factor, np.float64)
    free = columns[:, hidden.reshape(-1)]
    return free if factor is None else np.linalg.qr(free)[0]


def _times(matrix: Array, vector: Array) -> Array:
    """The product in full precision, where accelerators would round the factors."""
    return jnp.matmul(matrix, vector, precision="highest")
