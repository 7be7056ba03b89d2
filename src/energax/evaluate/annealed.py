"""Annealed importance sampling from below and from above."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PRNGKeyArray, Shaped

from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    BernoulliRBM,
    CategoricalRBM,
    ColumnMixture,
    IndependentSites,
    draws,
)
from energax.evaluate.column_problem import ColumnProblem
from energax.evaluate.ends import Annealing
from energax.evaluate.hamilton import RealProblem
from energax.evaluate.layers import LayerProblem
from energax.evaluate.log_z import (
    LogZ,
    bound_share,
    combine_ends,
    find_drift,
    find_missing_mass,
    find_unreached,
)
from energax.evaluate.path import LinearPath, make_path
from energax.evaluate.problem import AbstractProblem
from energax.evaluate.schedule import pilot, refine_schedule, resample
from energax.evaluate.sites import SiteProblem
from energax.evaluate.witness import question
from energax.space import AbstractFinite


def annealed_log_z(
    energy: AbstractEnergy,
    base: AbstractDistribution,
    rows: Shaped[ArrayLike, " rows *shape"],
    *,
    particles: int = 512,
    level: float = 0.95,
    limit: int = 512,
    leaps: int = 5,
    tries: int = 2,
    settle: int = 96,
    key: PRNGKeyArray,
) -> LogZ:
    """log Z of an energy by annealed importance sampling from `base`, from below and from above.

    Forward: exact draws of `base` are moved to the energy; the mean weight is Z / Z_base exactly,
    so its log is low on average. Reverse: draws of the energy are moved back; high on average.
    Those draws are forward particles resampled by weight and moved `settle` times at t = 1:
    approximate, so they must be in equilibrium, and copies of one particle count as one in the
    error. Times and step sizes come from pilot runs with other draws, and are frozen before
    anything is measured.

    Both ends come from `base` and share what it does not see. So the reverse run is repeated from
    `rows`, and from hot starts, all moved half as often: almost none may end where the forward run
    does not come. Hot starts are base draws spread up to 8 times as wide; of bits and categories,
    base draws with up to 7 of 8 sites drawn again, all states alike. Last, bridge sampling between
    the energy and a mixture fitted to the settled rows must give the same log Z.

    Real numbers are moved by Hamiltonian steps, bits and categories by adjusted discrete Langevin
    steps, mixed columns by Gibbs sweeps, a restricted Boltzmann machine on a base of independent
    sites by Gibbs sampling of its two layers in turn, and all by jumps to base draws besides.

    Args:
        base: its log Z is known; the nearer to the energy, the better.
        rows: where the energy should have mass: training rows, in the units of the energy.
        particles: at least 2.
        level: confidence of the interval.
        limit: largest number of times between base and energy, at least 2.
        leaps: leapfrog steps, Langevin steps or sweeps of both layers that a move is made of.
        tries: base draws that are offered to each particle at each time.
        settle: moves at the energy before a reverse run, at least 8.

    Returns:
        A `LogZ`, whose `certified` and `why` say whether to trust it.

    Raises:
        ValueError: a count is too small, or `base`, `rows` and `energy` differ in shape or space.

    Trap: a mode far from the base, from all rows and from where hot starts fall is in no estimate;
    `why` says so.
    Source: Neal (2001); both directions, Grosse, Ghahramani and Adams (2015); bridge sampling,
    Meng and Wong (1996); machines of two layers, Salakhutdinov and Murray (2008).

    Example:
        >>> normal = ex.energy.Gaussian(jnp.zeros(1))
        >>> rows = ex.energy.draws(normal, 64, key=key)
        >>> round(ex.evaluate.annealed_log_z(normal, normal, rows, particles=64, key=key).value, 3)
        0.919
    """
    _check(energy, rows, {"particles": (particles, 2), "limit": (limit, 2), "settle": (settle, 8)})
    problem = make_problem(base, energy)
    path = problem.path
    fresh, tune, trial, go, pick, rest, back, look = jax.random.split(key, 8)
    *fresh, up = jax.random.split(fresh, 6)
    shaping, piloting, trying, start, wide = (draws(path.base, particles, key=k) for k in fresh)
    known = problem.lift(jnp.asarray(rows), key=up)
    kernel = problem.make_kernel(shaping, leaps, tries)
    schedule = pilot(path, kernel, piloting, limit, key=tune)
    schedule = refine_schedule(path, kernel, schedule, trying, limit, key=trial)
    annealing = Annealing(path, kernel, schedule)
    forward, gone = annealing.forward(start, key=go)
    if not jnp.isfinite(forward.value):
        return combine_ends(forward, forward, particles, level=level)
    family = resample(np.asarray(gone.log_weight, np.float64), key=pick)
    rested = annealing.settle(gone.x[family], family, settle, key=rest)
    reverse, values = annealing.reverse(rested.last, family, key=back)
    trouble = find_drift({"energy": rested.energy, "gap": rested.gap}, rested.acceptance, family)
    unreached = find_unreached(forward, values)
    trouble = trouble or find_missing_mass(len(unreached) / particles)
    found = combine_ends(forward, reverse, particles, trouble, level=level)
    if not found.certified:
        return found
    lost, kinds = len(np.unique(family[unreached])), len(np.unique(family))
    hidden = bound_share(lost, kinds, level) if lost else 0.0
    return question(problem, annealing, found, rested, known, wide, hidden, key=look)


def make_problem(base: AbstractDistribution, energy: AbstractEnergy) -> AbstractProblem:
    """What is annealed from `base` to `energy`, in the way that suits both.

    Raises ValueError where one is of bits or categories, and the other of another space.
    """
    space = energy.space
    finite = isinstance(space, AbstractFinite) or isinstance(base.space, AbstractFinite)
    if finite and base.space != space:
        raise ValueError(f"`base` and `energy` must have one space; got {base.space} and {space}.")
    if isinstance(base, ColumnMixture):
        return ColumnProblem(LinearPath(base, energy), energy, base)
    match energy, base, space:
        case ((BernoulliRBM() | CategoricalRBM()), IndependentSites(), _):
            return LayerProblem(energy, base)
        case _, _, AbstractFinite():
            return SiteProblem(LinearPath(base, energy), energy, space)
    return RealProblem(make_path(base, energy), energy)


def _check(
    energy: AbstractEnergy, rows: Shaped[ArrayLike, "..."], least: dict[str, tuple[int, int]]
) -> None:
    for name, (count, smallest) in least.items():
        if count < smallest:
            raise ValueError(f"`{name}` must be at least {smallest}; got {count}.")
    shape = np.shape(rows)
    if not shape or shape[1:] != energy.shape or not shape[0]:
        raise ValueError(
            f"`rows` must be one or more rows of shape {energy.shape}; got shape {shape}."
        )
