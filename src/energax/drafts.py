"""Folders that are complete or not there at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from energax.errors import InputError
from energax.files import name_failures, sync

LOCK = ".lock"
"""The file in a folder that the operating system locks; it frees it when a process dies."""


@contextlib.contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A draft folder that becomes `path` when the block ends well, and else is removed.

    Another process may make `path` meanwhile: each has a draft of its own, and the first wins.
    Drafts beside it that a killed process left are removed. Raises InputError where `path` exists.
    """
    taken = InputError(f"{path} exists already: choose another name.")
    if path.exists():
        raise taken
    remove_stale(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with name_failures(path, draft):
            draft.mkdir(parents=True)
            # It waits: another process may take this draft for a stale one just before.
            with FileLock(draft / LOCK, timeout=10):
                yield draft
                sync(draft)
                try:
                    draft.rename(path)
                except OSError as failure:
                    raise taken if path.exists() else failure from failure
                (path / LOCK).unlink()
            sync(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove_stale(folder: Path) -> None:
    """Remove the draft folders in a folder whose process is dead: nobody holds their lock."""
    for lock in folder.glob(f".*.draft/{LOCK}"):
        # What another user left, or a process holds, stays.
        with contextlib.suppress(Timeout, OSError), FileLock(lock, blocking=False):
            shutil.rmtree(lock.parent)
