"""Where the real data files are, and the marks of tests that want them."""

import os
from pathlib import Path

import pytest

REAL_FILES = Path(os.environ.get("ENERGAX_DATA", "nowhere"))


def needs(folder):
    """The mark of a test that reads real files of a folder."""
    absent = not (REAL_FILES / folder).is_dir()
    return pytest.mark.skipif(absent, reason=f"ENERGAX_DATA names no folder with {folder}/")


needs_files = needs("mnist")
