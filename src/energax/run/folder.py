"""The folder of a run: what lies where."""

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

from energax import data, model
from energax.content import TEXT, read_content, read_sealed
from energax.data import Dataset, Schema
from energax.errors import InputError
from energax.method import AbstractMethod, Groundwork
from energax.model import Model, config, saving
from energax.model.record import EVALUATION, SAMPLES


@dataclasses.dataclass(frozen=True)
class Folder:
    """Paths of one run, and what its files say."""

    path: Path

    def __getitem__(self, name: str) -> Path:
        return self.path / name

    @property
    def finished(self) -> bool:
        """Has it been trained to the end?"""
        return self[saving.WEIGHTS].exists()

    @property
    def evaluated(self) -> bool:
        """Has it been measured?"""
        return self["evaluation.json"].exists()

    @property
    def diverged(self) -> str | None:
        """Why training failed; None where it did not."""
        path = self["diverged.json"]
        return read_content(path, {"why": TEXT})["why"] if path.exists() else None

    def config(self) -> dict[str, Any]:
        """Everything that repeats the run. Raises InputError where the folder is not a run."""
        return config.read_config(self.path)

    def method(self) -> AbstractMethod:
        """The method, with every option as it was when the run was created."""
        return config.read_method(self.path)

    def schema(self) -> Schema:
        """Shape, levels and columns of its rows."""
        return config.read_schema(self.path)

    def groundwork(self, rows: int) -> Groundwork:
        """The transform and the base, as fitted when the run was created."""
        return saving.read_groundwork(self.path, rows)

    def model(self) -> Model:
        """The trained model. Raises InputError where training has not finished."""
        return model.load(self.path)

    def evaluation(self) -> dict[str, Any]:
        """The record of its evaluation. Raises InputError where there is none."""
        return {name: part for name, part in self.sealed_evaluation().items() if name != SAMPLES}

    def sealed_evaluation(self) -> dict[str, Any]:
        """The same, with the digest of its samples."""
        self.config()
        if not self.evaluated:
            raise InputError(
                f"{self.path} is not evaluated: run `{shell_command('evaluate', self)}`."
            )
        remedy = f"run `{shell_command('evaluate', self)}`"
        return read_sealed(self["evaluation.json"], EVALUATION, remedy)

    def dataset(self) -> Dataset:
        """The rows it was trained on. Raises InputError where they are no longer the same."""
        about = config.read_entry(self.path, "data")
        source = about["source"]
        known = self.schema()
        found = data.load(
            source,
            test_fraction=about["test_fraction"],
            states=known.states,
            letters=known.letters,
            kinds=known.kinds,
        )
        if found.digest != known.digest:
            raise InputError(
                f"{source} has changed since {self.path} was trained (digest "
                f"{found.digest[:12]}, was {known.digest[:12]}): put the old rows, and the old "
                f"{config.CONFIG}, back."
            )
        counts = {"train": len(found.train), "test": len(found.test)}
        held = known.to_dict() | {name: about[name] for name in counts}
        for name, value in (found.schema.to_dict() | counts).items():
            place, written = "data" if name in counts else "schema", held[name]
            if written != value:
                raise InputError(
                    f"{self[config.CONFIG]} does not fit {source}: {place}.{name} is "
                    f"{json.dumps(written)}, and {json.dumps(value)} in the data; put it right."
                )
        return found


def shell_command(command: str, folder: Folder) -> str:
    """The command line by which a shell does `command` (evaluate, train --resume) to a run."""
    return f"energax {command} {shlex.quote(str(folder.path))}"


def check_new(path: Path) -> None:
    """Raise InputError for the path of a new run that is taken."""
    if path.exists():
        folder = Folder(path)
        known = folder[config.CONFIG].exists() and not folder.finished
        resume = f", or --resume {path}" if known else ""
        raise InputError(f"{path} exists already: choose another --out{resume}.")
