"""The method for mixed columns: what it starts from, and tables without numbers or categories."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from commands import as_a_user
from mixed_columns import SPACE, truth

import energax as ex
from energax.data import Column, Dataset
from energax.method import MIXED_METHODS, Groundwork, find_method, kind_of
from energax.method.build import make_columns
from energax.method.build.columns import find_knots

ROWS = np.asarray(ex.energy.draws(truth(), 60, key=jax.random.key(0)), np.float32)
KINDS = (
    Column("height", "number", (), True),
    Column("colour", "category", ("a", "b", "c")),
    Column("mark", "category", ("x", "y"), True),
)


def table():
    return Dataset("three", ROWS[:50], ROWS[50:], columns=("height", "colour", "mark"), kinds=KINDS)


def test_mixed_columns_have_a_method_of_their_own():
    assert (kind_of(table()), table().space) == ("mixed", SPACE)
    assert find_method("columns", table()) is MIXED_METHODS["columns"]


def test_the_energy_starts_at_its_base_and_its_tilt_is_bounded():
    made = make_columns(Groundwork(truth(), None, 50), 8, 1, 4, key=jax.random.key(0))
    x = jnp.array([0.3, 1.0, jnp.nan])
    assert np.isclose(made(x), truth()(x))
    moved = jax.tree.map(lambda w: w + 0.1, ex.energy.weights(made)[0])
    far = ex.energy.weights(made)[1]
    tilted = [
        float(jax.jit(lambda y: eqx.combine(moved, far).tilt(y))(x.at[0].set(place)))
        for place in (50.0, 5000.0)
    ]
    assert tilted[0] == tilted[1]


def test_knots_are_quantiles_of_the_base():
    knots = np.asarray(find_knots(truth(), 4))[0]
    rows = np.asarray(ex.energy.draws(truth(), 100_000, key=jax.random.key(1)))[:, 0]
    # Within five standard errors of a quantile of so many draws.
    assert np.allclose(knots[1:4], np.nanquantile(rows, [0.2505, 0.5, 0.7495]), atol=0.05)
    assert (np.diff(knots) >= 0.05 - 1e-9).all()


@pytest.mark.parametrize("kept", ["town", "height"])
def test_a_table_of_text_alone_or_of_numbers_with_holes_is_learned(kept):
    rng = np.random.default_rng(0)
    town = rng.choice(["Rome", "Oslo"], 80)
    frame = pl.DataFrame({"town": town, "land": np.where(town == "Rome", "Italy", "Norway")})
    if kept == "height":
        height = [None if i % 5 == 0 else h for i, h in enumerate(rng.normal(size=80).round(2))]
        frame = pl.DataFrame({"height": height, "width": rng.normal(size=80).round(2)})
    with as_a_user():
        model = ex.fit(frame, steps=60, batch_size=32, width=4, learning_rate=0.03)
        new = model.sample(40, key=jax.random.key(0))
        surprise = model.measure_surprise(frame)
    assert new.columns == frame.columns
    assert new.schema == frame.schema
    if kept == "town":
        assert np.nanmean(surprise[:, 1]) < 0.3
