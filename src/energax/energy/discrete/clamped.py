"""The conditional distribution of some sites of an example, given the others: inpainting."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped, UInt8

from energax.energy.base import AbstractEnergy, float_dtype
from energax.energy.discrete.base import AbstractLocal
from energax.energy.discrete.changes import change_energies
from energax.space import AbstractFinite


class ClampedSites(AbstractLocal):
    """The energy of the hidden sites of an example whose other sites are known.

    E(x) = energy(x where hidden, known elsewhere): what x holds at known sites plays no part, so
    any sampler of x draws hidden sites from p(hidden | known); `complete` puts the known ones back.

    Args:
        energy: of whole examples.
        known: an example; what it holds where it is hidden is ignored.
        hidden: which sites are to be drawn.

    Example:
        >>> pair = ex.energy.Neural(lambda e: e[0] * e[1], ex.space.Bits((2,)))
        >>> known, hidden = jnp.array([1, 0], jnp.uint8), jnp.array([False, True])
        >>> float(ex.energy.ClampedSites(pair, known, hidden)(jnp.array([0, 1], jnp.uint8)))
        1.0
    """

    energy: AbstractEnergy
    known: UInt8[Array, "*shape"]
    hidden: Bool[Array, "*shape"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        energy: AbstractEnergy,
        known: UInt8[Array, "*shape"],
        hidden: Bool[Array, "*shape"],
    ):
        self.energy, self.known, self.hidden = energy, known, hidden
        self.shape = energy.shape

    @property
    def space(self) -> AbstractFinite:
        found = self.energy.space
        if not isinstance(found, AbstractFinite):
            raise TypeError(f"`energy` must be one of bits or categories; it is of {found.title}.")
        return found

    def complete(self, x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """The example with its hidden sites as in x, and the known ones as they are."""
        return jnp.where(self.hidden, x, self.known)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        known = self.space.embed(self.known, float_dtype(self.energy))
        axes = self.hidden.shape + (1,) * (known.ndim - self.hidden.ndim)
        return self.energy.extend(jnp.where(self.hidden.reshape(axes), e, known))

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        found = change_energies(self.energy, self.complete(x), self.space, sites)
        return jnp.where(self.hidden.reshape(-1)[sites][:, None], found, 0)
