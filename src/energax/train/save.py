"""Checkpoints of a run, and weights alone."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import PyTree

from energax.errors import InputError
from energax.files import sync
from energax.train.arrays import About, check_numbers, fill_arrays, read_arrays, write_arrays
from energax.train.loop import Run

SUFFIX = ".safetensors"

REMEDY = "delete it to go on from the one before it"
"""What to do about a damaged checkpoint."""


class Checkpoints:
    """The newest `keep` checkpoints of a run in one folder; each is complete or absent.

    Args:
        folder: Where they are, as STEP.safetensors; what else lies there is left alone.
        keep: How many.
        about: What the run is, such as its options: kept with each checkpoint, and compared with
            it when it is restored.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(ex.train.Checkpoints(pathlib.Path(folder), keep=2).newest())
        None
    """

    def __init__(self, folder: Path, keep: int = 2, about: About | None = None):
        self._folder = folder
        self._keep = keep
        self._about = about

    def _path(self, step: int) -> Path:
        return self._folder / f"{step}{SUFFIX}"

    def _list_steps(self) -> list[int]:
        """The updates at each checkpoint, in their order."""
        names = [path.stem for path in self._folder.glob(f"*{SUFFIX}") if path.is_file()]
        return sorted(int(name) for name in names if re.fullmatch("0|[1-9][0-9]*", name))

    def newest(self) -> int | None:
        """The number of updates at the newest checkpoint; None where there is none."""
        return max(self._list_steps(), default=None)

    def save(self, run: Run) -> None:
        """Write the run with a digest of its bytes, unless it is the newest already."""
        step = int(run.step)
        if self.newest() == step:
            return
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            sync(self._folder.parent)
        write_arrays(self._path(step), run, self._about)
        for old in self._list_steps()[: -self._keep]:
            self._path(old).unlink()

    def check(self) -> None:
        """Raise InputError where the newest checkpoint is damaged or of another run."""
        if (step := self.newest()) is not None:
            self._read(step)

    def restore(self, like: Run) -> Run:
        """The newest checkpoint, in the structure of `like`.

        Raises InputError where there is none, or where it is damaged or of another run.
        """
        step = self.newest()
        if step is None:
            raise InputError(f"{self._folder} holds no checkpoint to resume from: train it again.")
        path = self._path(step)
        run = fill_arrays(like, self._read(step), source=str(path))
        if int(run.step) != step:
            raise InputError(f"{path} is of update {int(run.step)}: {REMEDY}.")
        return run

    def _read(self, step: int) -> dict[str, np.ndarray]:
        return read_arrays(self._path(step), self._about, REMEDY)


def write_weights(path: Path, parts: dict[str, PyTree], about: About | None = None) -> None:
    """Write the arrays of named parts to a safetensors file, under `part.path`.

    Args:
        path: The file.
        parts: Trees by name.
        about: What the model is, such as its options: kept with the arrays.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.safetensors"
        ...     ex.train.write_weights(path, {"energy": ex.energy.Gaussian(jnp.zeros(2))})
    """
    write_arrays(path, parts, about)


def read_weights(
    path: Path, like: dict[str, PyTree], about: About | None = None
) -> dict[str, PyTree]:
    """Read the parts written by `write_weights`, in the structure of `like`.

    Args:
        path: The file.
        like: Trees of the same names and shapes.
        about: What the model should be: compared with what was kept. None: not compared.

    Raises:
        InputError: where the file is missing, damaged, of another model, or holds a number that is
            not finite.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.safetensors"
        ...     ex.train.write_weights(path, {"energy": jnp.ones(2)})
        ...     print(ex.train.read_weights(path, {"energy": jnp.zeros(2)})["energy"])
        [1. 1.]
    """
    arrays = read_arrays(path, about)
    check_numbers(path, arrays)
    return fill_arrays(like, arrays, source=str(path))


def list_parts(path: Path) -> frozenset[str]:
    """The names of the parts in a file of `write_weights`: those that contain an array.

    Raises:
        InputError: where the file is missing or damaged.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.safetensors"
        ...     ex.train.write_weights(path, {"energy": jnp.ones(2), "empty": None})
        ...     print(ex.train.list_parts(path))
        frozenset({'energy'})
    """
    return frozenset(name.partition(".")[0] for name in read_arrays(path))
