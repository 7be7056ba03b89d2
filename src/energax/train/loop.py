"""The one training loop: a chunk of updates is one compiled program, and `fit` yields between."""

import itertools
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int, PRNGKeyArray, PyTree, Shaped

from energax.data import AbstractTransform, Labelled
from energax.errors import Diverged, InputError
from energax.learner import AbstractLearner, Metrics

Rows = Shaped[ArrayLike, " size *shape"] | Labelled
"""What to train on: rows alone, or rows with the label of each."""


class Run(eqx.Module):
    """Everything a run needs to go on: save this, and nothing else."""

    state: PyTree
    step: Int[Array, ""]
    key: PRNGKeyArray


def _placed(rows: Rows) -> Shaped[Array, " size *shape"] | Labelled:
    return rows if type(rows) is Labelled else jnp.asarray(rows)


def _batch(
    rows: Shaped[Array, " size *shape"] | Labelled,
    size: int | None,
    transform: AbstractTransform | None,
    *,
    key: PRNGKeyArray,
) -> Shaped[Array, " batch *shape"] | Labelled:
    """`size` rows picked with replacement, in model units; noise of the transform drawn anew.

    None: all rows in their order. Labels go with their rows, untransformed.
    """
    pick, noise = jax.random.split(key)
    batch: Any = rows
    if size is not None:
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


def start(
    learner: AbstractLearner,
    players: PyTree,
    rows: Rows,
    *,
    key: PRNGKeyArray,
    batch_size: int | None = 256,
    transform: AbstractTransform | None = None,
) -> Run:
    """A run before its first update; `batch_size` None: every update sees all rows.

    Raises InputError with fewer rows than a batch.
    """
    rows = _placed(rows)
    if batch_size is not None and len(rows) < batch_size:
        raise InputError(
            f"There are {len(rows)} training rows, fewer than a batch of {batch_size}: "
            "give more rows or a smaller batch size."
        )
    first, init, go = jax.random.split(key, 3)
    batch = eqx.filter_jit(_batch)(rows, batch_size, transform, key=first)
    state = learner.init(players, batch, key=init)
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
    """A chunk of updates at a time, for ever: log, save, draw and stop in the body of your `for`.

    `batch_size` None: every update sees all rows, in their order. That of `start`.

    Yields the run and its metrics, arrays of `chunk_steps` values. The run that was given, and
    each that was yielded, is consumed by the next chunk: keep what you need before going on.
    Raises Diverged, instead of yielding, when a metric is not finite or beyond `limit` times the
    larger of 1 and its first value.
    """
    rows = _placed(rows)
    first: dict[str, float] | None = None
    for _ in itertools.count():
        before = int(run.step)
        run, stacked = chunk((learner, rows, batch_size, transform), run, chunk_steps)
        metrics = {name: np.asarray(values) for name, values in stacked.items()}
        if first is None:
            first = {name: abs(float(values[0])) for name, values in metrics.items()}
        watch(metrics, first, limit, before)
        yield run, metrics


def watch(
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
