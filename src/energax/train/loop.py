"""The one training loop: a chunk of updates is one compiled program, and `fit` yields between."""

import itertools
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, PyTree, Shaped

from energax.data import AbstractTransform, Labelled, Weighted
from energax.devices import copy_to_all, spread
from energax.energy import space_of
from energax.errors import Diverged, InputError
from energax.learner import AbstractLearner, Metrics
from energax.space import Columns
from energax.train.check import check_finite, check_shape, check_trainable

Rows = Shaped[ArrayLike, " size *shape"] | Labelled | Weighted
"""What to train on: rows alone, or rows with the label of each, or with weights."""


class Run(eqx.Module):
    """Everything that training needs to go on: save this, and nothing else.

    Args:
        state: Of the learner: players, optimisers, chains. `learner.energy(run.state)` is the
            trained energy.
        step: Updates made.
        key: Batches and noise follow from it and `step`.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.adam(1e-2))
        >>> energy, rows = ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((256, 2))
        >>> ex.train.start(learner, energy, rows, key=key).state.energy.mean.tolist()
        [0.0, 0.0]
    """

    state: PyTree
    step: Int[Array, ""]
    key: PRNGKeyArray


def _place(rows: Rows, energy: Any) -> Shaped[Array, " size *shape"] | Labelled | Weighted:
    """The rows on the device, refused where a number is not finite that must be."""
    placed = rows if isinstance(rows, Labelled | Weighted) else jnp.asarray(rows)
    check_finite(_select_rows(placed), holes=isinstance(space_of(energy), Columns))
    return placed


def _select_rows(rows: Any) -> Any:
    return rows.x if isinstance(rows, Labelled | Weighted) else rows


def _batch(
    rows: Shaped[Array, " size *shape"] | Labelled | Weighted,
    size: int | None,
    transform: AbstractTransform | None,
    *,
    key: PRNGKeyArray,
) -> Shaped[Array, " batch *shape"] | Labelled:
    """`size` rows picked with replacement, in model units; noise of the transform drawn again.

    None: all rows in their order. Labels go with their rows, untransformed. Weights are the
    probabilities of being picked, up to a factor.
    """
    pick, noise = jax.random.split(key)
    batch: Any = rows
    if type(rows) is Weighted:
        batch = rows.x[_pick_by_weight(rows.weight, size, key=pick)]
    elif size is not None:
        at = jax.random.randint(pick, (size,), 0, len(rows))
        batch = jax.tree.map(lambda part: part[at], rows)
    if transform is None:
        return batch

    def encode(row: Array, k: PRNGKeyArray) -> Array:
        return transform.encode(row, key=k)[0]

    encoded = jax.vmap(encode)
    keys = jax.random.split(noise, len(batch))
    if type(batch) is Labelled:
        return Labelled(encoded(batch.x, keys), batch.label)
    return encoded(batch, keys)


def _pick_by_weight(
    weight: Float[Array, " size"], count: int | None, *, key: PRNGKeyArray
) -> Int[Array, " count"]:
    if count is None:
        raise ValueError("`batch_size` must be a number for rows with weights; got None.")
    below = jnp.cumsum(weight)
    places = below[-1] * jax.random.uniform(key, (count,), below.dtype)
    # A row of weight 0 is never picked: its end is that of the row before.
    found = jnp.searchsorted(below, places, side="right")
    return jnp.minimum(found, jnp.searchsorted(below, below[-1])).astype(jnp.int32)


def start(
    learner: AbstractLearner,
    players: PyTree,
    rows: Rows,
    *,
    key: PRNGKeyArray,
    batch_size: int | None = 256,
    transform: AbstractTransform | None = None,
) -> Run:
    """A run before its first update.

    Args:
        players: What `learner` trains: an energy for `Descent`, several players for games. The
            arrays are copied, so yours stay as they are.
        rows: All training rows, or `Labelled` or `Weighted` rows, in your units.
        batch_size: Rows in an update; None: every update uses all rows.
        transform: From your units to the model's, applied to each batch.

    Raises:
        InputError: for fewer rows than a batch, rows of another shape than the energy takes, or a
            number that is not finite.
        ValueError: for players without a floating-point array: a plain function has no weights.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.adam(1e-2))
        >>> energy, rows = ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((8, 2))
        >>> int(ex.train.start(learner, energy, rows, key=key, batch_size=4).step)
        0
    """
    rows = _place(rows, players)
    if batch_size is not None and len(rows) < batch_size:
        raise InputError(
            f"There are {len(rows)} training rows, fewer than a batch of {batch_size}: "
            "give more rows or a smaller batch size."
        )
    first, init, go = jax.random.split(key, 3)
    batch = eqx.filter_jit(_batch)(rows, batch_size, transform, key=first)
    state = learner.init(players, batch, key=init)
    check_shape(learner, state, _select_rows(batch).shape[1:])
    check_trainable(learner, players, state)
    return Run(state, jnp.zeros((), jnp.int32), go)


@eqx.filter_jit(donate="all-except-first")
def chunk(fixed: tuple, run: Run, length: int) -> tuple[Run, Metrics]:
    """`length` updates in one program; metrics are stacked, one value for each update.

    Batch and noise are functions of (key, step), so a resumed run is the same run.
    """
    learner, rows, size, transform = fixed
    moving, still = eqx.partition(run, eqx.is_array)

    def body(moving: Run, _: None) -> tuple[Run, Metrics]:
        run = eqx.combine(moving, still)
        choose, go = jax.random.split(jax.random.fold_in(run.key, run.step))
        batch = _batch(rows, size, transform, key=choose)
        batch = spread(batch, size) if learner.spreads and size is not None else batch
        state, metrics = learner.step(run.state, batch, key=go)
        return eqx.filter(Run(state, run.step + 1, run.key), eqx.is_array), metrics

    moving, metrics = jax.lax.scan(body, moving, length=length)
    return eqx.combine(moving, still), metrics


def fit(
    learner: AbstractLearner,
    run: Run,
    rows: Rows,
    *,
    batch_size: int | None = 256,
    chunk_steps: int = 100,
    transform: AbstractTransform | None = None,
    limit: float = 1e4,
) -> Iterator[tuple[Run, dict[str, np.ndarray]]]:
    """Train without end, yielding after each chunk: log, save and stop in the body of your `for`.

    Args:
        run: From `start`, or the last one yielded.
        batch_size, transform: Those of `start`.
        chunk_steps: Updates in one compiled program.
        limit: A metric diverges beyond `limit` times the larger of 1 and its first value.

    Returns:
        An iterator over runs and their metrics, arrays of `chunk_steps` values by name.

    Raises:
        Diverged: instead of yielding, when a metric is not finite or diverges, or the learner says
            that training has come to an end (`AbstractLearner.check`).
        InputError: for rows of another shape than the energy takes, or a number that is not finite.

    Trap: a run is consumed by the next chunk: keep what you need of it before going on.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.adam(1e-2))
        >>> run = ex.train.start(
        ...     learner, ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((256, 2)), key=key
        ... )
        >>> int(next(ex.train.fit(learner, run, jnp.ones((256, 2)), chunk_steps=3))[0].step)
        3
    """
    rows = _place(rows, learner.energy(run.state))
    batch = eqx.filter_eval_shape(_batch, rows, batch_size, transform, key=run.key)
    check_shape(learner, run.state, _select_rows(batch).shape[1:])
    first: dict[str, float] | None = None
    if learner.spreads and batch_size is not None:
        run, rows = copy_to_all((run, rows), batch_size)
    start = float(eqx.filter_jit(optax.tree.norm)(eqx.filter(run.state, eqx.is_inexact_array)))
    for _ in itertools.count():
        before = int(run.step)
        run, stacked = chunk((learner, rows, batch_size, transform), run, chunk_steps)
        metrics = {name: np.asarray(values) for name, values in stacked.items()}
        if first is None:
            first = {name: abs(float(values[0])) for name, values in metrics.items()}
            # Weights are measured after an update: judged by those before, the first can leap too.
            first |= {n: min(first[n], start) for n in metrics if n.endswith("weight_norm")}
        check_metrics(metrics, first, limit, before)
        learner.check(run.state)
        yield run, metrics


def fit_until(
    learner: AbstractLearner,
    run: Run,
    rows: Rows,
    steps: int,
    *,
    batch_size: int | None = 256,
    chunk_steps: int = 100,
    transform: AbstractTransform | None = None,
) -> Iterator[tuple[Run, dict[str, np.ndarray]]]:
    """As `fit`, up to `steps` updates in all, or until the learner is done.

    The last chunk may be shorter. Nothing is yielded where nothing is left to do.

    Example:
        >>> learner = ex.learner.Descent(ex.objective.ImplicitScoreMatching(), optax.adam(1e-2))
        >>> run = ex.train.start(
        ...     learner, ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((256, 2)), key=key
        ... )
        >>> [
        ...     int(now.step)
        ...     for now, _ in ex.train.fit_until(
        ...         learner, run, jnp.ones((256, 2)), 5, chunk_steps=3
        ...     )
        ... ]
        [3, 5]
    """
    while (done := int(run.step)) < steps and not learner.is_done(run.state):
        length = min(chunk_steps, steps - done)
        options = {"batch_size": batch_size, "chunk_steps": length, "transform": transform}
        chunks = fit(learner, run, rows, **options)
        for run, metrics in chunks:
            yield run, metrics
            if steps - int(run.step) < length or learner.is_done(run.state):
                break


def check_metrics(
    metrics: dict[str, np.ndarray], first: dict[str, float], limit: float, before: int
) -> None:
    """Raise Diverged, naming the metric that failed first, in the order in which they are listed.

    `first`: size of each metric at the first update; `before`: updates made before these metrics.
    """
    failed = []
    for order, (name, values) in enumerate(metrics.items()):
        scale = first[name] if np.isfinite(first[name]) else 0.0
        bad = ~(np.abs(values) <= limit * max(1.0, scale))
        if bad.any():
            at = int(np.argmax(bad))
            failed.append((at, order, name, float(values[at])))
    if failed:
        at, _, name, value = min(failed)
        what = "exploded to" if np.isfinite(value) else "became"
        raise Diverged(f"{name} {what} {value:.3g} at update {before + at + 1}.")
