"""How an option of a command says what it is when it is not given."""

from typing import Any

import tyro


def otherwise(words: str) -> Any:
    """Said by --help of an option that, not given, takes what suits the data."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {words})")
