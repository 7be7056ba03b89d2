"""log Z along a ladder whose weights stand still: three estimates, their errors, and doubts."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Shaped
from scipy.special import expit, logsumexp
from scipy.stats import t

from energax.energy import Energy, draws, weights
from energax.learner.ladder.learner import GROUPS, Ladder, LadderState
from energax.learner.ladder.log_z import bennett_root
from energax.learner.ladder.rungs import TOP, Rungs
from energax.learner.ladder.swaps import Links
from energax.learner.ladder.watch import share_immobile
from energax.sampler import chains, nothing

FALSE_ALARM = 0.01
"""Chance that a sound ladder is doubted for its links, for each kind of doubt."""

OLD = 0.01
"""Share of the states of a rung that may be older than the measurement."""

ROUNDING = 1e-5
"""Nats that estimates may differ by for the rounding of energies alone."""

DATA_ROUNDS = 20
"""Rounds of local moves from data before they are compared with the chains."""


@dataclasses.dataclass(frozen=True)
class LadderLogZ:
    """log Z of the top of a ladder, in nats, and why it may be wrong.

    `forward` uses the lower draws of each link alone and is low on average, `reverse` the upper
    ones and is high; `value` is Bennett's, of least variance. `low` and `high` are the ends of its
    95 % interval. `doubts`: sentences; where there is one, the interval is no certificate.

    Example:
        >>> found = ex.learner.LadderLogZ(1.0, 0.1, 0.9, 0.2, 1.1, 0.2, (0.5,), ())
        >>> round(found.low, 3), round(found.high, 3), found.sound
        (0.787, 1.213, True)
    """

    value: float
    error: float
    forward: float
    forward_error: float
    reverse: float
    reverse_error: float
    acceptance: tuple[float, ...]
    doubts: tuple[str, ...]

    def interval(self, level: float) -> tuple[float, float]:
        """Both ends of the interval at a confidence level."""
        reach = float(t.isf((1 - level) / 2, GROUPS - 1)) * self.error
        return self.value - reach, self.value + reach

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval."""
        return self.interval(0.95)[0]

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval."""
        return self.interval(0.95)[1]

    @property
    def sound(self) -> bool:
        """Is there no doubt?"""
        return not self.doubts


def measure_ladder(
    learner: Ladder,
    state: LadderState,
    *,
    key: PRNGKeyArray,
    energy: Any = None,
    rounds: int = 400,
    warmup: int = 100,
    rows: Shaped[Array, " size *shape"] | None = None,
) -> LadderLogZ:
    """log Z of the trained energy by its ladder, all weights, rungs and step sizes as they are.

    The error is the spread over groups of chains that never meet: it knows of correlation in time,
    between links that share a rung, and of groups that disagree.

    Args:
        learner: The one that trained.
        state: Its state.
        energy: The top of the ladder; the trained energy where None.
        rounds: Exchange rounds that are measured.
        warmup: Rounds before them.
        rows: Held-out data, in the units of the model: are there modes that no chain reaches?

    Raises:
        ValueError: for fewer than 2 rounds or a negative `warmup`.

    Trap: a mode that neither base, path, chains nor `rows` saw leaves no trace: log Z is too low by
    -log(1 - its share). Source: Bennett (1976); Crooks (1999).

    Example:
        >>> base, walk = ex.energy.Gaussian(jnp.zeros(1)), ex.sampler.mala(0.5)
        >>> learner = ex.learner.Ladder(base, walk, optax.sgd(0.1), chains=16)
        >>> round(ex.learner.measure_ladder(
        ...     learner, learner.init(base, jnp.ones((4, 1)), key=key), key=key, rounds=20
        ... ).value, 4)  # log(2 pi) / 2
        0.9189
    """
    if rounds < 2 or warmup < 0:
        raise ValueError(
            f"`rounds` must be at least 2 and `warmup` not negative; got {rounds} and {warmup}."
        )
    moving, still = weights(learner.energy(state) if energy is None else energy)
    first, second, third = jax.random.split(key, 3)
    rungs = state.rungs.set_top(moving)
    rungs, _ = _record(learner, still, rungs, state.round, warmup, key=first)
    start = state.round + warmup
    rungs, links = _record(learner, still, rungs, start, rounds, key=second)
    count = int(rungs.count)
    lower, upper = (_by_group(part, count) for part in (links.lower, links.upper))
    found = [_measure_link(*pair) for pair in zip(lower, upper, strict=True)]
    total, errors = _sum_links(found, float(learner.base.log_z()))
    acceptance = np.asarray(links.acceptance, np.float64)[:, :count].mean(0)
    doubts = [*_doubt_renewal(rungs, int(start)), *_doubt_links(found)]
    if rows is not None:
        doubts += _doubt_reach(learner, still, rungs, jnp.asarray(rows), key=third)
    return LadderLogZ(
        total["value"], errors["value"], total["forward"], errors["forward"],
        total["reverse"], errors["reverse"], tuple(acceptance.tolist()), tuple(doubts),
    )  # fmt: skip


def _sum_links(
    found: list[dict[str, Any]], anchor: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Each estimate of log Z, from that of the base, and its error."""
    names = ("value", "forward", "reverse")
    total = {name: anchor + sum(link[name][0] for link in found) for name in names}
    return total, {name: _error(sum(link[name][1] for link in found)) for name in names}


@eqx.filter_jit
def _record(
    learner: Ladder,
    still: PyTree,
    rungs: Rungs,
    now: Int[Array, ""],
    rounds: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Rungs, Links]:
    """The rungs after these rounds, and the links of every round."""

    def make(rungs: Rungs, index: Array) -> tuple[Rungs, Links]:
        go = jax.random.fold_in(key, index)
        return learner.exchange(still, rungs, now + index + 1, key=go)

    return jax.lax.scan(make, rungs, jnp.arange(rounds, dtype=jnp.int32))


def _by_group(part: Array, count: int) -> Float[np.ndarray, " links groups draws"]:
    """Log-weights of each link in float64, those of one group of chains together."""
    values = np.asarray(part, np.float64)[:, :count]
    rounds, links, size = values.shape
    split = values.reshape(rounds, links, GROUPS, size // GROUPS)
    return split.transpose(1, 2, 0, 3).reshape(links, GROUPS, -1)


def _error(by_group: Any) -> float:
    """Standard error of a mean over groups."""
    return float(np.std(by_group, ddof=1) / GROUPS**0.5)


def _measure_link(
    lower: Float[np.ndarray, " groups draws"], upper: Float[np.ndarray, " groups draws"]
) -> dict[str, Any]:
    """Each estimate with what every group adds to it; the score of Crooks; the largest share.

    What a group adds is the jackknife's: (groups - 1) times the change without it.

    The score is that of a factor a of the log-weights in sigma(a (l - D)), at a = 1, where draws
    of both agree with l being the logarithm of their ratio (Crooks).
    """
    value = float(bennett_root(jnp.asarray(lower.ravel()), jnp.asarray(upper.ravel())))
    below, above = expit(lower - value), expit(value - upper)
    curve = (below * (1 - below)).sum(1) + (above * (1 - above)).sum(1)
    mean = (below * (1 - below) * lower).sum() + (above * (1 - above) * upper).sum()
    middle = mean / max(curve.sum(), np.finfo(float).tiny)
    surplus = (below - above).sum(1)
    # Without a group: one Newton step from the root of all.
    others = np.maximum(curve.sum() - curve, np.finfo(float).tiny)
    score = (below * (lower - middle) - above * (upper - middle)).sum(1)
    forward, up = _one_sided(lower)
    reverse, down = _one_sided(-upper)
    return {
        "value": (value, (GROUPS - 1) * surplus / others),
        "forward": (forward, up),
        "reverse": (-reverse, -down),
        "score": score,
        "share": max(_top_share(lower), _top_share(-upper)),
    }


def _one_sided(log_weights: Float[np.ndarray, " groups draws"]) -> tuple[float, np.ndarray]:
    """log mean exp, and what every group adds to it, by leaving it out."""
    value = float(logsumexp(log_weights) - np.log(log_weights.size))
    shares = np.exp(log_weights - value).mean(1) / GROUPS
    others = np.maximum(1 - shares, np.finfo(float).tiny) * GROUPS / (GROUPS - 1)
    return value, -(GROUPS - 1) * np.log(others)


def _top_share(log_weights: Float[np.ndarray, " groups draws"]) -> float:
    """The share of all weight that the largest hundredth of the weights has."""
    ordered = np.sort(log_weights.ravel())
    top = ordered[-max(1, len(ordered) // 100) :]
    return float(np.exp(top - logsumexp(ordered)).sum())


def _doubt_renewal(rungs: Rungs, start: int) -> list[str]:
    """Have all rungs been filled from the base since round `start`?"""
    count = int(rungs.count)
    stamps = np.asarray(rungs.walkers.stamp)[np.asarray(rungs.order)[:count]]
    old = float((stamps <= start).mean())
    if old <= OLD / count:
        return []
    return [
        f"{old:.1%} of the chains were drawn from the base before the measurement began: "
        "measure more rounds."
    ]


def _doubt_links(found: list[dict[str, Any]]) -> list[str]:
    """Doubts about single links."""
    doubts = []
    bound = float(t.isf(FALSE_ALARM / 2 / len(found), GROUPS - 1))
    for place, link in enumerate(found):
        name = f"Between rungs {place} and {place + 1}"
        (up, of_up), (down, of_down) = link["forward"], link["reverse"]
        gap, joint = float(np.subtract(up, down)), _error(np.subtract(of_up, of_down))
        if abs(gap) > bound * joint + ROUNDING:
            doubts.append(
                f"{name} forward and reverse estimates differ by {gap:.2g}, with an error of "
                f"{joint:.2g}: the chains have not mixed."
            )
        score, error = link["score"].mean(), _error(link["score"])
        if abs(score) > bound * error + ROUNDING:
            doubts.append(
                f"{name} the draws contradict their energies: the sampler is not exact, or the "
                "chains have not mixed."
            )
        if link["share"] > 0.5:
            doubts.append(
                f"{name} 1 % of the draws have {link['share']:.0%} of the weight: train with a "
                "higher `target`."
            )
    return doubts


def _doubt_reach(
    learner: Ladder, still: PyTree, rungs: Rungs, rows: Array, *, key: PRNGKeyArray
) -> list[str]:
    """Do chains that start at data stay where no chain of the ladder is?"""
    go, draw = jax.random.split(key)
    count = int(rungs.count)
    below, others = learner.base, draws(learner.base, learner.chains, key=draw)
    if count > 1:
        slot = rungs.order[count - 2]
        below, others = rungs.energy(slot, still), rungs.walkers.x[slot]
    top, ladder = rungs.energy(jnp.asarray(TOP), still), rungs.walkers.x[TOP]
    steps = DATA_ROUNDS * learner.sweeps
    moved = chains(learner.sampler, top, rows, steps, key=go, keep=nothing)[0].x
    stuck, own = (float(_share_stuck(top, below, x, others)) for x in (moved, ladder))
    pooled = (stuck * len(rows) + own * len(ladder)) / (len(rows) + len(ladder))
    error = (pooled * (1 - pooled) * (1 / len(rows) + 1 / len(ladder))) ** 0.5
    if stuck - own <= 3 * error:
        return []
    return [
        f"{stuck:.1%} of the chains that start at data stay where the ladder cannot go, against "
        f"{own:.1%} of its own: it misses a mode, and log Z is too low."
    ]


@eqx.filter_jit
def _share_stuck(top: Energy, below: Energy, x: Array, others: Array) -> Float[Array, ""]:
    """The share of states of the top that no swap would take down."""

    def weigh(x: Array) -> Float[Array, " size"]:
        return jax.vmap(lambda y: below(y) - top(y))(x)

    return share_immobile(weigh(others), weigh(x))
