"""The training of a run folder, from its start or from its newest checkpoint, to its end."""

import signal
import time
from typing import Any

import equinox as eqx
import numpy as np

from energax.data import Dataset
from energax.energy import weights
from energax.errors import Diverged, InputError, Stopped
from energax.files import FULL, sync, write_json
from energax.method import AbstractMethod
from energax.model import config, fitting, saving
from energax.model.learning import average_metrics, find_standstill
from energax.model.players import list_auxiliary
from energax.objective import coverage_warning
from energax.progress import announce, stage
from energax.run.folder import Folder, shell_command
from energax.run.hold import hold_run
from energax.train import Bar, Checkpoints, Interrupt, Log, Run, fit_until, write_weights
from energax.train.arrays import name_arrays

WATCHED = ("loss", "accuracy", "energy_data", "energy_chain", "energy_rival", "grad_norm")
"""What the bar shows, where the objective reports it."""


def train(folder: Folder, rows: Dataset | None = None) -> None:
    """Train to the end, and write the weights.

    Goes on from the newest checkpoint where there is one. `rows`: the data set, where it is at
    hand. What diverges says so in diverged.json. Raises Stopped after Ctrl-C, Diverged at the first
    number that is not finite or explodes, InputError where nothing is left to do, where the disk is
    full, or where another process works in the folder.
    """
    with hold_run(folder):
        if folder.finished:
            raise InputError(
                f"{folder.path} has finished training, nothing is left to resume; measure it by: "
                f"{shell_command('evaluate', folder)}"
            )
        method = folder.method()
        try:
            _train(folder, method, folder.dataset() if rows is None else rows)
        except Diverged as failure:
            why = f"{failing_player(str(failure), method)} {suggest_remedy(folder, method)}"
            write_json(folder["diverged.json"], {"why": why})
            raise Diverged(why) from failure
        except KeyboardInterrupt as stop:
            number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
            again = shell_command("train --resume", folder)
            raise Stopped(str(stop) or f"Stopped; go on with: {again}", number) from stop
        except OSError as failure:
            if failure.errno not in FULL:
                raise
            raise InputError(
                f"{failure.filename} cannot be written: {failure.strerror}; free some, then go on "
                f"with `{shell_command('train --resume', folder)}`."
            ) from failure
        folder["diverged.json"].unlink(missing_ok=True)


def _train(folder: Folder, method: AbstractMethod, rows: Dataset) -> None:
    checkpoints = Checkpoints(folder["checkpoints"], about=config.list_facts(folder.path))
    checkpoints.check()
    log = Log(folder["metrics.jsonl"])
    ground = folder.groundwork(method.count_rows(rows))
    schedule = method.training
    with stage("compiling"):
        learner, run, inputs, size = fitting.start_run(method, ground, rows)
    run = _restore(folder, run, checkpoints, log)
    announce(f"training, {schedule.steps - int(run.step)} updates")
    with Bar(schedule.steps, int(run.step)) as bar, Interrupt() as interrupt:
        clock = Clock(log, schedule.batch_size)
        chunks = fit_until(
            learner,
            run,
            inputs,
            schedule.steps,
            batch_size=size,
            chunk_steps=schedule.chunk_steps,
            transform=ground.transform,
        )
        for run, metrics in chunks:
            line = clock.line(run, metrics)
            log.write(line)
            bar.show(int(run.step), line["steps_per_second"], _watch(line))
            step, length = int(run.step), len(next(iter(metrics.values())))
            if step % schedule.checkpoint_every < length or interrupt.requested:
                _save(folder, run, checkpoints)
            if interrupt.requested:
                again = shell_command("train --resume", folder)
                words = f"Stopped after {step} updates; go on with: {again}"
                raise Stopped(words, interrupt.number)
    _save(folder, run, checkpoints)
    facts = config.list_facts(folder.path)
    write_weights(folder[saving.WEIGHTS], _list_weights(run), facts)
    lines = log.read()
    if int(run.step) < schedule.steps:
        print(
            f"Training ended after {int(run.step)} of {schedule.steps} updates: no later look at "
            f"the validation rows was better than that after {lines[-1]['kept']:.0f}."
        )
    for warning in (coverage_warning(lines[-1]), find_standstill(lines)):
        if warning is not None:
            print(f"Warning: {warning}")


def _restore(folder: Folder, run: Run, checkpoints: Checkpoints, log: Log) -> Run:
    """The run at its newest checkpoint, the log no further; the run before its first update."""
    if checkpoints.newest() is None:
        if not log.empty:
            print(f"No checkpoint is left in {folder.path}: training begins again.")
        checkpoints.save(run)
    else:
        run = checkpoints.restore(run)
    log.rewind(int(run.step))
    return run


def _save(folder: Folder, run: Run, checkpoints: Checkpoints) -> None:
    """A checkpoint, after the lines of the log that lead to it.

    Raises Diverged for a weight that is not finite: metrics are of the weights before an update.
    """
    for name, array in name_arrays(_list_weights(run)).items():
        if eqx.is_inexact_array(array) and not np.all(np.isfinite(array)):
            raise Diverged(f"{name} became infinite or NaN by update {int(run.step)}.")
    sync(folder["metrics.jsonl"])
    checkpoints.save(run)


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
        return (
            {"step": int(run.step)}
            | average_metrics(metrics)
            | {
                "seconds": self._seconds,
                "steps_per_second": speed,
                "rows_per_second": speed * self._batch_size,
            }
        )


def _watch(line: dict[str, int | float]) -> dict[str, float]:
    return {name: line[name] for name in WATCHED if name in line}


def _list_weights(run: Run) -> dict[str, Any]:
    """The weights, their running average where one is kept, and the other players."""
    parts = {"energy": weights(run.state.energy)[0]}
    if run.state.average is not None:
        parts["average"] = run.state.average
    return parts | list_auxiliary(run.state)


def failing_player(failure: str, method: AbstractMethod) -> str:
    """What failed, and which of several players by its metric: that of the energy has no prefix.

    Chains on z follow the generator's posterior: their gradient is the generator's.
    """
    if not method.generates or method.latent_chain is None:
        return failure
    owners = {"generator": "generator", "encoder": "encoder", "latent": "generator"}
    player = next((owners[name] for name in owners if failure.startswith(name)), "energy")
    return f"The {player} failed first: {failure}"


def suggest_remedy(folder: Folder, method: AbstractMethod) -> str:
    """What to do after a divergence."""
    step = Checkpoints(folder["checkpoints"]).newest()
    first, *rest = method.hints
    return (
        f"The last good checkpoint, after {step} updates, is kept in {folder.path}. Try a smaller "
        f"{first}{''.join(f', {one}' for one in rest[:-1])}{f' or {rest[-1]}' if rest else ''}."
    )
