"""Where the real image files are, and the mark of tests that want them."""

import os
from pathlib import Path

import pytest

REAL_FILES = Path(os.environ.get("ENERGAX_DATA", "nowhere"))
needs_files = pytest.mark.skipif(
    not (REAL_FILES / "mnist").is_dir(), reason="ENERGAX_DATA names no folder with mnist/"
)
