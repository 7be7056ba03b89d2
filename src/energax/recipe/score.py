"""Energy and log-density of rows in the user's units."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import polars as pl
import tyro
from jaxtyping import Float, Shaped

from energax import data
from energax.energy import Energy
from energax.errors import InputError
from energax.recipe import build
from energax.recipe.folder import Folder, Model, load, read_json, whole

DEQUANTISATIONS = 16
"""NonTrainable draws of the dequantisation noise over which a score of whole numbers is
averaged."""


@dataclasses.dataclass(frozen=True)
class Score:
    """Write the energy and, where log Z is certified, the log-density of each row of a file."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run."""
    rows: Annotated[Path, tyro.conf.Positional]
    """File with the columns of the training data: .csv, .parquet, .npy, ..."""
    out: Path
    """Where the scores go: .csv, .parquet or .npy, columns `energy` and `log_density` (nats)."""

    def __call__(self) -> None:
        check_out(self.out, tuple(WRITERS))
        model, log_z = load(self.run), certified_log_z(self.run)
        rows = rows_for(Folder(self.run), self.rows)
        copies, log_dets = scored(model, model.energy, rows)
        energies = copies.mean(axis=0)
        values = None if log_z is None else (log_dets - copies).mean(axis=0) - log_z
        with whole(self.out) as draft:
            WRITERS[self.out.suffix](draft, energies, values)
        missing = "" if log_z is not None else "; log_density is empty, for log Z is not certified"
        print(f"Scored {len(energies)} rows into {self.out}{missing}.")


def rows_for(folder: Folder, path: Path) -> Shaped[np.ndarray, " size *shape"]:
    """The rows of a file, in the user's units, for a run of `folder` to take.

    Raises InputError where they are not of the kind that it was trained on.
    """
    return fitting(folder, data.read_rows(path))


def fitting(folder: Folder, table: data.Table) -> Shaped[np.ndarray, " size *shape"]:
    """The rows of a table for a run of `folder` to take. Raises InputError as `rows_for`."""
    told = folder.config()["data"]
    return data.check_rows(
        table,
        tuple(told["shape"]),
        columns=None if told["columns"] is None else tuple(told["columns"]),
        levels=told["levels"],
    )


def scored(
    model: Model,
    energy: Energy,
    rows: Shaped[np.ndarray, " size *shape"],
    copies: int = DEQUANTISATIONS,
) -> tuple[Float[np.ndarray, " copies size"], Float[np.ndarray, " copies size"]]:
    """Energy of each row and log|dy/dx|, nats; a line for each of `copies` fixed dequantisations,
    one line where the data are real numbers.

    The second less the first is a log-density in the user's units, up to log Z. `energy` is of
    rows in model units.
    """
    copies = 1 if model.levels is None else copies
    of_rows = jax.jit(jax.vmap(energy))
    found = []
    for copy in range(copies):
        key = jax.random.fold_in(jax.random.key(0), copy)
        y, log_det = build.encoded(model.transform, rows, key=key)
        found.append((np.asarray(of_rows(y)), np.asarray(log_det)))
    energies, log_dets = (np.stack(part) for part in zip(*found, strict=True))
    return energies, log_dets


def certified_log_z(run: Path) -> float | None:
    """log Z of a run's evaluation; None where it was not certified.

    Raises InputError where the run was not evaluated.
    """
    path = Folder(run)["evaluation.json"]
    if not path.exists():
        raise InputError(f"{run} has no evaluation.json: run `energax evaluate {run}` first.")
    found = read_json(path)
    try:
        return found["log_z"]["value"] if found["test_log_likelihood"]["certified"] else None
    except (KeyError, TypeError) as reason:
        raise InputError(
            f"{path} is damaged or of another version ({reason}): run `energax evaluate {run}`."
        ) from reason


def check_out(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise InputError, before any work, for a target that exists or has an unknown ending."""
    if out.suffix not in suffixes:
        raise InputError(f"--out {out} must end in {' or '.join(suffixes)}.")
    if out.exists():
        raise InputError(f"--out {out} exists already: choose another name.")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist.")


def _frame(energies: np.ndarray, values: np.ndarray | None) -> pl.DataFrame:
    empty = pl.Series([None] * len(energies), dtype=pl.Float32)
    return pl.DataFrame({"energy": energies, "log_density": empty if values is None else values})


# Files are made in memory: libraries that write by themselves hide the reason of a full disk.
def _write_npy(path: Path, energies: np.ndarray, values: np.ndarray | None) -> None:
    empty = np.full_like(energies, np.nan)
    content = io.BytesIO()
    np.save(content, np.stack([energies, empty if values is None else values], axis=1))
    path.write_bytes(content.getvalue())


def _write_parquet(path: Path, energies: np.ndarray, values: np.ndarray | None) -> None:
    content = io.BytesIO()
    _frame(energies, values).write_parquet(content)
    path.write_bytes(content.getvalue())


WRITERS: dict[str, Callable[[Path, np.ndarray, np.ndarray | None], object]] = {
    ".csv": lambda path, energies, values: path.write_text(_frame(energies, values).write_csv()),
    ".parquet": _write_parquet,
    ".npy": _write_npy,
}
