"""Train a model in memory, in one call."""

import collections
import warnings
from typing import Any

import equinox as eqx
import jax
import numpy as np

from energax import data, train
from energax.data import Dataset, Weighted
from energax.devices import copy_to_one
from energax.errors import Diverged, InputError
from energax.learner import AbstractLearner, KeepBest
from energax.method import (
    AbstractMethod,
    Groundwork,
    build,
    default_method,
    find_method,
    kind_of,
    name_owners,
)
from energax.model.base import Model
from energax.model.learning import average_metrics, find_standstill
from energax.model.players import list_auxiliary
from energax.model.saving import name_energy, replace_energy
from energax.objective import coverage_warning
from energax.options import leaves, replace
from energax.progress import say, stage
from energax.train import Run

WITNESSES = 1000
"""Training rows that a model in memory keeps, to look for modes that its base misses."""


def choose_method(name: str | None, rows: Dataset, options: dict[str, Any]) -> AbstractMethod:
    """The method of a name as it suits a data set, with the options that were given.

    Raises InputError for a name that is none, another method's option, or a value out of range.
    """
    kind = default_method(kind_of(rows)) if name is None else find_method(name, rows)
    return set_options(kind.preset_for(rows), options)


def set_options(method: AbstractMethod, options: dict[str, Any]) -> AbstractMethod:
    """The method with other values of its options.

    Raises InputError for another method's option, one that there is not, or a value out of range.
    """
    known = {leaf.key for leaf in leaves(method)}
    for name in [name for name in options if name not in known]:
        owners = name_owners(lambda leaf, name=name: leaf.key == name)
        if owners is not None:
            raise InputError(f"`{name}` is not an option of {method.name}; {owners}.")
    return replace(method, **options)


def prepare(
    method: AbstractMethod, rows: Dataset, energy: Any = None
) -> tuple[AbstractMethod, Groundwork]:
    """The method, nothing left open, and what is fitted before training: transform and base.

    Raises InputError for options that do not suit the rows, or networks too large to be trained.
    """
    method.check_rows(rows)
    method, chosen = method.settle(rows)
    if chosen is not None:
        say(f"Base: {chosen}.")
    smaller = None if chosen is None or energy is not None else method.shrink(rows)
    if smaller is not None:
        with stage(f"trying a smaller base, {smaller.base_title}"):
            better = _beats(smaller, method, rows)
        if better:
            say(f"Base: {smaller.base_title}, whose tilt does better on the validation rows.")
            method = smaller
    with stage("fitting the base"):
        transform, base = method.fit_ground(rows)
    tilted = method.base_kind != "none"
    count, labels = method.count_rows(rows), rows.labels or 0
    ground = Groundwork(base, transform, count, labels, tilted=tilted, energy=energy)
    build.check_players(method, ground)
    return method, ground


def _beats(smaller: AbstractMethod, method: AbstractMethod, rows: Dataset) -> bool:
    """Is the tilt of a smaller base beyond doubt better than the base of a method by itself?

    On validation rows, by the loss that they are looked at by; neither base is fitted to them. A
    trial that diverges is no better.
    """
    part, _ = smaller.split(rows)
    transform, base = smaller.fit_ground(part)
    ground = Groundwork(base, transform, len(part.train))
    made, run, inputs, size = start_run(smaller, ground, rows)
    learner: Any = made
    try:
        run, _ = train_to_end(smaller, ground, learner, run, inputs, size)
    except Diverged:
        return False
    look = eqx.filter_jit(KeepBest.measure)
    rival = method.fit_base(part, ground.transform)
    gains = look(learner, rival) - look(learner, learner.energy(run.state))
    return bool(learner.is_sure(gains))


def train_to_end(
    method: AbstractMethod, ground: Groundwork, learner: Any, run: Run, inputs: Any, size: Any
) -> tuple[Run, dict[str, np.ndarray]]:
    """The run at its end, and the metrics of its last chunk."""
    chunks = train.fit_until(
        learner,
        run,
        inputs,
        method.training.steps,
        batch_size=size,
        chunk_steps=method.training.chunk_steps,
        transform=ground.transform,
    )
    return collections.deque(chunks, maxlen=1).pop()


def start_run(
    method: AbstractMethod, ground: Groundwork, rows: Dataset
) -> tuple[AbstractLearner, Run, Any, int | None]:
    """The learner, the run before its first update, its training rows, and the size of a batch.

    A batch of all rows is each row once, and its size None, unless they are picked by weight.
    """
    start, init = jax.random.split(jax.random.key(method.training.seed))
    part, valid = method.split(rows)
    players, learner = method.build(ground, key=init)
    players = method.fit_players(players, part, ground.transform)
    learner = method.wrap_learner(learner, valid, ground)
    inputs = method.training_rows(part)
    size = method.training.batch_size
    if size == len(inputs) and type(inputs) is not Weighted:
        size = None
    run = train.start(
        learner, players, inputs, key=start, batch_size=size, transform=ground.transform
    )
    return learner, run, inputs, size


def finish(
    method: AbstractMethod, ground: Groundwork, rows: Dataset, learner: Any, state: Any
) -> Model:
    """The model of a finished run."""
    state = copy_to_one(state) if learner.spreads else state
    energy = learner.energy(state)
    others = list_auxiliary(state)
    blank, _ = method.build(ground, key=jax.random.key(0)) if others else (None, None)
    players = replace_energy(blank, energy, others)
    base = build.find_base(energy, ground.base)
    some = np.random.default_rng(0).permutation(len(rows.train))[:WITNESSES]
    return Model(
        energy,
        base,
        ground.transform,
        rows.schema,
        method,
        players,
        witnesses=rows.train[some],
        own_energy=name_energy(ground.energy),
    )


def as_dataset(rows: Any, labels: Any, levels: int | None) -> Dataset:
    """What a user trains on, as a data set without a test part."""
    return (
        rows
        if isinstance(rows, Dataset)
        else data.from_rows(rows, labels=labels, levels=levels, test_fraction=0.0)
    )


def warn_of_training(metrics: dict[str, np.ndarray]) -> None:
    """Warn, once training has ended, where its noise hardly covered the data, or nothing moved."""
    means = average_metrics(metrics)
    for warning in (coverage_warning(means), find_standstill([means])):
        if warning is not None:
            warnings.warn(warning, stacklevel=3)


def fit(
    rows: Any,
    method: str | AbstractMethod | None = None,
    *,
    energy: Any = None,
    labels: Any = None,
    levels: int | None = None,
    **options: Any,
) -> Model:
    """Train a model, without a folder.

    Args:
        rows: Training rows: an array (rows first; `uint8` of rank 3 or more are images), a pandas
            or polars frame, or a `Dataset`.
        method: Its name, or the method itself; `nce` where not given, for large images
            `denoising-levels`.
        energy: An energy of your own, a module of one example in model units; it takes the place of
            the base tilted by a network.
        labels: A whole number from 0 for each row, for methods that learn them.
        levels: How many values whole numbers have, where rows are not real numbers.
        **options: Options of the method, by their names: `steps=500`, `seed=1`, `width=64`.

    Returns:
        The trained model.

    Raises InputError for rows or options that cannot be used, Diverged where training fails.
    """
    known = as_dataset(rows, labels, levels)
    for caution in known.cautions:
        warnings.warn(caution.text, stacklevel=2)
    if isinstance(method, AbstractMethod):
        chosen = set_options(method, options)
    else:
        chosen = choose_method(method, known, options)
    chosen, ground = prepare(chosen, known, energy)
    learner, run, inputs, size = start_run(chosen, ground, known)
    run, metrics = train_to_end(chosen, ground, learner, run, inputs, size)
    warn_of_training(metrics)
    return finish(chosen, ground, known, learner, run.state)
