"""Six tables of mixed columns: each column of test rows predicted from the others by one energy.

Beside it the marginal, a linear model and (of numbers) gradient boosting for each column alone.
Means over columns: log p (nats) and accuracy of categories, R2 of numbers. With --inner a fifth of
the training rows takes the place of the test rows: by it options are chosen.

    uv run python benchmarks/mixed.py --tables penguins titanic --seeds 5
"""

import argparse
import json
import os
import time
from pathlib import Path

import jax
import numpy as np

import energax as ex
from energax.data import Dataset
from energax.errors import InputError

KINDS = {"categorical": "category", "continuous": "number", "integer": "integer"}
"""What the description of the tables calls the kinds of columns."""

OFFICIAL = {"adult": 32561}
"""Leading rows that are to train on, where a table says so."""

MOST = 4000
"""Test rows at most."""


def read_table(name: str, *, inner: bool = False) -> Dataset:
    """A table with its split. Raises InputError where the tables are absent."""
    folder = Path(os.environ.get("ENERGAX_DATA", "data")) / "tables"
    if not (folder / "schema.json").exists():
        raise InputError(f"There is no {folder}: set ENERGAX_DATA to a folder that has it.")
    about = json.loads((folder / "schema.json").read_text())[name]
    path = folder / about["file"]
    kinds = {column["name"]: KINDS[column["kind"]] for column in about["columns"]}
    found = ex.data.load(str(path), columns=kinds, test_fraction=0.2)
    frame = ex.data.make_mixed(ex.data.read_mixed(path), name, known=found.kinds)
    count = OFFICIAL.get(name)
    order = np.random.default_rng(0).permutation(len(frame.rows))
    train = frame.rows[order[: int(0.8 * len(order))]]
    test = frame.rows[order[int(0.8 * len(order)) :]]
    if count is not None:
        train, test = frame.rows[:count], frame.rows[count:]
    if inner:
        train, test = np.split(np.random.default_rng(1).permutation(train), [int(0.8 * len(train))])
    return Dataset(name, train, test[:MOST], columns=frame.columns, kinds=frame.kinds)


def average(parts: list[ex.evaluate.Prediction], tests: np.ndarray, rows: Dataset) -> dict:
    """Means over the columns that vary."""
    found = {"nats": [], "accuracy": [], "r2": []}
    for column, said, cells in zip(rows.kinds, parts, tests.T, strict=True):
        score = ex.evaluate.score_column(said, cells)
        if score is not None and len(column.values) != 1:
            pairs = zip(found.values(), (score.log_p, score.accuracy, score.r2), strict=True)
            for values, value in pairs:
                values.append(value)
    return {
        name: float(np.nanmean(v)) if not np.isnan(v).all() else np.nan for name, v in found.items()
    }


def measure(rows: Dataset, seed: int, options: dict) -> tuple[dict, float]:
    """The scores of one trained energy, and the seconds that training took."""
    begin = time.perf_counter()
    model = ex.fit(rows, seed=seed, **options)
    spent = time.perf_counter() - begin
    tests = encode(model, rows.test)
    said = ex.evaluate.predict_columns(model.energy, model.base, tests)
    return average(list(said), tests, rows), spent


def encode(model: ex.Model, rows: np.ndarray) -> np.ndarray:
    """Rows in model units."""
    return np.asarray(ex.method.build.encode(model.transform, rows, key=jax.random.key(0))[0])


def yardsticks(rows: Dataset) -> dict[str, dict]:
    """The scores of models of single columns."""
    transform = ex.method.build.standardise_columns(rows)
    key, where = jax.random.key(0), rows.space
    parts = (rows.train, rows.test)
    train, test = (np.asarray(ex.method.build.encode(transform, p, key=key)[0]) for p in parts)
    models = {
        "marginal": ex.evaluate.predict_marginals,
        "linear": ex.evaluate.predict_linear,
        "boosted": ex.evaluate.predict_boosted,
    }
    return {
        n: average(list(predict(train, test, where)), test, rows) for n, predict in models.items()
    }


def show(name: str, found: dict, note: str = "") -> None:
    """A line of a table."""
    values = "  ".join(f"{what} {value:7.3f}" for what, value in found.items())
    print(f"  {name:10} {values}  {note}", flush=True)


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["penguins", "adult", "mushroom", "credit_approval", "heart_disease", "titanic"]
    parser.add_argument("--tables", nargs="+", default=names)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--inner", action="store_true")
    parser.add_argument("--no-yardsticks", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    options = {k: json.loads(v) for k, v in (word.split("=") for word in given.set)}
    for name in given.tables:
        rows = read_table(name, inner=given.inner)
        print(f"{name}: {len(rows.train)} + {len(rows.test)} rows, {len(rows.kinds)} columns")
        if not given.no_yardsticks:
            for who, found in yardsticks(rows).items():
                show(who, found)
        for seed in range(given.seeds):
            found, seconds = measure(rows, seed, options)
            show(f"energy {seed}", found, f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
