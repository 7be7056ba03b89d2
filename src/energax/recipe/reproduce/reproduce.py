"""A published experiment again: several seeds, ours beside the published numbers."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from energax.errors import Diverged, InputError
from energax.recipe.folder import claim, read_json, write_arrays, write_json
from energax.recipe.option import otherwise
from energax.recipe.reproduce.experiment import MEASURES, carried_out
from energax.recipe.reproduce.plan import PLANS, Setting
from energax.recipe.reproduce.show import write
from energax.recipe.settings import check_seed


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Repeat a published experiment, several seeds of each setting, beside the published numbers.

    The same command goes on where it was stopped, and with more seeds it adds them. Writes
    table.md, curves.csv, results.json and figure.png; on the 2-sphere, sphere.png too.
    """

    name: Annotated[str, tyro.conf.Positional]
    """dual-3d, dual-15d, dual-scales or dual-lazy."""
    seeds: int = 5
    """Runs of each setting: seeds 0, 1, ..., each with rows, neurons and noise of its own."""
    out: Annotated[Path | None, otherwise("reproduced/NAME")] = None
    """Folder of the experiment."""
    steps: Annotated[int | None, otherwise("as published")] = None
    """Iterations of every run."""
    rows: Annotated[int | None, otherwise("as published")] = None
    """Rows of every run: fewer make a smaller experiment."""
    only: tuple[str, ...] = ("all",)
    """Words of settings, as the first column of curves.csv has them; all: each one."""

    def __call__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"--seeds must be at least 1; got {self.seeds}.")
        check_seed(self.seeds - 1)
        settings = self._settings()
        out = self.out or Path("reproduced") / self.name
        claim(out, "experiment", {"name": self.name, "steps": self.steps, "rows": self.rows})
        # Seeds outermost: an experiment that is stopped has all settings at some seeds.
        plan = [(setting, seed) for seed in range(self.seeds) for setting in settings]
        for count, (setting, seed) in enumerate(plan, 1):
            began = time.perf_counter()
            if _finished(out, setting, seed):
                record = read_json(_path(out, setting, seed))
                print(
                    f"[{count}/{len(plan)}] {setting.word}, seed {seed}: {_told(record)} "
                    f"{time.perf_counter() - began:.0f} s",
                    flush=True,
                )
        for path in write(out, self.name, _gathered(out, self._all())):
            print(path)

    def _all(self) -> list[Setting]:
        """Every setting of the experiment, in the size that was asked for."""
        if self.name not in PLANS:
            raise InputError(f"{self.name!r} is no experiment: choose one of {', '.join(PLANS)}.")
        for option in ("steps", "rows"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise InputError(f"--{option} must be at least 1; got {value}.")
        changes = {"steps": self.steps, "rows": self.rows}
        told = {option: value for option, value in changes.items() if value is not None}
        return [dataclasses.replace(setting, **told) for setting in PLANS[self.name]]

    def _settings(self) -> list[Setting]:
        """Those to run."""
        every = self._all()
        if self.only == ("all",):
            return every
        words = [setting.word for setting in every]
        for word in self.only:
            if word not in words:
                raise InputError(f"--only: {word!r} is none of {', '.join(words)}, or all.")
        return [setting for setting in every if setting.word in self.only]


def _path(out: Path, setting: Setting, seed: int) -> Path:
    return out / "runs" / f"{setting.word}-{seed}.json"


def _finished(out: Path, setting: Setting, seed: int) -> bool:
    """Carry out a run that is not there yet; False where it was."""
    path = _path(out, setting, seed)
    if path.exists():
        return False
    try:
        record, kept = carried_out(setting, seed)
    except Diverged as failure:
        # The experiment counts it and goes on.
        record, kept = {"seed": seed, "diverged": str(failure)}, {}
    if kept and seed == 0:
        write_arrays(path.with_suffix(".npz"), **kept)
    about = {"setting": dataclasses.asdict(setting), "backend": jax.default_backend()}
    write_json(path, record | about)
    return True


def _told(record: dict[str, Any]) -> str:
    if "diverged" in record:
        return f"diverged. {record['diverged']}"
    ends = ", ".join(f"{name} {record[name][-1]:.4g}" for name in MEASURES)
    return f"iteration {record['iteration'][-1]}: {ends}."


def _gathered(out: Path, settings: list[Setting]) -> dict[Setting, list[dict[str, Any]]]:
    """All finished runs in the folder, by setting and seed; settings without any are left out."""
    found = {}
    for setting in settings:
        # Words may begin alike: what stands before the last hyphen is the whole word.
        paths = (out / "runs").glob(f"{setting.word}-*.json")
        mine = [path for path in paths if path.stem.rpartition("-")[0] == setting.word]
        records = [_checked(path, setting) for path in mine]
        if records:
            found[setting] = sorted(records, key=lambda record: record["seed"])
    return found


def _checked(path: Path, setting: Setting) -> dict[str, Any]:
    """The record of a run. Raises InputError where it was made with other settings."""
    record = read_json(path)
    if record["setting"] != dataclasses.asdict(setting):
        raise InputError(
            f"{path} was made with other settings than {setting.word} has now: remove it, and the "
            "same command runs it again."
        )
    return record
