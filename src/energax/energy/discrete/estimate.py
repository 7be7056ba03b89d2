"""Energies of bits and categories from the counts of rows: sites, mixtures, and a first RBM."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray, Shaped
from scipy.special import log_softmax, logsumexp

from energax.energy.discrete.counts import (
    check_pseudocount,
    check_rows,
    count_sites,
    find_weights,
    one_hot_blocks,
    split_blocks,
)
from energax.energy.discrete.rbm import BernoulliRBM, CategoricalRBM, GaussianRBM
from energax.energy.discrete.sites import IndependentSites, SiteMixture
from energax.errors import InputError
from energax.space import AbstractFinite, AbstractSpace, Bits


def fit_sites(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractFinite,
    *,
    pseudocount: float = 1.0,
    weights: Float[np.ndarray, " _"] | None = None,
) -> IndependentSites:
    """Independent sites of the smoothed frequencies of rows.

    Args:
        rows: whole numbers of `space`.
        space: of a row.
        pseudocount: rows that each state of a site is taken to have been seen in besides; above 0.
        weights: how much each row counts; None: 1 each.

    Raises:
        InputError: for rows that are not of the space.
        ValueError: for a `pseudocount` that is not above 0, or weights below 0.

    Example:
        >>> rows = np.array([[0, 1], [1, 1], [1, 1]], np.uint8)
        >>> sites = ex.energy.fit_sites(rows, ex.space.Bits((2,)))
        >>> jnp.exp(sites.log_probabilities[:, 1]).round(3)
        Array([0.6, 0.8], dtype=float64)
    """
    return IndependentSites(_log_frequencies(rows, space, pseudocount, weights), space)


def _log_frequencies(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractFinite,
    pseudocount: float,
    weights: Float[np.ndarray, " _"] | None = None,
) -> ArrayLike:
    check_rows(rows, space)
    check_pseudocount(pseudocount)
    each = find_weights(rows, weights)
    total = each.sum() + pseudocount * space.states
    found = np.log((count_sites(rows, space, each) + pseudocount) / total)
    return jnp.asarray(found, jnp.result_type(float))


def fit_site_mixture(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractFinite,
    components: int,
    *,
    pseudocount: float = 1.0,
    restarts: int = 3,
    iterations: int = 200,
    tolerance: float = 1e-4,
    weights: Float[np.ndarray, " _"] | None = None,
    seed: int = 0,
) -> SiteMixture:
    """A mixture of independent sites, by expectation maximisation in float64.

    Maximises the log-likelihood with a Dirichlet prior; the best of some starts at random rows.

    Args:
        rows: whole numbers of `space`.
        space: of a row.
        components: how many; at least 1.
        pseudocount: rows that each component, and each of its states of a site, is taken to have
            been seen in besides; above 0.
        restarts: how many starts.
        iterations: of each start, at most.
        tolerance: a start ends where an iteration gains less, in nats a row.
        weights: how much each row counts; None: 1 each.
        seed: of the starts.

    Raises:
        InputError: for rows that are not of the space, or fewer than components.
        ValueError: for a `pseudocount` that is not above 0, counts below 1, or weights below 0.

    Source: Lazarsfeld and Henry (1968); Dempster, Laird and Rubin (1977).

    Example:
        >>> rows = np.repeat(np.array([[0, 0, 0], [1, 1, 1]], np.uint8), 20, axis=0)
        >>> mixture = ex.energy.fit_site_mixture(rows, ex.space.Bits((3,)), 2)
        >>> jax.nn.softmax(mixture.log_weights).round(3).tolist()
        [0.5, 0.5]
    """
    check_rows(rows, space)
    check_pseudocount(pseudocount)
    if min(components, restarts, iterations) < 1:
        raise ValueError("`components`, `restarts` and `iterations` must be at least 1.")
    if len(rows) < components:
        raise InputError(f"{components} components cannot be fitted to {len(rows)} rows.")
    rng, each = np.random.default_rng(seed), find_weights(rows, weights)
    best, highest = (), -np.inf
    for _ in range(restarts):
        log_weights, logits = _start(rows, space, components, rng)
        before = -np.inf
        for _ in range(iterations):
            gain, new = _improve((rows, each), space, log_weights, logits, pseudocount)
            if gain > highest:
                best, highest = (log_weights, logits), gain
            if gain - before < tolerance:
                break
            before, (log_weights, logits) = gain, new
    log_weights, logits = (jnp.asarray(part, jnp.result_type(float)) for part in best)
    return SiteMixture(log_weights, logits, space)


def _start(
    rows: np.ndarray, space: AbstractFinite, components: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Each component half of a row, half uniform."""
    chosen = rows[rng.choice(len(rows), components, replace=False)]
    block = np.concatenate(list(one_hot_blocks(chosen, space)))
    table = block.reshape(components, space.sites, space.states)
    return np.full(components, -np.log(components)), np.log(table / 2 + 0.5 / space.states)


def _improve(
    weighted: tuple[np.ndarray, np.ndarray],
    space: AbstractFinite,
    log_weights: Float[np.ndarray, " components"],
    logits: Float[np.ndarray, " components sites states"],
    pseudocount: float,
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """The objective at these parameters, in nats a row, and the parameters one step further.

    `weighted`: the rows, and how much each counts.
    """
    (rows, weights), components = weighted, len(log_weights)
    # The first state is what the others leave, so that bits cost one column a site.
    rise = (logits[..., 1:] - logits[..., :1]).reshape(components, -1)
    start = log_weights + logits[..., 0].sum(axis=1)
    mass, later, total = np.zeros(components), np.zeros_like(rise), 0.0
    blocks = zip(one_hot_blocks(rows, space, first=1), split_blocks(weights), strict=True)
    for block, weight in blocks:
        parts = start + block @ rise.T
        whole = np.asarray(logsumexp(parts, axis=1, keepdims=True))
        shares = weight * np.exp(parts - whole)
        mass, later = mass + shares.sum(axis=0), later + shares.T @ block
        total += float((weight * whole).sum())
    counts = np.empty_like(logits)
    counts[..., 1:] = later.reshape(components, space.sites, -1)
    counts[..., 0] = mass[:, None] - counts[..., 1:].sum(axis=2)
    prior = pseudocount * (log_weights.sum() + logits.sum())
    new = (
        log_softmax(np.log(mass + pseudocount)),
        log_softmax(np.log(np.maximum(counts, 0) + pseudocount), axis=2),
    )
    return (total + prior) / weights.sum(), new


def make_rbm(
    rows: Shaped[np.ndarray, " size *shape"],
    space: AbstractSpace,
    hidden: int,
    *,
    scale: float = 0.01,
    pseudocount: float = 1.0,
    key: PRNGKeyArray,
) -> BernoulliRBM | CategoricalRBM | GaussianRBM:
    """An untrained RBM whose visible units have the frequencies, or mean and spread, of rows.

    Args:
        rows: of `space`.
        space: bits, categories or real numbers.
        hidden: how many hidden units; their biases are 0.
        scale: the standard deviation of the weights, in units of the rows where these are real.
        pseudocount: rows that each state of a site is taken to have been seen in besides; above 0.

    Raises:
        InputError: for rows that are not of the space, or a column of one real number alone.
        ValueError: for a `pseudocount` that is not above 0.

    Source: Hinton (2012), section 8.

    Example:
        >>> rows = np.array([[0, 1], [1, 1], [1, 1]], np.uint8)
        >>> rbm = ex.energy.make_rbm(rows, ex.space.Bits((2,)), 4, key=key)
        >>> jax.nn.sigmoid(rbm.visible).round(3), rbm.weights.shape
        (Array([0.6, 0.8], dtype=float64), (2, 4))
    """
    dtype = jnp.result_type(float)
    biases = jnp.zeros(hidden, dtype)
    if not isinstance(space, AbstractFinite):
        return _gaussian(rows, space, biases, scale, key)
    logits = jnp.asarray(_log_frequencies(rows, space, pseudocount))
    noise = jax.random.normal(key, (*logits.shape, hidden), dtype)
    match space:
        case Bits():
            visible = (logits[:, 1] - logits[:, 0]).reshape(space.shape)
            return BernoulliRBM(scale * noise[:, 0], visible, biases)
    return CategoricalRBM(scale * noise, logits.reshape(*space.shape, space.states), biases)


def _gaussian(
    rows: np.ndarray, space: AbstractSpace, biases: ArrayLike, scale: float, key: PRNGKeyArray
) -> GaussianRBM:
    values = np.asarray(rows, np.float64)
    if values.shape[1:] != space.shape or len(values) < 2:
        raise InputError(
            f"`rows` must be at least two rows of shape {space.shape}; got an array of shape "
            f"{values.shape}."
        )
    mean, std = values.mean(axis=0), values.std(axis=0)
    if not np.all(std > 0):
        raise InputError(
            f"`rows` must vary in every column; column {int(np.argmin(std))} does not: drop it."
        )
    biases = jnp.asarray(biases)
    weights = scale * jax.random.normal(key, (mean.size, biases.size), biases.dtype)
    found = (jnp.asarray(part, biases.dtype) for part in (mean, std))
    visible, spread = found
    return GaussianRBM(weights, visible, biases, spread)
