"""A tree of sites, each depending on its parent: the best one for given rows, by Chow and Liu."""

from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray, Shaped, UInt8
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from energax.energy.base import AbstractDistribution
from energax.energy.discrete.base import AbstractLocal, place_changes
from energax.energy.discrete.counts import (
    check_pseudocount,
    check_rows,
    count_pairs,
    find_weights,
)
from energax.energy.discrete.sites import indicators
from energax.space import AbstractFinite


class ChowLiuTree(AbstractLocal, AbstractDistribution):
    """E(x) = -sum_i log p_i(x_i given x_parent(i)), normalised; draws go from the root down.

    log Z = 0 whatever values its arrays take, so it may be trained: p_i is a softmax of `logits`.

    Args:
        logits: (sites, states, states): of the value of a site (last), for each value of its
            parent. A root reads the first row.
        parents: the parent of each site of the flattened example; -1 for a root.
        space: of an example.

    Raises:
        ValueError: where shapes do not match, or the parents are those of no tree.

    Source: Chow and Liu (1968).

    Example:
        >>> space = ex.space.Bits((3,))
        >>> tree = ex.energy.ChowLiuTree(jnp.zeros((3, 2, 2)), (-1, 0, 1), space)
        >>> round(float(tree(jnp.ones(3, jnp.uint8))), 4), tree.sample(key=key).shape  # 3 log 2
        (2.0794, (3,))
    """

    logits: Float[Array, " sites states states"]
    parents: Int[Array, " sites"]
    shape: tuple[int, ...] = eqx.field(static=True)
    _space: AbstractFinite = eqx.field(static=True)

    def __init__(
        self,
        logits: ArrayLike,
        parents: Iterable[int] | Int[Array, " sites"],
        space: AbstractFinite,
    ):
        self.logits = jnp.asarray(logits)
        above = tuple(np.array(parents, int).tolist())
        self.parents = jnp.asarray(above, jnp.int32)
        self._space, self.shape = space, space.shape
        expected = (space.sites, space.states, space.states)
        if self.logits.shape != expected:
            raise ValueError(
                f"`logits` must have shape {expected} for {space}; got {self.logits.shape}."
            )
        _check_parents(above, space.sites)

    @property
    def space(self) -> AbstractFinite:
        return self._space

    @property
    def log_conditionals(self) -> Float[Array, " sites states states"]:
        """log p_i(b given a), at (i, a, b)."""
        return jax.nn.log_softmax(self.logits)

    def _above(self) -> tuple[Int[Array, " sites"], Bool[Array, " sites"]]:
        """The parent of each site, itself for a root; and which sites are roots."""
        roots = self.parents < 0
        return jnp.where(roots, jnp.arange(len(roots), dtype=jnp.int32), self.parents), roots

    def _values_above(self, own: Float[Array, " sites states"]) -> Float[Array, " sites states"]:
        parents, roots = self._above()
        first = jax.nn.one_hot(jnp.zeros(len(own), jnp.int32), own.shape[1], dtype=own.dtype)
        return jnp.where(roots[:, None], first, own[parents])

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        own = indicators(e, self._space)
        above = self._values_above(own)
        return -jnp.sum(above[:, :, None] * self.log_conditionals * own[:, None, :])

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        own = jax.nn.one_hot(x.reshape(-1), self._space.states, dtype=self.logits.dtype)
        table, (above, roots) = self.log_conditionals, self._above()
        from_parent = jnp.sum(self._values_above(own)[:, :, None] * table, axis=1)
        to_parent = jnp.where(roots[:, None], 0, jnp.sum(table * own[:, None, :], axis=2))
        local = from_parent.at[above].add(to_parent)
        return place_changes(x.reshape(-1)[sites], -local[sites])

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros((), self.logits.dtype)

    def sample(self, *, key: PRNGKeyArray) -> UInt8[Array, "*shape"]:
        # A site draws an answer to each value of its parent; of these maps only the one on the way
        # from the root counts. Chains of maps are joined in pairs: log2(sites) rounds.
        above, roots = self._above()
        answers = jax.random.categorical(key, self.logits)
        answers = jnp.where(roots[:, None], answers[:, :1], answers)
        for _ in range(len(roots).bit_length()):
            answers = jnp.take_along_axis(answers, answers[above], axis=1)
            above = above[above]
        values = jnp.take_along_axis(answers, answers[above], axis=1)[:, 0]
        return values.astype(jnp.uint8).reshape(self.shape)


def _check_parents(parents: tuple[int, ...], sites: int) -> None:
    above = np.array(parents, int)
    good = len(above) == sites and bool(np.all((above >= -1) & (above < sites)))
    for _ in range(sites if good else 0):
        above = np.where(above < 0, -1, np.array(parents)[above])
    if not good or bool(np.any(above >= 0)):
        raise ValueError(
            f"`parents` must name a site above each of {sites} sites, -1 for a root, without a "
            "cycle."
        )


def fit_tree(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractFinite,
    *,
    pseudocount: float = 1.0,
    root: int = 0,
    weights: Float[np.ndarray, " _"] | None = None,
) -> ChowLiuTree:
    """The tree of the highest likelihood: the maximum spanning tree of mutual informations.

    I(i; j) = sum p_ij log(p_ij / (p_i p_j)) of smoothed pair frequencies; the marginals are sums
    of these, so that every root gives the same distribution.

    Args:
        rows: whole numbers of `space`.
        space: of a row.
        pseudocount: rows that each state of a site is taken to have been seen in besides; above 0.
        root: a site.
        weights: how much each row counts; None: 1 each.

    Raises:
        InputError: for rows that are not of the space.
        ValueError: for a `pseudocount` that is not above 0, or weights below 0.

    Source: Chow and Liu (1968).

    Example:
        >>> rows = np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]], np.uint8)
        >>> ex.energy.fit_tree(rows, ex.space.Bits((3,))).parents[:2].tolist()
        [-1, 0]
    """
    check_rows(rows, space)
    check_pseudocount(pseudocount)
    sites, states = space.sites, space.states
    each = find_weights(rows, weights)
    counts, total = count_pairs(rows, space, each), each.sum() + pseudocount * states
    pairs = (counts + pseudocount / states) / total
    # The sums of a pair table over the values of the other site, whichever that is.
    single = np.einsum("iaia->ia", counts) + pseudocount
    single /= total
    expected = single[:, :, None, None] * single[None, None]
    information = np.einsum("iajb,iajb->ij", pairs, np.log(pairs / expected))
    distances = 1 + information.max() - information
    np.fill_diagonal(distances, 0)
    above = breadth_first_order(minimum_spanning_tree(distances), root, directed=False)[1]
    parents = np.where(np.arange(sites) == root, -1, above)
    table = np.log(pairs[np.maximum(parents, 0), :, np.arange(sites)])
    table[root] = np.log(single[root])
    return ChowLiuTree(jnp.asarray(table, jnp.result_type(float)), parents.tolist(), space)
