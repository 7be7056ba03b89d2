"""A trained model of bits or categories: its samples, its log Z, and what it is compared with."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, UInt8

from energax import energy, evaluate, sampler
from energax.evaluate import LogZ
from energax.model.base import Model
from energax.model.record import estimate, figure, mean
from energax.sampler import chains
from energax.space import AbstractFinite

KEPT = 100
"""Points of a chain at which its energy is kept."""

SWEEPS = 500
"""Sweeps of a Gibbs chain from the base to a sample."""

MOVES = 5000
"""Proposals of a discrete Langevin chain from the base to a sample."""

STEP_SIZE = 0.15
"""Of those proposals, which change about a tenth of the sites."""

SWEPT = 256
"""Sites up to which a network is sampled by Gibbs sweeps: each takes an evaluation a site."""

EXACT = 2**16
"""Points up to which samples are drawn exactly: with their energies, for each chain again."""

MOST = 2000
"""Test rows that samples are compared with."""

PAIRS = 300
"""Sites up to which all pairs are compared; more are thinned out evenly."""

COMPONENTS = (1, 2, 5, 10, 20, 50, 100)
"""Sizes of the mixtures among the baselines."""

Rows = UInt8[np.ndarray, "..."]
Weights = Float[np.ndarray, " _"] | None
WeightedRows = tuple[Rows, Weights]
"""Rows, and how much each counts; None where they are alike."""


def find_space(model: Model) -> AbstractFinite:
    """Where the rows of a model of bits or categories live."""
    found = model.schema.space
    if not isinstance(found, AbstractFinite):
        raise TypeError(f"{model.schema.name} has {found.title}, not bits or categories.")
    return found


def draw_mass(model: Model, count: int, *, key: PRNGKeyArray) -> tuple[Array, np.ndarray, Any, str]:
    """`count` samples, energies along their chains, acceptance, and what was done, in words.

    Exact draws where all points can be listed; else chains from the base: Gibbs sampling, of an
    rbm in blocks, of networks on many sites discrete Langevin steps.
    """
    space = find_space(model)
    if space.count <= EXACT:
        x, energies = _draw_exactly(model.energy, space, count, key=key)
        return x, energies, None, f"exact draws, from a list of all {space.count} rows"
    kernel, steps, words = choose_kernel(model.energy, space)
    born, move = jax.random.split(key)
    starts = energy.draws(model.base, count, key=born)
    thin = steps // KEPT
    state, info = chains(
        kernel, model.energy, starts, steps, key=move, keep=sampler.trace, thin=thin
    )
    rate = float(jnp.mean(info.acceptance))
    words = f"{words}, {steps} {'sweeps' if steps == SWEEPS else 'steps'} from the base"
    return state.x, np.asarray(info.energy), rate if steps == MOVES else None, words


def choose_kernel(trained: Any, space: AbstractFinite) -> tuple[Any, int, str]:
    """The sampler for an energy, how many steps a sample takes, and its name."""
    if isinstance(trained, energy.AbstractRBM):
        return sampler.BlockGibbs(), SWEEPS, "Gibbs sampling in two blocks"
    if isinstance(trained, energy.AbstractLocal) or space.sites <= SWEPT:
        return sampler.Gibbs(), SWEEPS, "Gibbs sampling"
    return sampler.DiscreteLangevin(STEP_SIZE), MOVES, "discrete Langevin, Metropolis-adjusted"


def _draw_exactly(
    trained: Any, space: AbstractFinite, count: int, *, key: PRNGKeyArray
) -> tuple[Array, Float[np.ndarray, " count kept"]]:
    """The last of `KEPT` independent draws for each sample, and the energies of all."""
    points = space.enumerate()
    energies = np.asarray(_evaluate(trained, points), np.float64)
    below = np.cumsum(np.exp(energies.min() - energies))
    chances = np.asarray(jax.random.uniform(key, (count, KEPT)), np.float64)
    at = np.minimum(np.searchsorted(below, chances * below[-1]), len(points) - 1)
    return jnp.asarray(np.asarray(points)[at[:, -1]]), energies[at]


@eqx.filter_jit
def _evaluate(trained: Any, points: Array) -> Float[Array, " size"]:
    return jax.lax.map(trained, points, batch_size=2**12)


def is_summable(model: Model) -> bool:
    """Can log Z be summed exactly?"""
    trained = model.energy
    if find_space(model).enumerable:
        return True
    return isinstance(trained, energy.AbstractRBM) and trained.hidden_space.enumerable


def estimate_mass_log_z(
    model: Model, rows: Rows | None, *, particles: int, level: float, key: PRNGKeyArray
) -> LogZ | str:
    """log Z: a sum where that is possible, else between two ends by annealing; or why not."""
    trained, space = model.energy, find_space(model)
    if space.enumerable:
        return evaluate.enumerate_log_z(trained, space, level=level)
    if isinstance(trained, energy.AbstractRBM) and trained.hidden_space.enumerable:
        return evaluate.rbm_log_z(trained, level=level)
    if rows is None:
        return (
            "Not attempted: training rows alone know of a mode that the base misses, and a loaded "
            "model has none. Call `energax.measure(model, test)`."
        )
    return evaluate.annealed_log_z(
        trained, model.base, jnp.asarray(rows), particles=particles, level=level, key=key
    )


def measure_mass_quality(
    model: Model,
    test: Rows,
    samples: Array,
    energies: np.ndarray,
    about: tuple[Any, str],
    weights: Weights = None,
) -> dict[str, Any]:
    """Samples against test rows: distance, single and pair frequencies; and the chains.

    Frequencies of rows are weighted; the distance is that of the rows as they are.
    """
    space, (rate, words) = find_space(model), about
    x, y = (_embed(space, part) for part in (np.asarray(samples), test[:MOST]))
    some = None if weights is None else weights[:MOST]
    half = energies[:, energies.shape[1] // 2 :]
    health = evaluate.health(half)
    record = {
        "mmd": estimate(evaluate.mmd(x, y)),
        "site_correlation": figure(_correlate(x.mean(axis=0), np.average(y, 0, some))),
        "pair_correlation": figure(correlate_pairs(x, y, some)),
        "rhat": figure(health.rhat, size=len(half)),
        "ess": figure(health.size, size=half.size),
        "chain_verdict": health.verdict,
        "chain_sampler": words,
    }
    return record if rate is None else record | {"acceptance": figure(rate, size=energies.size)}


def _embed(space: AbstractFinite, rows: np.ndarray) -> Float[np.ndarray, " size numbers"]:
    flat = np.asarray(space.embed(jnp.asarray(rows), jnp.float32))
    return flat.reshape(len(rows), -1)


def correlate_pairs(
    x: Float[np.ndarray, " m d"], y: Float[np.ndarray, " n d"], weights: Weights = None
) -> float:
    """Pearson's correlation between the covariances of samples and those of rows, off-diagonal.

    `weights`: how much each row counts.
    """
    step = max(1, math.ceil(x.shape[1] / PAIRS))
    first = np.cov(x[:, ::step], rowvar=False)
    second = np.cov(y[:, ::step], rowvar=False, aweights=weights)
    upper = np.triu_indices(len(first), 1)
    return _correlate(first[upper], second[upper])


def _correlate(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def measure_mass_baselines(
    model: Model, train: WeightedRows, test: WeightedRows, each: np.ndarray | None
) -> dict[str, Any]:
    """Independent sites, a Chow-Liu tree and a mixture, its size chosen on a part of `train`."""
    space, (rows, own), (tests, weights) = find_space(model), train, test
    known: dict[str, Any] = {"pseudocount": 1.0, "weights": own}
    found = {
        "independent sites": (energy.fit_sites(rows, space, **known), "1 row added"),
        "Chow-Liu tree": (energy.fit_tree(rows, space, **known), "1 row added"),
    }
    count = _choose_components(space, rows, own)
    if count is not None:
        made = energy.fit_site_mixture(rows, space, count, weights=own, seed=0)
        found["mixture of independent sites"] = made, f"{count} components"
    record = {}
    for name, (made, setting) in found.items():
        scores = score(made, tests)
        gain = {} if each is None else {"difference": mean(each - scores, weights)}
        record[name] = mean(scores, weights) | {"setting": setting} | gain
    return record


def _choose_components(space: AbstractFinite, rows: Rows, weights: Weights) -> int | None:
    """The size of a mixture that does best on a fifth of the rows; None for too few rows."""
    size, best = len(rows) - len(rows) // 5, None
    some, rest = (None, None) if weights is None else (weights[:size], weights[size:])
    for count in [count for count in COMPONENTS if count <= size // 10]:
        made = energy.fit_site_mixture(rows[:size], space, count, weights=some, seed=0)
        value = float(np.average(score(made, rows[size:]), weights=rest))
        if best is not None and value <= best[0]:
            break
        best = value, count
    return None if best is None else best[1]


def score(distribution: Any, rows: Rows) -> Float[np.ndarray, " size"]:
    """log p of each row, in nats."""
    of_rows = jax.jit(jax.vmap(lambda x: energy.log_density(distribution, x)))
    return np.asarray(of_rows(jnp.asarray(rows)), np.float64)


def inpaint_mass(
    model: Model,
    rows: Rows,
    hidden: Bool[np.ndarray, " size *shape"],
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> tuple[Rows, str]:
    """`rows` with what is `hidden` drawn from p(hidden | known) by Gibbs sampling, and how.

    Exact but for what is left of the start, a draw of the base for each row.
    """
    born, move = jax.random.split(key)
    sweeps = SWEEPS if steps is None else steps
    starts = energy.draws(model.base, len(rows), key=born)
    found = _fill(model.energy, jnp.asarray(rows), jnp.asarray(hidden), starts, sweeps, key=move)
    return np.asarray(found), f"by {sweeps} Gibbs sweeps from draws of the base"


@eqx.filter_jit
def _fill(
    trained: Any, rows: Array, hidden: Array, starts: Array, sweeps: int, *, key: PRNGKeyArray
) -> Array:
    def one(known: Array, hidden: Array, start: Array, key: PRNGKeyArray) -> Array:
        clamped = energy.ClampedSites(trained, known, hidden)
        walk = sampler.Gibbs()
        state, _ = sampler.run(walk, clamped, start, sweeps, key=key, keep=sampler.nothing)
        return clamped.complete(state.x)

    return jax.vmap(one)(rows, hidden, starts, jax.random.split(key, len(rows)))


def find_couplings(trained: Any) -> Float[np.ndarray, " sites sites"] | None:
    """The strength of the coupling of each pair of sites, for an energy of pairs; else None.

    Of bits the couplings themselves, of categories the scores of `energax.energy.contact_scores`.
    """
    match trained:
        case energy.BoltzmannMachine():
            return np.asarray(trained.weights)
        case energy.Potts():
            return np.asarray(energy.contact_scores(trained))
    return None
