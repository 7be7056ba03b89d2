"""The training of a run folder, from its beginning or from its newest checkpoint, to its end."""

import time
from typing import Any

import jax
import numpy as np

from energax import train
from energax.energy import weights
from energax.errors import InputError
from energax.recipe import methods
from energax.recipe.folder import Folder, spoken
from energax.recipe.players import partners
from energax.train import Bar, Checkpoints, Interrupt, Log, Run

WATCHED = ("loss", "accuracy", "energy_data", "energy_chain", "energy_rival", "grad_norm")
"""What the bar shows, where the objective reports it."""


class Stopped(KeyboardInterrupt):
    """Training was asked to stop and did, with everything saved: the message says how to go on."""


def learn(folder: Folder) -> None:
    """Train until the settings' number of updates, then write the weights.

    Goes on from the newest checkpoint where there is one. Raises Stopped after Ctrl-C, Diverged at
    the first number that is not finite or explodes, InputError where nothing is left to do.
    """
    settings = folder.settings()
    if folder["weights.safetensors"].exists():
        raise InputError(
            f"{folder.path} has finished training, nothing is left to resume; measure it by: "
            f"{spoken('evaluate', folder)}"
        )
    data, distribution = folder.dataset(), folder.distribution()
    rows = methods.training_rows(settings, data)
    start, init = jax.random.split(jax.random.key(settings.seed))
    learner = methods.learner(settings, distribution, data)
    transform = folder.transform()
    # A batch of all rows is each row once.
    size = None if settings.batch_size == len(rows) else settings.batch_size
    moved = methods.players(settings, distribution, transform, data, key=init)
    run = train.start(learner, moved, rows, key=start, batch_size=size, transform=transform)
    checkpoints, log = Checkpoints(folder["checkpoints"]), Log(folder["metrics.jsonl"])
    if checkpoints.newest() is None:
        if log.read():
            print(f"No checkpoint is left in {folder.path}: training begins again.")
        checkpoints.save(run)
    else:
        run = checkpoints.restore(run)
    log.rewind(int(run.step))
    with Bar(settings.steps, int(run.step)) as bar, Interrupt() as interrupt:
        clock = Clock(log, settings.batch_size)
        while (done := int(run.step)) < settings.steps:
            length = min(settings.chunk_steps, settings.steps - done)
            fitting = train.fit(
                learner, run, rows, batch_size=size, chunk_steps=length, transform=transform
            )
            for run, metrics in fitting:
                line = clock.line(run, metrics)
                log.write(line)
                bar.show(int(run.step), line["steps_per_second"], _watched(line))
                step = int(run.step)
                if step % settings.checkpoint_every < length or interrupt.requested:
                    checkpoints.save(run)
                if interrupt.requested:
                    again = spoken("train --resume", folder)
                    raise Stopped(f"Stopped after {step} updates; go on with: {again}")
                if settings.steps - step < length:
                    break
    checkpoints.save(run)
    write(folder, run.state)


class Clock:
    """Turns the metrics of a chunk into a line of the log: means, time and speed."""

    def __init__(self, log: Log, batch_size: int):
        lines = log.read()
        self._seconds = lines[-1]["seconds"] if lines else 0.0
        self._batch_size = batch_size
        self._last = time.perf_counter()

    def line(self, run: Run, metrics: dict[str, np.ndarray]) -> dict[str, int | float]:
        """Step, mean of each metric over the chunk, seconds since the start, updates and rows per
        second."""
        now = time.perf_counter()
        spent, self._last = now - self._last, now
        self._seconds += spent
        speed = len(next(iter(metrics.values()))) / spent
        means = {name: float(np.mean(values)) for name, values in metrics.items()}
        return (
            {"step": int(run.step)}
            | means
            | {
                "seconds": self._seconds,
                "steps_per_second": speed,
                "rows_per_second": speed * self._batch_size,
            }
        )


def _watched(line: dict[str, int | float]) -> dict[str, float]:
    return {name: line[name] for name in WATCHED if name in line}


def write(folder: Folder, state: Any) -> None:
    """The final weights, their running average where one was kept, and the other players whole."""
    parts = {"energy": weights(state.energy)[0]}
    if state.average is not None:
        parts["average"] = state.average
    train.write_weights(folder["weights.safetensors"], parts | partners(state))
