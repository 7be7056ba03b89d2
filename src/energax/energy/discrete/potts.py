"""Energies of pairs of categories: the Potts model, its gauge, and what its couplings say."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, Shaped

from energax.energy.discrete.base import AbstractLocal, place_changes
from energax.space import AbstractFinite, Categories


class Potts(AbstractLocal):
    """Every site coupled to every other: E(x) = -sum_i h_i(x_i) - sum_{i<j} J_ij(x_i, x_j).

    J is the symmetric part of `entries`, J_ij(a, b) = J_ji(b, a), without the blocks i = j, so that
    it stays so whatever training does.

    Trap: many J and h have the same distribution. Compare them after `zero_sum_gauge`.

    Args:
        entries: (sites, states, sites, states), of the flattened example.
        fields: h, of the shape of an example and (states,).

    Raises:
        ValueError: where shapes do not match.

    Example:
        >>> energy = ex.energy.Potts(jnp.ones((2, 3, 2, 3)), jnp.zeros((2, 3)))
        >>> float(energy(jnp.array([2, 0], jnp.uint8)))
        -1.0
    """

    entries: Float[Array, " sites states sites states"]
    fields: Float[Array, "*shape states"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, entries: ArrayLike, fields: ArrayLike):
        self.fields = jnp.asarray(fields)
        self.shape = self.fields.shape[:-1]
        states = self.fields.shape[-1]
        sites = self.fields.size // states
        values = jnp.asarray(entries, self.fields.dtype)
        if values.shape != (sites, states, sites, states):
            raise ValueError(
                f"`entries` must have shape {(sites, states, sites, states)} to go with `fields` "
                f"of shape {self.fields.shape}; got {values.shape}."
            )
        self.entries = values

    @property
    def space(self) -> AbstractFinite:
        return Categories(self.shape, self.fields.shape[-1])

    @property
    def couplings(self) -> Float[Array, " sites states sites states"]:
        """J, symmetric, 0 where a site meets itself."""
        return self._couplings_of(jnp.arange(len(self.entries)))

    def _couplings_of(
        self, sites: Int[Array, " some"]
    ) -> Float[Array, " some states sites states"]:
        rows = (self.entries[sites] + self.entries[:, :, sites].transpose(2, 3, 0, 1)) / 2
        other = sites[:, None] != jnp.arange(len(self.entries))[None]
        return jnp.where(other[:, None, :, None], rows, jnp.zeros((), rows.dtype))

    def extend(self, e: Float[Array, "*shape states"]) -> Float[Array, ""]:
        flat = e.reshape(-1)
        couplings = self.couplings.reshape(flat.size, flat.size)
        return -(flat @ couplings @ flat) / 2 - self.fields.reshape(-1) @ flat

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        states = self.fields.shape[-1]
        flat = self.space.embed(x, self.fields.dtype).reshape(-1)
        rows = self._couplings_of(sites).reshape(-1, flat.size)
        local = self.fields.reshape(-1, states)[sites] + (rows @ flat).reshape(-1, states)
        return place_changes(x.reshape(-1)[sites], -local)


def zero_sum_gauge(potts: Potts) -> Potts:
    """The same distribution, with couplings and fields that sum to 0 over each of their states.

    J <- J - mean_a J - mean_b J + mean_ab J; the fields take up the means.

    Example:
        >>> potts = ex.energy.Potts(jnp.ones((2, 3, 2, 3)), jnp.zeros((2, 3)))
        >>> float(jnp.max(jnp.abs(ex.energy.zero_sum_gauge(potts).couplings)))
        0.0
    """
    full = potts.couplings
    over_other = jnp.mean(full, axis=3, keepdims=True)
    over_own = jnp.mean(full, axis=1, keepdims=True)
    over_both = jnp.mean(over_other, axis=1, keepdims=True)
    moved = jnp.sum(over_other - over_both, axis=(2, 3)).reshape(potts.fields.shape)
    fields = potts.fields + moved
    fields = fields - jnp.mean(fields, axis=-1, keepdims=True)
    return Potts(full - over_other - over_own + over_both, fields)


def contact_scores(potts: Potts, gap: int | None = None) -> Float[Array, " sites sites"]:
    """How strongly two sites are coupled: corrected Frobenius norms, 0 on the diagonal.

    F_ij = |J_ij| in the zero-sum gauge, minus the product of means F_i. F_.j / F_.., which takes
    away what a site shares with all others.

    Args:
        gap: a state that the norm leaves out; none where None.

    Source: Ekeberg et al. (2013), their corrected Frobenius norm.

    Example:
        >>> ex.energy.contact_scores(ex.energy.Potts(jnp.ones((3, 2, 3, 2)), jnp.zeros((3, 2))))[0]
        Array([0., 0., 0.], dtype=float64)
    """
    full = zero_sum_gauge(potts).couplings
    states = [state for state in range(full.shape[1]) if state != gap]
    inside = full[:, states][..., states]
    norms = jnp.sqrt(jnp.sum(inside**2, axis=(1, 3)))
    sums = jnp.sum(norms, axis=0)
    total = jnp.sum(sums)
    # Means over the n - 1 other sites: F_i. F_.j / F_.. = sum_i sum_j / total * n / (n - 1).
    ratio = len(norms) / (len(norms) - 1)
    shared = sums[:, None] * sums[None] * ratio / jnp.where(total > 0, total, 1)
    return jnp.where(jnp.eye(len(norms), dtype=bool), jnp.zeros((), norms.dtype), norms - shared)
