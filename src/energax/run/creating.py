"""The folder of a new run: its options, and all that is fitted before training."""

import contextlib
import itertools
import os
import platform
import shlex
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from energax import data, train
from energax.data import Dataset
from energax.drafts import draft_folder
from energax.errors import InputError
from energax.files import write_json
from energax.method import AbstractMethod, Groundwork, spell_method
from energax.model import config, fitting
from energax.options import differences, leaves
from energax.run.folder import Folder, check_new

PACKAGES = ("energax", "jax", "jaxlib", "equinox", "optax", "blackjax", "numpy", "scikit-learn")


def new_run(
    source: str,
    rows: Dataset,
    method: AbstractMethod,
    test_fraction: float,
    out: Path | None,
    reading: Sequence[str] = (),
) -> Folder:
    """The folder of a new run as a user asks for it; runs/DATA-METHOD-NUMBER where `out` is None.

    `reading`: words of the command that say how the file is read.

    Checks everything first. Raises InputError, and writes nothing, where something is wrong.
    """
    if out is not None:
        return create(out, source, test_fraction, rows, method, reading)
    about, ground = _prepare(source, test_fraction, rows, method, reading)
    while True:
        path = free_path(f"{rows.name}-{method.name}".replace(":", "-"))
        try:
            return _write(path, about, ground)
        except InputError:
            # Another process may take the number meanwhile: then the next one is free.
            if not path.exists():
                raise


def create(
    path: Path,
    source: str,
    test_fraction: float,
    rows: Dataset,
    method: AbstractMethod,
    reading: Sequence[str] = (),
) -> Folder:
    """The folder of a new run at a path.

    Raises InputError, and writes nothing, where the options do not suit the rows.
    """
    check_new(path)
    return _write(path, *_prepare(source, test_fraction, rows, method, reading))


def _prepare(
    source: str,
    test_fraction: float,
    rows: Dataset,
    method: AbstractMethod,
    reading: Sequence[str],
) -> tuple[dict[str, Any], Groundwork]:
    """The content of config.json, nothing left open, and what is fitted before training."""
    settled, ground = fitting.prepare(method, rows)
    about = describe(source, test_fraction, rows, method, reading)
    return about | config.describe(settled, rows.schema), ground


def _write(path: Path, about: dict[str, Any], ground: Groundwork) -> Folder:
    with draft_folder(path) as draft:
        write_json(draft / config.CONFIG, about)
        write_json(draft / config.TRANSFORM, data.to_json(ground.transform))
        train.write_weights(draft / config.BASE, {"base": ground.base})
    return Folder(path)


@contextlib.contextmanager
def remove_unstarted(folder: Folder) -> Iterator[None]:
    """Remove the folder of a new run where memory ends before the first line of its log.

    What diverges, is stopped by Ctrl-C or finds the disk full stays: it can be resumed.
    """
    try:
        yield
    except InputError:
        raise
    except Exception:
        if folder.diverged is None and not train.Log(folder["metrics.jsonl"]).read():
            shutil.rmtree(folder.path)
        raise


def free_path(stem: str) -> Path:
    """The first of runs/stem-1, runs/stem-2, ... that does not exist."""
    numbers = itertools.count(1)
    return next(p for n in numbers if not (p := Path("runs") / f"{stem}-{n}").exists())


def reproducing_command(
    source: str,
    method: AbstractMethod,
    rows: Dataset,
    test_fraction: float,
    reading: Sequence[str] = (),
) -> str:
    """A command line that repeats the run: the method, and what differs from its preset."""
    words = ["energax", "train", source, *reading, "--method", spell_method(type(method))]
    preset = type(method).preset_for(rows)
    flags = {leaf.key: leaf.flag for leaf in leaves(method)}
    for key, value in differences(method, preset).items():
        words += spell_option(flags[key], value)
    if test_fraction != TEST_FRACTION:
        words += ["--test-fraction", str(test_fraction)]
    return shlex.join(words)


TEST_FRACTION = 0.2
"""Share of a file's rows that is kept for the test, where nothing else is said."""


def spell_option(flag: str, value: Any) -> list[str]:
    """The words of one option on a command line."""
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    return [flag, "none" if value is None else str(value)]


def describe(
    source: str,
    test_fraction: float,
    rows: Dataset,
    method: AbstractMethod,
    reading: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of config.json: everything needed to repeat the run."""
    return config.describe(method, rows.schema) | {
        "command": reproducing_command(source, method, rows, test_fraction, reading),
        "data": {
            "source": source if source in data.NAMES else str(Path(source).resolve()),
            "test_fraction": test_fraction,
            "train": len(rows.train),
            "test": len(rows.test),
        },
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "machine": {"backend": jax.default_backend(), "cores": os.cpu_count()},
    }
