"""A published experiment again: several seeds, ours beside the published numbers."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from energax.errors import Diverged, InputError
from energax.files import read_json, write_json
from energax.reproduce import dual, teach
from energax.reproduce.experiment import Experiment, Record, Runs
from energax.run import Sweep, claim
from energax.run.evaluating import write_arrays
from energax.suggest import suggest

EXPERIMENTS = {name: each for each in (dual.EXPERIMENT, teach.EXPERIMENT) for name in each.plans}
"""By name."""


def repeat(
    name: str,
    seeds: int,
    out: Path,
    steps: int | None = None,
    rows: int | None = None,
    only: Sequence[str] = ("all",),
) -> list[Path]:
    """Run what is left of an experiment, and write its tables and pictures.

    Args:
        name: One of `EXPERIMENTS`.
        seeds: Runs of each setting: seeds 0, 1, ...
        out: Its folder; the same call goes on where it was stopped.
        steps: Updates of every run; as published where None.
        rows: Training rows of every run; as published where None.
        only: Settings to run.

    Returns:
        What was written.

    Raises InputError for an unknown experiment or setting, Stopped after Ctrl-C.
    """
    experiment = find_experiment(name)
    every = _resize(experiment.plans[name], steps, rows)
    chosen = _choose(every, only)

    def work(setting: Any, seed: int) -> Callable[[], bool]:
        return lambda: _finish(out, experiment, setting, seed)

    # Seeds outermost: an experiment that is stopped has all settings at some seeds.
    plan = [
        (f"{setting.word}-{seed}", f"{setting.word}, seed {seed}", work(setting, seed))
        for seed in range(seeds)
        for setting in chosen
    ]
    sweep = Sweep(len(plan), lambda run: _summarise(experiment, read_json(_path(out, run))))
    with claim(out, "experiment", {"name": name, "steps": steps, "rows": rows}):
        sweep.carry_on(plan)
        return experiment.write(out, name, _collect(out, every))


def find_experiment(name: str) -> Experiment:
    """The experiment of a name. Raises InputError for one that is none."""
    if name not in EXPERIMENTS:
        raise InputError(
            f"There is no experiment {name!r}"
            f"{suggest(name, EXPERIMENTS, ': choose one of ' + ', '.join(EXPERIMENTS) + '.')}"
        )
    return EXPERIMENTS[name]


def _resize(plan: Sequence[Any], steps: int | None, rows: int | None) -> list[Any]:
    """Every setting of the experiment, in the size that was asked for."""
    changes = {"steps": steps, "rows": rows}
    given = {option: value for option, value in changes.items() if value is not None}
    return [dataclasses.replace(setting, **given) for setting in plan]


def _choose(every: Sequence[Any], only: Sequence[str]) -> list[Any]:
    """The settings to run."""
    if tuple(only) == ("all",):
        return list(every)
    words = [setting.word for setting in every]
    for word in only:
        if word not in words:
            raise InputError(f"--only: {word!r} is none of {', '.join(words)}, or all.")
    return [setting for setting in every if setting.word in only]


def _path(out: Path, run: str) -> Path:
    return out / "runs" / f"{run}.json"


def _finish(out: Path, experiment: Experiment, setting: Any, seed: int) -> bool:
    """Do a run that is not there yet; False where it was."""
    path = _path(out, f"{setting.word}-{seed}")
    if path.exists():
        return False
    try:
        record, kept = experiment.run(setting, seed)
    except Diverged as failure:
        # The experiment counts it and goes on.
        record, kept = {"seed": seed, "diverged": str(failure)}, {}
    if kept and seed == 0:
        write_arrays(path.with_suffix(".npz"), **kept)
    about = {"setting": dataclasses.asdict(setting), "backend": jax.default_backend()}
    write_json(path, record | about)
    return True


def _summarise(experiment: Experiment, record: Record) -> str:
    if "diverged" in record:
        return f"diverged. {record['diverged']}"
    return experiment.summarise(record)


def _collect(out: Path, settings: Sequence[Any]) -> Runs:
    """All finished runs in the folder, by setting and seed; settings without any are left out."""
    found = {}
    for setting in settings:
        # Words may begin alike: what stands before the last hyphen is the whole word.
        paths = (out / "runs").glob(f"{setting.word}-*.json")
        mine = [path for path in paths if path.stem.rpartition("-")[0] == setting.word]
        records = [_read(path, setting) for path in mine]
        if records:
            found[setting] = sorted(records, key=lambda record: record["seed"])
    return found


def _read(path: Path, setting: Any) -> dict[str, Any]:
    """The record of a run. Raises InputError where it was made with other settings."""
    record = read_json(path)
    if record["setting"] != dataclasses.asdict(setting):
        raise InputError(
            f"{path} was made with other settings than {setting.word} has now: remove it, and the "
            "same command runs it again."
        )
    return record
