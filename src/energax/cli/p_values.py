"""P-values of rows, with reasons, as a file."""

from pathlib import Path

import numpy as np
import polars as pl

from energax.files import guard, write_text
from energax.report import DetectionResults

REASONS = 3
"""Columns that are named for a row."""


def write_p_values(path: Path, found: DetectionResults) -> None:
    """A line for each new row: score, p-value, what follows, and the columns that count most.

    `because_1` is the column with the largest excess, `excess_1` what it adds to the energy, and
    `usual_1` the value at which it would not. Rows without reasons have empty cells there.
    """
    size = len(found.scores)
    table = {
        "row": np.arange(1, size + 1),
        "score": found.scores,
        "p_value": found.p_values,
        "outlier": found.outliers,
        "discovery": found.rejected,
    }
    names = np.array([guard(name) for name in found.columns], object)
    order = np.argsort(-found.excess, axis=1, kind="stable")[:, :REASONS]
    each = np.arange(len(order))
    for place in range(order.shape[1]):
        top = order[:, place]
        counts = found.excess[each, top] > 0
        parts = {
            "because": names[top],
            "excess": found.excess[each, top],
            "usual": found.usual[each, top],
        }
        for name, values in parts.items():
            cells = np.full(size, None, object)
            cells[found.worst[counts]] = values[counts]
            dtype = pl.String if name == "because" else pl.Float64
            table[f"{name}_{place + 1}"] = pl.Series(cells.tolist(), dtype=dtype)
    write_text(path, pl.DataFrame(table).write_csv())
