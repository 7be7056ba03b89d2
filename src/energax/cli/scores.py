"""Scores of rows as a file."""

import io
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from energax.files import guard, write_bytes

Each = Float[np.ndarray, " size"]


def write_scores(
    path: Path,
    energies: Each,
    log_densities: Each | None,
    unusual: tuple[list[str], Each] | None = None,
) -> None:
    """Columns `energy` and `log_density`, nats; the second empty, in .npy NaN, for None.

    `unusual`: of each row the column that is the least expected, and by how many nats.
    """
    frame = _frame(energies, log_densities)
    if unusual is not None:
        names = [guard(name) for name in unusual[0]]
        frame = frame.with_columns(pl.Series("unusual", names), pl.Series("excess", unusual[1]))
    # In memory first: libraries that write by themselves hide the reason of a full disk.
    content = io.BytesIO()
    match path.suffix:
        case ".csv":
            frame.write_csv(content)
        case ".parquet":
            frame.write_parquet(content)
        case _:
            empty = np.full_like(energies, np.nan)
            both = [energies, empty if log_densities is None else log_densities]
            np.save(content, np.stack(both, axis=1))
    write_bytes(path, content.getvalue())


def _frame(energies: Each, log_densities: Each | None) -> pl.DataFrame:
    empty = pl.Series([None] * len(energies), dtype=pl.Float32)
    return pl.DataFrame(
        {"energy": energies, "log_density": empty if log_densities is None else log_densities}
    )
