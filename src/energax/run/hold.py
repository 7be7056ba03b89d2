"""A folder that one process at a time works in."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from energax.drafts import LOCK
from energax.errors import InputError
from energax.run.folder import Folder


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep other processes from working in a folder until the block ends.

    Within the block, the same process may hold it again. Raises InputError where another has it.
    """
    lock = FileLock(path.resolve() / LOCK, blocking=False, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as reason:
        raise InputError(
            f"{path} is in use by another energax command: wait until it has ended, or stop it."
        ) from reason
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def hold_run(folder: Folder) -> Iterator[None]:
    """The same for a run. Raises InputError where the folder is no run, too."""
    folder.config()
    with hold(folder.path):
        yield
