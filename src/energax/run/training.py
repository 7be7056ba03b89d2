"""The training of a run folder, from its start or from its newest checkpoint, to its end."""

import time

import numpy as np

from energax.data import Dataset
from energax.energy import weights
from energax.errors import Diverged, InputError, Stopped
from energax.files import write_json
from energax.method import AbstractMethod
from energax.model import fitting, saving
from energax.model.learning import find_standstill
from energax.model.players import list_auxiliary
from energax.objective import coverage_warning
from energax.progress import announce, stage
from energax.run.folder import Folder, shell_command
from energax.train import Bar, Checkpoints, Interrupt, Log, Run, fit, write_weights

WATCHED = ("loss", "accuracy", "energy_data", "energy_chain", "energy_rival", "grad_norm")
"""What the bar shows, where the objective reports it."""


def train(folder: Folder, rows: Dataset | None = None) -> None:
    """Train to the end, and write the weights.

    Goes on from the newest checkpoint where there is one. `rows`: the data set, where it is at
    hand. What diverges says so in diverged.json. Raises Stopped after Ctrl-C, Diverged at the first
    number that is not finite or explodes, InputError where nothing is left to do.
    """
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
    folder["diverged.json"].unlink(missing_ok=True)


def _train(folder: Folder, method: AbstractMethod, rows: Dataset) -> None:
    ground = folder.groundwork(len(rows.train))
    schedule = method.training
    with stage("compiling"):
        learner, run, inputs, size = fitting.start_run(method, ground, rows)
    checkpoints, log = Checkpoints(folder["checkpoints"]), Log(folder["metrics.jsonl"])
    run = _restore(folder, run, checkpoints, log)
    announce(f"training, {schedule.steps - int(run.step)} updates")
    with Bar(schedule.steps, int(run.step)) as bar, Interrupt() as interrupt:
        clock = Clock(log, schedule.batch_size)
        while (done := int(run.step)) < schedule.steps:
            length = min(schedule.chunk_steps, schedule.steps - done)
            chunks = fit(
                learner,
                run,
                inputs,
                batch_size=size,
                chunk_steps=length,
                transform=ground.transform,
            )
            for run, metrics in chunks:
                line = clock.line(run, metrics)
                log.write(line)
                bar.show(int(run.step), line["steps_per_second"], _watch(line))
                step = int(run.step)
                if step % schedule.checkpoint_every < length or interrupt.requested:
                    checkpoints.save(run)
                if interrupt.requested:
                    again = shell_command("train --resume", folder)
                    raise Stopped(f"Stopped after {step} updates; go on with: {again}")
                if schedule.steps - step < length:
                    break
    checkpoints.save(run)
    _write(folder, run)
    lines = log.read()
    for warning in (coverage_warning(lines[-1]), find_standstill(lines)):
        if warning is not None:
            print(f"Warning: {warning}")


def _restore(folder: Folder, run: Run, checkpoints: Checkpoints, log: Log) -> Run:
    """The run at its newest checkpoint, the log no further; the run before its first update."""
    if checkpoints.newest() is None:
        if log.read():
            print(f"No checkpoint is left in {folder.path}: training begins again.")
        checkpoints.save(run)
    else:
        run = checkpoints.restore(run)
    log.rewind(int(run.step))
    return run


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


def _watch(line: dict[str, int | float]) -> dict[str, float]:
    return {name: line[name] for name in WATCHED if name in line}


def _write(folder: Folder, run: Run) -> None:
    """The final weights, their running average where one was kept, and the other players."""
    parts = {"energy": weights(run.state.energy)[0]}
    if run.state.average is not None:
        parts["average"] = run.state.average
    write_weights(folder[saving.WEIGHTS], parts | list_auxiliary(run.state))


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
