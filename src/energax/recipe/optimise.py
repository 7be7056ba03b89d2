"""From settings to the optimiser of each player."""

import dataclasses
import functools

import optax

from energax.learner import Optimisers
from energax.recipe.settings import Settings


@dataclasses.dataclass(frozen=True)
class Pace:
    """How one player moves: the rate of Adam at the start, decoupled weight decay, its updates in
    the run, and in a pass over the rows."""

    rate: float
    weight_decay: float
    steps: int
    epoch: int


def of_energy(settings: Settings, rows: int) -> optax.GradientTransformation:
    """What moves the energy of a run on as many rows."""
    return _made(settings, rows, settings.learning_rate, settings.weight_decay)


def of_rival(settings: Settings, rows: int) -> optax.GradientTransformation:
    """What moves the rival of a game, `rounds` times for each update of the energy."""
    return _made(settings, rows, settings.rival_rate, settings.rival_decay, settings.rounds)


def of_trio(settings: Settings, rows: int) -> Optimisers:
    """What moves energy, generator and encoder."""
    fade = settings.rival_decay
    return Optimisers(
        of_energy(settings, rows),
        _made(settings, rows, settings.rival_rate, fade),
        _made(settings, rows, settings.encoder_rate, fade),
    )


def _made(
    settings: Settings, rows: int, rate: float, weight_decay: float, rounds: int = 1
) -> optax.GradientTransformation:
    epoch = max(1, rows // settings.batch_size)
    pace = Pace(rate, weight_decay, settings.steps * rounds, epoch * rounds)
    moments = settings.momentum, settings.square_momentum
    return optimiser(pace, settings.clip, moments, settings.rate_decay)


@functools.cache
def optimiser(
    pace: Pace, clip: float, moments: tuple[float, float], rate_decay: float
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, clipped gradients, and a rate that falls.

    By the factor `rate_decay` after each pass over the rows, or, if that is 0, along a cosine to 0.
    One object for one choice, so that runs that differ by their seed share a compiled program.
    """
    if rate_decay > 0:
        rate = optax.exponential_decay(pace.rate, pace.epoch, rate_decay, staircase=True)
    else:
        rate = optax.cosine_decay_schedule(pace.rate, pace.steps)
    first, second = moments
    adam = optax.adamw(rate, b1=first, b2=second, weight_decay=pace.weight_decay)
    return optax.chain(optax.clip_by_global_norm(clip), adam)
