"""log Z of an energy by the ladder that trained it, certified or refused."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import ArrayLike, PRNGKeyArray, Shaped

from energax.evaluate.base import Estimate
from energax.evaluate.log_z import LogZ
from energax.learner import Ladder, LadderState, measure_ladder


def ladder_log_z(
    learner: Ladder,
    state: LadderState,
    rows: Shaped[ArrayLike, " rows *shape"],
    *,
    energy: Any = None,
    rounds: int = 400,
    level: float = 0.95,
    key: PRNGKeyArray,
) -> LogZ:
    """log Z of an energy on the ladder that trained it, its weights as they are.

    The interval is Bennett's, by Student's t over 16 groups of chains that never meet. It is
    certified unless a check of `measure_ladder` doubts it. `forward` and `reverse` are Bennett's.

    Args:
        learner: the one that trained.
        state: its state.
        rows: where the energy should have mass, such as rows to choose by, in units of the energy.
        energy: what is measured; the trained energy where None.
        rounds: exchange rounds that are measured, at least 2.
        level: confidence of the interval.

    Raises:
        ValueError: for fewer than 2 rounds.

    Trap: as for `annealed_log_z`: a mode that base, path, chains and rows never saw is in no
    estimate. Source: Bennett (1976).

    Example:
        >>> base, walk = ex.energy.Gaussian(jnp.zeros(1)), ex.sampler.mala(0.5)
        >>> learner = ex.learner.Ladder(base, walk, optax.sgd(0.1), chains=16)
        >>> round(ex.evaluate.ladder_log_z(
        ...     learner, learner.init(base, jnp.ones((4, 1)), key=key), jnp.ones((4, 1)), rounds=20,
        ...     key=key).value, 4)  # log(2 pi) / 2
        0.9189
    """
    found = measure_ladder(
        learner, state, energy=energy, rounds=rounds, rows=jnp.asarray(rows), key=key
    )
    numbers = found.value, found.error, rounds * learner.chains
    end = Estimate(*(jnp.asarray(number, jnp.result_type(float)) for number in numbers))
    links = len(found.acceptance)
    good = (
        f"Bennett's ratio along {links} link{'s' if links > 1 else ''} of the ladder of training; "
        f"at least {min(found.acceptance):.0%} of the swaps are accepted. A mode that neither the "
        "base, the path, the chains nor the rows saw is taken not to exist."
    )
    lower, upper = found.interval(level)
    return LogZ(
        end, end, lower, upper, level, found.sound, good if found.sound else found.doubts[0]
    )
