"""The folder of a run: what lies where."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from energax import data, model
from energax.data import Dataset, Schema
from energax.errors import InputError
from energax.files import read_json
from energax.method import AbstractMethod, Groundwork
from energax.model import Model, saving


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
        return str(read_json(path).get("why")) if path.exists() else None

    def config(self) -> dict[str, Any]:
        """Everything that repeats the run. Raises InputError where the folder is not a run."""
        return saving.read_config(self.path)

    def method(self) -> AbstractMethod:
        """The method, with every option as it was when the run was created."""
        return saving.read_method(self.path)

    def schema(self) -> Schema:
        """Shape, levels and columns of its rows."""
        return saving.read_schema(self.path)

    def groundwork(self, rows: int) -> Groundwork:
        """The transform and the base, as fitted when the run was created."""
        return saving.read_groundwork(self.path, rows)

    def model(self) -> Model:
        """The trained model. Raises InputError where training has not finished."""
        return model.load(self.path)

    def evaluation(self) -> dict[str, Any]:
        """The record of its evaluation. Raises InputError where there is none."""
        self.config()
        if not self.evaluated:
            raise InputError(
                f"{self.path} is not evaluated: run `{shell_command('evaluate', self)}`."
            )
        return read_json(self["evaluation.json"])

    def dataset(self) -> Dataset:
        """The rows it was trained on. Raises InputError where they are no longer the same."""
        about = saving.read_entry(self.path, "data")
        try:
            source, share = str(about["source"]), float(about["test_fraction"])
        except (KeyError, TypeError, ValueError) as reason:
            raise InputError(f"{self[saving.CONFIG]} is damaged: its data are unknown.") from reason
        found = data.load(source, test_fraction=share)
        known = self.schema().digest
        if found.digest != known:
            raise InputError(
                f"{source} has changed since {self.path} was trained (digest "
                f"{found.digest[:12]}, was {str(known)[:12]}): put the old rows back."
            )
        return found


def shell_command(command: str, folder: Folder) -> str:
    """The command line by which a shell does `command` (evaluate, train --resume) to a run."""
    return f"energax {command} {shlex.quote(str(folder.path))}"


def check_new(path: Path) -> None:
    """Raise InputError for the path of a new run that is taken."""
    if path.exists():
        folder = Folder(path)
        known = folder[saving.CONFIG].exists() and not folder.finished
        resume = f", or --resume {path}" if known else ""
        raise InputError(f"{path} exists already: choose another --out{resume}.")
