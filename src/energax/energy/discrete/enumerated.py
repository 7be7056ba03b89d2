"""Any energy of few enough points as a distribution: log Z and draws by sums over all of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped, UInt8

from energax.energy.base import AbstractDistribution
from energax.energy.discrete.base import AbstractDiscrete, AbstractLocal
from energax.energy.discrete.changes import change_energies
from energax.space import AbstractFinite
from energax.space.finite import BLOCK


class Enumerated(AbstractLocal, AbstractDistribution):
    """An energy of bits or categories with its exact log Z and exact draws, by enumeration.

    They are those of the energy as it is now, so that it may be trained. Each call sums over all
    points; draw many at a time. The probabilities of draws have the rounding of the precision,
    about 1e-7 in float32.

    Args:
        energy: of at most 2^20 points.

    Raises:
        ValueError: for more points.

    Example:
        >>> ising = ex.energy.Ising(0.4, jnp.zeros((3, 3)), ex.energy.lattice_edges((3, 3)))
        >>> log_z = ex.energy.Enumerated(ising).log_z()
        >>> round(float(log_z - ex.evaluate.torus_log_z(0.4, 3, 3)), 6)
        0.0
    """

    energy: AbstractDiscrete
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: AbstractDiscrete):
        if not energy.space.enumerable:
            raise ValueError(
                f"{energy.space.states}^{energy.space.sites} points are too many to enumerate."
            )
        self.energy, self.shape = energy, energy.shape

    @property
    def space(self) -> AbstractFinite:
        return self.energy.space

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return self.energy.extend(e)

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        return change_energies(self.energy, x, self.space, sites)

    def energies(self) -> Float[Array, " count"]:
        """E of every point, in the order of `space.enumerate`."""

        def of_number(number: Int[Array, ""]) -> Float[Array, ""]:
            return self.energy(self.space.points(number[None])[0])

        numbers = jnp.arange(self.space.count)
        return jax.lax.map(of_number, numbers, batch_size=min(BLOCK, self.space.count))

    def log_z(self) -> Float[Array, ""]:
        return logsumexp(-self.energies())

    def sample(self, *, key: PRNGKeyArray) -> UInt8[Array, "*shape"]:
        upto = jnp.cumsum(jax.nn.softmax(-self.energies()))
        share = jax.random.uniform(key, (), upto.dtype) * upto[-1]
        number = jnp.searchsorted(upto, share, side="right")
        return self.space.points(jnp.minimum(number, self.space.count - 1)[None])[0]
