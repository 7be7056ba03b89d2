"""From options to Optax."""

import dataclasses
import functools

import optax

from energax.method.parts import Adam, Training


def make_optimiser(
    adam: Adam,
    training: Training,
    rows: int,
    *,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    rounds: int = 1,
) -> optax.GradientTransformation:
    """The optimiser of one network: Adam, decoupled weight decay, clipped gradients.

    The rate falls by `learning_rate_decay` after each pass over the rows, or along a cosine to 0.

    Args:
        adam: Its options.
        training: The schedule of the run.
        rows: Training rows, of which a pass over the data consists.
        learning_rate: That of the network; the energy's where None.
        weight_decay: Likewise.
        rounds: Updates of the network for each update of the energy.
    """
    epoch = max(1, rows // training.batch_size) * rounds
    rate = adam.learning_rate if learning_rate is None else learning_rate
    decay = adam.weight_decay if weight_decay is None else weight_decay
    own = dataclasses.replace(adam, learning_rate=rate, weight_decay=decay)
    return _make(own, training.steps * rounds, epoch)


@functools.cache
def _make(adam: Adam, steps: int, epoch: int) -> optax.GradientTransformation:
    # One object for one choice, so that runs that differ by their seed share a compiled program.
    if adam.learning_rate_decay > 0:
        rate = optax.exponential_decay(
            adam.learning_rate, epoch, adam.learning_rate_decay, staircase=True
        )
    else:
        rate = optax.cosine_decay_schedule(adam.learning_rate, steps)
    moves = optax.adamw(
        rate, b1=adam.momentum, b2=adam.square_momentum, weight_decay=adam.weight_decay
    )
    return optax.chain(optax.clip_by_global_norm(adam.clip), moves)
