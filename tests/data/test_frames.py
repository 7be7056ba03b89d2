"""Rows that are held in Python: arrays, lists, pandas and polars frames, and the sentences for what
cannot be used."""

import json

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest

from energax.data import Dataset, Schema, check_array, from_rows, load
from energax.errors import InputError

GOOD = np.array([[1.0, 2.0], [3.0, 4.5], [-1.0, 0.0]])
HOLES = GOOD.copy()
HOLES[1, 1] = np.nan
COLUMNS = {"a": [1.0, 3.0, -1.0], "b": [2.0, 4.5, 0.0]}


SOURCES = {
    "float64": (GOOD, None),
    "jax": (lambda: jnp.asarray(GOOD), None),
    "lists": (GOOD.tolist(), None),
    "objects": (GOOD.astype(object), None),
    "pandas": (pd.DataFrame(COLUMNS), ("a", "b")),
    "pandas, nullable": (pd.DataFrame(COLUMNS).convert_dtypes(), ("a", "b")),
    "pandas, names that are numbers": (pd.DataFrame(GOOD), ("0", "1")),
    "polars": (pl.DataFrame(COLUMNS), ("a", "b")),
}


@pytest.mark.parametrize("name", SOURCES)
def test_rows_of_every_kind_become_one_array(name):
    rows, columns = SOURCES[name]
    array, names = check_array(rows() if callable(rows) else rows)
    assert array.dtype == np.float32
    assert np.array_equal(array, GOOD)
    assert names == columns


def test_whole_numbers_and_booleans_are_numbers():
    frame = pd.DataFrame({"n": [1, 2], "yes": [True, False]})
    assert check_array(frame)[0].tolist() == [[1, 1], [2, 0]]
    assert check_array(np.array([[1, 2]]))[0].dtype == np.float32
    images = np.zeros((3, 4, 4), np.uint8)
    assert check_array(images)[0].dtype == np.uint8
    assert check_array(images, (4, 4), levels=256)[0].dtype == np.uint8
    assert check_array(np.zeros((3, 16)), (4, 4))[0].shape == (3, 4, 4)


REFUSED = {
    "NaN": (HOLES, {}, "rows: column 2 has 1 missing cell, in data row 2"),
    "infinite": (GOOD / [1, 0.0], {}, "has 2 infinite cells, the first in data row 1: "),
    "beyond float32": (
        GOOD * 1e60,
        {},
        "rows: column 1 holds 1e+60, beyond float32, in data row 1",
    ),
    "NaN in pandas": (
        pd.DataFrame(HOLES, columns=["a", "b"]),
        {},
        "rows: column 'b' has 1 missing cell, in data row 2",
    ),
    "NA in pandas": (
        pd.DataFrame({"a": pd.array([1, None], "Int64")}),
        {},
        "rows: column 'a' has 1 missing cell, in data row 2",
    ),
    "None in pandas": (
        pd.DataFrame({"a": [None, 1.0]}, dtype=object),
        {},
        "rows: column 'a' has 1 missing cell, in data row 1",
    ),
    "null in polars": (
        pl.DataFrame({"a": [1, 2, None]}),
        {},
        "rows: column 'a' has 1 missing cell, in data row 3",
    ),
    "text in pandas": (
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
        {},
        "rows: column 'b' holds text, 'x' in data row 1",
    ),
    "numbers as text": (
        pl.DataFrame({"b": [None, "1.5"]}),
        {},
        "rows: column 'b' holds text, '1.5' in data row 2",
    ),
    "categories": (
        pd.DataFrame({"kind": pd.Categorical(["x", "y"])}),
        {},
        "column 'kind' holds text, 'x'",
    ),
    "dates": (
        pd.DataFrame({"when": pd.to_datetime(["2026-01-01"])}),
        {},
        "rows: column 'when' holds datetime64",
    ),
    "a list in a cell": (
        pd.DataFrame({"a": [1.0, [2.0]]}),
        {},
        "column 'a' holds list, not numbers, [2.0] in data row 2",
    ),
    "text in an array": (np.array([["1", "b"]]), {}, "column 1 holds text, '1' in data row 1"),
    "complex": (GOOD + 1j, {}, "rows: column 1 holds complex128, not numbers"),
    "text in lists": ([[1.0], ["b"]], {}, "column 1 holds text, 'b' in data row 2"),
    "ragged": ([[1.0, 2.0], [3.0]], {}, "rows must be an array of rows of one shape"),
    "one axis": (GOOD[0], {}, "rows holds an array of shape (2,): expected (rows, columns)"),
    "no rows": (GOOD[:0], {}, "rows is empty, of shape (0, 2)"),
    "an empty frame": (pd.DataFrame(), {}, "rows is empty"),
    "two columns of one name": (
        pd.DataFrame(GOOD, columns=["a", "a"]),
        {},
        "rows has two columns called 'a'",
    ),
    "width": (GOOD, {"shape": (3,)}, "rows has 2 columns; the model was trained on 3."),
    "width, with names": (
        GOOD,
        {"shape": (1,), "columns": ("u",), "name": "fresh"},
        "fresh has 2 columns; the model was trained on 1: u.",
    ),
    "names": (
        pd.DataFrame(COLUMNS),
        {"shape": (2,), "columns": ("b", "a")},
        "rows has the columns a, b; the model was trained on b, a, in this order.",
    ),
    "levels": (GOOD, {"shape": (2,), "levels": 4}, "data row 2, column 2 holds 4.5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_issue_11_what_cannot_be_used_gets_a_sentence(name):
    rows, settings, words = REFUSED[name]
    with pytest.raises(InputError) as caught, np.errstate(divide="ignore", invalid="ignore"):
        check_array(rows, **settings)
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def table(size=50):
    return np.random.default_rng(0).normal(size=(size, 2)).astype(np.float32)


def test_rows_are_split_as_those_of_a_file(tmp_path):
    rows = table()
    np.save(tmp_path / "rows.npy", rows)
    file = load(str(tmp_path / "rows.npy"))
    for source in (rows, pd.DataFrame(rows), pl.DataFrame(rows)):
        found = from_rows(source)
        assert np.array_equal(found.train, file.train)
        assert found.digest == file.digest
    assert found.columns == ("column_0", "column_1")
    assert len(from_rows(rows, test_fraction=0.5).test) == 25


def test_images_and_labels_keep_their_places():
    images = np.arange(20 * 4, dtype=np.uint8).reshape(20, 2, 2)
    rows = from_rows(images, labels=np.arange(20) % 3, name="squares")
    assert (rows.levels, rows.shape, rows.labels, rows.name) == (256, (2, 2), 3, "squares")
    for part, labels in ((rows.train, rows.train_labels), (rows.test, rows.test_labels)):
        assert np.array_equal(part[:, 0, 0] // 4 % 3, labels)
    assert len(rows.test) == 4


def test_a_test_part_is_kept_as_it_is():
    frame = pd.DataFrame(table(), columns=["a", "b"])
    rows = from_rows(frame[:40], frame[40:], labels=[0] * 40, test_labels=[1] * 10)
    assert np.array_equal(rows.train, table()[:40])
    assert np.array_equal(rows.test, table()[40:])
    assert rows.columns == ("a", "b")
    assert (set(rows.train_labels), set(rows.test_labels)) == ({0}, {1})


def test_levels_make_whole_numbers_of_reals():
    counts = np.random.default_rng(0).integers(0, 17, (30, 3)).astype(float)
    rows = from_rows(counts, levels=17)
    assert (rows.train.dtype, rows.levels) == (np.uint8, 17)
    assert from_rows(counts[:20], counts[20:], levels=17).test.dtype == np.uint8


UNSPLIT = {
    "few": (lambda: from_rows(table(9)), InputError, "rows has 9 rows: at least 10"),
    "constant": (
        lambda: from_rows(table() * [1, 0], name="mine"),
        InputError,
        "Column 2 of mine is constant",
    ),
    "levels": (
        lambda: from_rows(np.full((20, 2), 17), levels=17),
        InputError,
        "rows: data row 1, column 1 holds 17; expected whole numbers from 0 to 16.",
    ),
    "a NaN in the test part": (
        lambda: from_rows(table(), HOLES, name="mine"),
        InputError,
        "the test part of mine: column 2 has 1 missing cell, in data row 2",
    ),
    "width of the test part": (
        lambda: from_rows(table(), np.ones((10, 3))),
        InputError,
        "the test part of rows has 3 columns; the model was trained on 2.",
    ),
    "images beside reals": (
        lambda: from_rows(np.zeros((20, 2, 2), np.uint8), np.ones((10, 2, 2))),
        InputError,
        "must both hold 8-bit images, or both real numbers",
    ),
    "labels": (
        lambda: from_rows(table(), labels=np.zeros(49, int)),
        InputError,
        "`labels` must be whole numbers from 0, one for each of 50 rows",
    ),
    "labels that are text": (
        lambda: from_rows(table(), labels=["a"] * 50),
        InputError,
        "`labels` must be whole numbers from 0",
    ),
    "labels of one part": (
        lambda: from_rows(table(), table(), labels=[0] * 50),
        ValueError,
        "`test_labels` must be given if and only if",
    ),
    "a share": (
        lambda: from_rows(table(), test_fraction=1.0),
        ValueError,
        "`test_fraction` must be in [0, 1)",
    ),
}


@pytest.mark.parametrize("name", UNSPLIT)
def test_what_makes_no_data_set_gets_a_sentence(name):
    make, kind, words = UNSPLIT[name]
    with pytest.raises(kind) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        from_rows(pd.DataFrame(table(), columns=["a", "b"]), name="mine"),
        from_rows(np.zeros((20, 3, 2, 2), np.uint8), labels=np.arange(20)),
    ],
    ids=["table", "images"],
)
def test_a_schema_comes_back_from_json(rows):
    schema = rows.schema
    assert (schema.name, schema.shape, schema.levels) == (rows.name, rows.shape, rows.levels)
    assert (schema.columns, schema.labels, schema.digest) == (
        rows.columns,
        rows.labels,
        rows.digest,
    )
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
    other = Dataset("other", rows.test, rows.train, levels=rows.levels)
    assert other.schema.digest != schema.digest


def test_a_damaged_schema_is_refused():
    record = from_rows(table()).schema.to_dict()
    for wrong in (record | {"shape": None}, record | {"more": 1}, {"name": "x"}):
        with pytest.raises(InputError, match="The record of a schema is damaged"):
            Schema.from_dict(wrong)
