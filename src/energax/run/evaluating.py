"""The measurement of a finished run, written beside it."""

import io
from typing import Any

import jax
import numpy as np

from energax import model
from energax.content import write_sealed
from energax.data import Dataset
from energax.errors import InputError
from energax.evaluate import LogZ, ladder_log_z
from energax.files import hash_file, write_bytes
from energax.learner import KeepBest
from energax.method.mass.chains import Ladder
from energax.model import Measured, Model, config, fitting, saving
from energax.model.learning import judge_learning, record_end
from energax.model.mass import is_summable
from energax.model.record import SAMPLES
from energax.progress import stage
from energax.run.folder import Folder, shell_command
from energax.run.hold import hold_run
from energax.train import Checkpoints, Log

WITNESSES = 256
"""Rows to choose by whose chains are compared with those of a ladder."""


def evaluate(
    folder: Folder,
    rows: Dataset | None = None,
    *,
    particles: int = 512,
    level: float = 0.95,
    seed: int = 0,
    baselines: bool = True,
) -> Measured:
    """Measure a run; write evaluation.json, log_z.json and samples.npz.

    `rows`: its data set, where it is at hand. `baselines` False: only the base is compared with.
    Raises InputError for an unfinished run, options out of range, or where another process works in
    the folder.
    """
    with hold_run(folder):
        trained = folder.model()
        known = folder.dataset() if rows is None else rows
        log_z = measure_by_ladder(folder, trained, known, level=level, seed=seed)
        found = model.measure(
            trained,
            known,
            particles=particles,
            level=level,
            seed=seed,
            compare=baselines,
            log_z=log_z,
        )
        lines = Log(folder["metrics.jsonl"]).read()
        found.record.update(judge_learning(found.record, lines) | record_end(lines))
        # Last to come and first to go: where it is, the others are of the same evaluation.
        folder["evaluation.json"].unlink(missing_ok=True)
        write_arrays(folder["samples.npz"], draws=found.samples, chains=found.chains)
        saving.write_log_z(folder[saving.LOG_Z], found.model.log_z)
        digest = hash_file(folder["samples.npz"])
        write_sealed(folder["evaluation.json"], found.record | {SAMPLES: digest})
    return found


def measure_by_ladder(
    folder: Folder, trained: Model, rows: Dataset, *, level: float, seed: int
) -> LogZ | None:
    """log Z by the ladder that trained a run; None for a run without one, or where a sum is exact.

    The chains go on from the last checkpoint; the energy is that of the model.
    """
    method = trained.method
    if not isinstance(method, Ladder) or is_summable(trained):
        return None
    with stage("climbing the ladder"):
        learner, run, _, _ = fitting.start_run(
            method, folder.groundwork(method.count_rows(rows)), rows
        )
        facts = config.list_facts(folder.path)
        state = Checkpoints(folder["checkpoints"], about=facts).restore(run).state
        inner: Any = learner
        if isinstance(learner, KeepBest):
            inner, state = learner.learner, state.inner
        part, valid = method.split(rows)
        some = (part if valid is None else valid).train[:WITNESSES]
        return ladder_log_z(
            inner, state, some, energy=trained.energy, level=level, key=jax.random.key(seed)
        )


def write_arrays(path: Any, **arrays: np.ndarray) -> None:
    """An .npz file."""
    # In memory first: NumPy hides the reason of a full disk.
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_bytes(path, content.getvalue())


def read_measured(folder: Folder, rows: Dataset) -> Measured:
    """What `evaluate` wrote. Raises InputError where a file is missing or damaged."""
    samples, chains = read_samples(folder)
    return Measured(folder.evaluation(), folder.model(), samples, chains, rows.test)


def read_samples(folder: Folder) -> tuple[np.ndarray, np.ndarray]:
    """Samples, and energies along chains, as `evaluate` wrote them.

    Raises InputError where they are missing, or are not those of the evaluation.
    """
    path, digest = folder["samples.npz"], folder.sealed_evaluation()[SAMPLES]
    if not path.exists() or hash_file(path) != digest:
        raise InputError(
            f"{path} is missing or damaged: run `{shell_command('evaluate', folder)}`."
        )
    with np.load(path, allow_pickle=False) as saved:
        return saved["draws"], saved["chains"]
