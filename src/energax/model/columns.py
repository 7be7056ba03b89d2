"""A trained model of mixed columns: its samples, filled holes, and what is unusual in a row."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from energax import data, energy, evaluate, sampler
from energax.data import Column
from energax.errors import InputError
from energax.evaluate import Prediction
from energax.method import build
from energax.model.base import Model

RISING, SWEEPS = 60, 60
"""Sweeps on the way from the base to the energy, and sweeps there."""

Rows = Float[np.ndarray, "_ columns"]


def find_kinds(model: Model) -> tuple[Column, ...]:
    """What the columns of a model hold. Raises InputError for a model of other rows."""
    if model.schema.kinds is None:
        raise InputError(f"{model.schema.name} has no columns of several kinds.")
    return model.schema.kinds


def find_base(model: Model) -> energy.ColumnMixture:
    """The base of a model of mixed columns. Raises TypeError for another one."""
    if not isinstance(model.base, energy.ColumnMixture):
        raise TypeError(f"The base of {model.schema.name} is no mixture of columns.")
    return model.base


def check_columns(model: Model, rows: Any, *, filled: bool = False) -> Rows:
    """Rows of a user, a frame or an array as the model has it, as an array.

    `filled`: holes will be filled, so that any cell may miss. Raises InputError where a column is
    absent, a cell does not fit its column, or one misses that never did in training.
    """
    kinds, name = find_kinds(model), model.schema.name
    if data.is_frame(rows):
        found = data.make_mixed(data.convert_frame(rows, name), name, known=kinds).rows
    else:
        found = np.asarray(rows, np.float32)
    if found.ndim != 2 or found.shape[1] != len(kinds) or not len(found):
        raise InputError(
            f"Rows of {name} must have its {len(kinds)} columns; got an array of shape "
            f"{found.shape}."
        )
    for column, cells in zip(kinds, found.T, strict=True):
        _check_cells(column, cells, name, filled)
    return found


def _check_cells(
    column: Column, cells: Float[np.ndarray, " size"], name: str, filled: bool
) -> None:
    missing, count = np.isnan(cells), len(column.values)
    bad = np.isinf(cells)
    if not column.is_number:
        bad |= ~missing & ((cells < 0) | (cells >= count) | (cells % 1 != 0))
    if bad.any():
        expected = "a finite number" if column.is_number else f"a place of its {count} values"
        row = int(np.argmax(bad))
        raise InputError(
            f"{name}: column {column.name!r} holds {cells[row]:g} in data row {row + 1}; expected "
            f"{expected}."
        )
    if missing.any() and not (column.holes or filled):
        raise InputError(
            f"{name}: column {column.name!r} misses a cell in data row {np.argmax(missing) + 1}, "
            "which none did in training: fill it in by inpainting."
        )


def show_rows(model: Model, rows: np.ndarray) -> Any:
    """Rows as a user gave such: a polars frame for mixed columns, else the array itself."""
    kinds = model.schema.kinds
    return rows if kinds is None else data.decode_rows(rows, kinds)


def round_rows(model: Model, rows: Array) -> Rows:
    """Rows in the user's units, numbers with as many decimals as in training."""
    found = np.asarray(jax.vmap(model.transform.decode)(rows)).astype(np.float64)
    parts = zip(find_kinds(model), found.T, strict=True)
    return np.stack([np.round(cells, c.decimals) for c, cells in parts], axis=1).astype(np.float32)


def draw_columns(
    model: Model, count: int, *, key: PRNGKeyArray
) -> tuple[Array, np.ndarray, float, str]:
    """`count` samples, energies along their chains, how often cells change, and what was done.

    Gibbs sweeps from draws of the base, whose tilt rises to that of the energy.
    """
    born, move = jax.random.split(key)
    base = find_base(model)
    starts = energy.draws(base, count, key=born)
    x, energies, rate = _walk(model.energy, base, starts, key=move)
    words = (
        f"Gibbs sampling of columns, {RISING} sweeps from the base to the energy and {SWEEPS} there"
    )
    return x, np.asarray(energies), float(rate), words


@eqx.filter_jit
def _walk(
    trained: Any, base: energy.ColumnMixture, starts: Array, *, key: PRNGKeyArray
) -> tuple[Array, Array, Array]:
    walk = sampler.ColumnGibbs(base)

    def one(x: Array, key: PRNGKeyArray) -> tuple[Array, Array, Array]:
        first, then = jax.random.split(key)

        def climb(x: Array, part: tuple[Array, PRNGKeyArray]) -> tuple[Array, None]:
            time, key = part
            bridge = energy.Bridge(base, trained, time)
            return walk.step(bridge, sampler.State(x), key=key)[0].x, None

        times = jnp.linspace(0, 1, RISING, dtype=x.dtype)
        x, _ = jax.lax.scan(climb, x, (times, jax.random.split(first, RISING)))
        state, info = sampler.run(walk, trained, x, SWEEPS, key=then, keep=sampler.trace)
        return state.x, info.energy, jnp.mean(info.acceptance)

    x, energies, rate = jax.vmap(one)(starts, jax.random.split(key, len(starts)))
    return x, energies, jnp.mean(rate)


def inpaint_columns(
    model: Model,
    rows: Rows,
    hidden: Bool[np.ndarray, " size columns"],
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> tuple[Rows, str]:
    """`rows` with what is `hidden` drawn from p(hidden | known), none of it missing; and how."""
    sweeps = SWEEPS if steps is None else steps
    known = np.where(hidden, np.nan, rows).astype(np.float32)
    y = build.encode(model.transform, known, key=key)[0]
    found = _fill(model.energy, find_base(model), y, jnp.asarray(hidden), sweeps, key=key)
    words = f"by {sweeps} Gibbs sweeps from draws of the base given the known cells"
    return np.where(hidden, round_rows(model, found), rows), words


def impute(model: Model, rows: Any, *, key: PRNGKeyArray) -> Rows:
    """Rows with every missing cell drawn given the known ones of its row."""
    known = check_columns(model, rows, filled=True)
    return inpaint_columns(model, known, np.isnan(known), key=key)[0]


@eqx.filter_jit
def _fill(
    trained: Any,
    base: energy.ColumnMixture,
    rows: Array,
    hidden: Array,
    sweeps: int,
    *,
    key: PRNGKeyArray,
) -> Array:
    def one(x: Array, hidden: Array, key: PRNGKeyArray) -> Array:
        born, move = jax.random.split(key)
        walk = sampler.ColumnGibbs(base, hidden=hidden, holes=False)
        start = base.fill(x, hidden, key=born)
        return sampler.run(walk, trained, start, sweeps, key=move, keep=sampler.nothing)[0].x

    return jax.vmap(one)(rows, hidden, jax.random.split(key, len(rows)))


def measure_surprise(model: Model, rows: Any) -> Float[np.ndarray, " size columns"]:
    """-log p(x_j given the rest of the row) of each cell, nats, in your units; NaN where missing.

    A large one says which column makes a row unusual. Categories are summed exactly, numbers by a
    quadrature.
    """
    log_units = np.log(_find_units(model))
    each = [np.asarray(said.surprise) for said in _predict(model, rows)]
    return np.stack(each, axis=1) + log_units


def _find_units(model: Model) -> Float[np.ndarray, " columns"]:
    """How long a unit of the model is in the user's: 1 for categories."""
    y = np.zeros((2, len(find_kinds(model))), np.float32)
    y[1] = 1
    low, high = np.asarray(jax.vmap(model.transform.decode)(jnp.asarray(y)))
    return high - low


def _predict(model: Model, rows: Any) -> Iterator[Prediction]:
    y, _ = build.encode(model.transform, check_columns(model, rows), key=jax.random.key(0))
    return evaluate.predict_columns(model.energy, find_base(model), np.asarray(y))


def find_unusual(model: Model, rows: Any) -> tuple[list[str], Float[np.ndarray, " size"]]:
    """Of each row, the column whose cell is the most unlike what its other cells say; by how much.

    That is -log p of the cell given the rest, less its mean over the cells that could stand there,
    in nats, about 0 for a usual row; it has no unit, so columns can be compared.
    """
    said = _predict(model, rows)
    excess = np.stack([np.asarray(s.surprise) - np.asarray(s.entropy) for s in said], axis=1)
    worst = np.argmax(np.where(np.isnan(excess), -np.inf, excess), axis=1)
    names = [find_kinds(model)[at].name for at in worst]
    return names, excess[np.arange(len(excess)), worst]
