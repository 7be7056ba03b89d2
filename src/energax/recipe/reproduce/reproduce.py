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
from energax.recipe.reproduce import dual, teach
from energax.recipe.reproduce.chapter import Chapter, Record, Runs
from energax.recipe.settings import check_seed

CHAPTERS = {name: each for each in (dual.CHAPTER, teach.CHAPTER) for name in each.plans}
"""By the name of an experiment."""


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Repeat a published experiment, several seeds of each setting, beside the published numbers.

    The same command goes on where it was stopped, and with more seeds it adds them. Writes
    table.md, results.json and pictures; of dual-..., curves.csv too.
    """

    name: Annotated[str, tyro.conf.Positional]
    """dual-3d, dual-15d, dual-scales, dual-lazy, teaching-mnist or teaching-outliers."""
    seeds: int = 5
    """Runs of each setting: seeds 0, 1, ..., each with weights and noise of its own."""
    out: Annotated[Path | None, otherwise("reproduced/NAME")] = None
    """Folder of the experiment."""
    steps: Annotated[int | None, otherwise("as published")] = None
    """Updates of every run."""
    rows: Annotated[int | None, otherwise("as published")] = None
    """Training rows of every run: fewer make a smaller experiment."""
    only: tuple[str, ...] = ("all",)
    """Words of settings, as files in the folder's `runs` begin; all: each one."""

    def __call__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"--seeds must be at least 1; got {self.seeds}.")
        check_seed(self.seeds - 1)
        chapter, settings = self._chapter(), self._settings()
        out = self.out or Path("reproduced") / self.name
        claim(out, "experiment", {"name": self.name, "steps": self.steps, "rows": self.rows})
        # Seeds outermost: an experiment that is stopped has all settings at some seeds.
        plan = [(setting, seed) for seed in range(self.seeds) for setting in settings]
        for count, (setting, seed) in enumerate(plan, 1):
            began = time.perf_counter()
            if _finished(out, chapter, setting, seed):
                record = read_json(_path(out, setting, seed))
                print(
                    f"[{count}/{len(plan)}] {setting.word}, seed {seed}: {_told(chapter, record)} "
                    f"{time.perf_counter() - began:.0f} s",
                    flush=True,
                )
        for path in chapter.write(out, self.name, _gathered(out, self._all())):
            print(path)

    def _chapter(self) -> Chapter:
        if self.name not in CHAPTERS:
            raise InputError(
                f"{self.name!r} is no experiment: choose one of {', '.join(CHAPTERS)}."
            )
        return CHAPTERS[self.name]

    def _all(self) -> list[Any]:
        """Every setting of the experiment, in the size that was asked for."""
        for option in ("steps", "rows"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise InputError(f"--{option} must be at least 1; got {value}.")
        changes = {"steps": self.steps, "rows": self.rows}
        told = {option: value for option, value in changes.items() if value is not None}
        every = self._chapter().plans[self.name]
        return [dataclasses.replace(setting, **told) for setting in every]

    def _settings(self) -> list[Any]:
        """Those to run."""
        every = self._all()
        if self.only == ("all",):
            return every
        words = [setting.word for setting in every]
        for word in self.only:
            if word not in words:
                raise InputError(f"--only: {word!r} is none of {', '.join(words)}, or all.")
        return [setting for setting in every if setting.word in self.only]


def _path(out: Path, setting: Any, seed: int) -> Path:
    return out / "runs" / f"{setting.word}-{seed}.json"


def _finished(out: Path, chapter: Chapter, setting: Any, seed: int) -> bool:
    """Carry out a run that is not there yet; False where it was."""
    path = _path(out, setting, seed)
    if path.exists():
        return False
    try:
        record, kept = chapter.carried_out(setting, seed)
    except Diverged as failure:
        # The experiment counts it and goes on.
        record, kept = {"seed": seed, "diverged": str(failure)}, {}
    if kept and seed == 0:
        write_arrays(path.with_suffix(".npz"), **kept)
    about = {"setting": dataclasses.asdict(setting), "backend": jax.default_backend()}
    write_json(path, record | about)
    return True


def _told(chapter: Chapter, record: Record) -> str:
    return f"diverged. {record['diverged']}" if "diverged" in record else chapter.told(record)


def _gathered(out: Path, settings: list[Any]) -> Runs:
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


def _checked(path: Path, setting: Any) -> dict[str, Any]:
    """The record of a run. Raises InputError where it was made with other settings."""
    record = read_json(path)
    if record["setting"] != dataclasses.asdict(setting):
        raise InputError(
            f"{path} was made with other settings than {setting.word} has now: remove it, and the "
            "same command runs it again."
        )
    return record
