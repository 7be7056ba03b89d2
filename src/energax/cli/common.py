"""What several commands say in the same words."""

from typing import Any

from energax.errors import InputError
from energax.options import SEED, option

ROWS = (".png", ".npz", ".csv")
"""Endings of files that hold rows."""


def run_option() -> Any:
    """The folder of a trained run."""
    return option("Folder of a trained run.", positional=True)


def rows_option() -> Any:
    """A file of rows."""
    return option(
        "File with the columns of the training data: .csv, .parquet, .npy, ...", positional=True
    )


def seed_option(text: str) -> Any:
    """A seed."""
    return option(text, SEED, default=0)


def steps_option() -> Any:
    """Steps of the chains on z."""
    return option(
        "Langevin steps on z from the encoder's mean, or from N(0, I) without an encoder; 0: none.",
        default=None,
        unset="as in training; 0 after a variational encoder",
    )


def check_at_least(flag: str, value: int | None, least: int) -> None:
    """Raise InputError for a number below the least."""
    if value is not None and value < least:
        raise InputError(f"{flag} must be at least {least}; got {value}.")
