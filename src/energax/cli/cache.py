"""Compiled programs that are kept on disk between commands."""

import os
from collections.abc import Sequence
from pathlib import Path

import platformdirs

FLAG = "--no-cache"
"""The word, anywhere on a command line, that keeps no programs."""

VARIABLE = "JAX_COMPILATION_CACHE_DIR"
"""What JAX reads; a user's own value wins."""


def keep_programs(words: Sequence[str]) -> list[str]:
    """Let JAX keep its compiled programs from now on; the words without `--no-cache`.

    Must come before JAX is imported. Says where they are kept when the folder is made.
    """
    rest = [word for word in words if word != FLAG]
    if len(rest) < len(words) or VARIABLE in os.environ:
        return rest
    folder = Path(platformdirs.user_cache_dir("energax")) / "compiled"
    if not folder.exists():
        try:
            folder.mkdir(parents=True)
        except OSError:
            # Without a place for them nothing is lost but time.
            return rest
        print(f"Compiled programs are kept in {folder} from now on; {FLAG} keeps none.")
    os.environ[VARIABLE] = str(folder)
    # Many small programs make up much of a short run: all of them are kept.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(2**30))
    return rest
