"""Distributions of bits and categories with exact draws: independent sites, mixtures of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, Shaped, UInt8

from energax.energy.base import AbstractDistribution
from energax.energy.discrete.base import AbstractLocal, place_changes
from energax.space import AbstractFinite, Bits


class IndependentSites(AbstractLocal, AbstractDistribution):
    """Sites that know nothing of each other: E(x) = -sum_i log p_i(x_i), normalised.

    log Z = 0 whatever values its arrays take, so it may be trained: p_i is a softmax of `logits`.

    Args:
        logits: (sites, states), of the flattened example: log p_i up to a constant of the site.
        space: of an example.

    Raises:
        ValueError: where shapes do not match.

    Example:
        >>> sites = ex.energy.IndependentSites(jnp.zeros((3, 2)), ex.space.Bits((3,)))
        >>> round(float(sites(jnp.ones(3, jnp.uint8))), 4), float(sites.log_z())  # 3 log 2
        (2.0794, 0.0)
    """

    logits: Float[Array, " sites states"]
    shape: tuple[int, ...] = eqx.field(static=True)
    _space: AbstractFinite = eqx.field(static=True)

    def __init__(self, logits: ArrayLike, space: AbstractFinite):
        self.logits = jnp.asarray(logits)
        self._space, self.shape = space, space.shape
        _check_logits(self.logits, (space.sites, space.states), space)

    @property
    def space(self) -> AbstractFinite:
        return self._space

    @property
    def log_probabilities(self) -> Float[Array, " sites states"]:
        """log p_i(c)."""
        return jax.nn.log_softmax(self.logits)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return -add_up(self.log_probabilities[None], e, self._space)[0]

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        return place_changes(x.reshape(-1)[sites], -self.log_probabilities[sites])

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros((), self.logits.dtype)

    def sample(self, *, key: PRNGKeyArray) -> UInt8[Array, "*shape"]:
        return jax.random.categorical(key, self.logits).astype(jnp.uint8).reshape(self.shape)


class SiteMixture(AbstractLocal, AbstractDistribution):
    """A mixture of independent sites: E(x) = -log sum_k weight_k prod_i p_ki(x_i), normalised.

    log Z = 0 whatever values its arrays take, so it may be trained.

    Args:
        log_weights: (components,), need not be normalised.
        logits: (components, sites, states): log p_ki up to a constant of component and site.
        space: of an example.

    Raises:
        ValueError: where shapes do not match.

    Example:
        >>> space = ex.space.Bits((3,))
        >>> mixture = ex.energy.SiteMixture(jnp.zeros(4), jnp.zeros((4, 3, 2)), space)
        >>> mixture.components, mixture.sample(key=key).shape
        (4, (3,))
    """

    log_weights: Float[Array, " components"]
    logits: Float[Array, " components sites states"]
    shape: tuple[int, ...] = eqx.field(static=True)
    _space: AbstractFinite = eqx.field(static=True)

    def __init__(self, log_weights: ArrayLike, logits: ArrayLike, space: AbstractFinite):
        self.logits = jnp.asarray(logits)
        self.log_weights = jnp.asarray(log_weights, self.logits.dtype)
        self._space, self.shape = space, space.shape
        _check_logits(self.logits, (self.components, space.sites, space.states), space)

    @property
    def space(self) -> AbstractFinite:
        return self._space

    @property
    def components(self) -> int:
        """How many components there are."""
        return len(self.log_weights)

    @property
    def log_probabilities(self) -> Float[Array, " components sites states"]:
        """log p_ki(c)."""
        return jax.nn.log_softmax(self.logits)

    def log_parts(self, e: Float[Array, "..."]) -> Float[Array, " components"]:
        """log of weight_k p_k of an embedded example; softmax gives the responsibilities."""
        log_weights = jax.nn.log_softmax(self.log_weights)
        return log_weights + add_up(self.log_probabilities, e, self._space)

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return -logsumexp(self.log_parts(e))

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        parts = self.log_parts(self._space.embed(x, self.logits.dtype))
        chosen = self.log_probabilities[:, sites]
        values = x.reshape(-1)[sites].astype(jnp.int32)
        now = jnp.take_along_axis(chosen, values[None, :, None], axis=2)
        energies = -logsumexp(parts[:, None, None] + (chosen - now), axis=0)
        return place_changes(values, energies)

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros((), self.logits.dtype)

    def sample(self, *, key: PRNGKeyArray) -> UInt8[Array, "*shape"]:
        which, where = jax.random.split(key)
        chosen = self.logits[jax.random.categorical(which, self.log_weights)]
        return jax.random.categorical(where, chosen).astype(jnp.uint8).reshape(self.shape)


def _check_logits(logits: Array, shape: tuple[int, ...], space: AbstractFinite) -> None:
    if logits.shape != shape:
        raise ValueError(f"`logits` must have shape {shape} for {space}; got {logits.shape}.")


def add_up(
    table: Float[Array, " rows sites states"], e: Float[Array, "..."], space: AbstractFinite
) -> Float[Array, " rows"]:
    """sum_i table(i, x_i) of each row, for an embedded example: one product of matrices."""
    flat = e.reshape(-1)
    match space:
        case Bits():
            low, high = table[..., 0], table[..., 1]
            return jnp.sum(low, axis=1) + (high - low) @ flat
    return table.reshape(len(table), -1) @ flat


def indicators(e: Float[Array, "..."], space: AbstractFinite) -> Float[Array, " sites states"]:
    """Which value each site has, as one-hot rows, for an embedded example."""
    match space:
        case Bits():
            flat = e.reshape(-1)
            return jnp.stack([1 - flat, flat], axis=1)
    return e.reshape(space.sites, space.states)
