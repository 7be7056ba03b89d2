"""Tables of mixed columns: how each column is read, cells as numbers and back, and refusals."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from energax.data import (
    Column,
    Schema,
    decode_rows,
    describe_columns,
    from_rows,
    load,
    make_mixed,
    read_mixed,
)
from energax.errors import InputError

SIZE = 60


def people(size=SIZE):
    """A frame of every kind of column, with holes."""
    rng = np.random.default_rng(0)
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=int(d)) for d in range(size)]
    return pl.DataFrame(
        {
            "town": [None if i % 9 == 4 else "Rome" if i % 3 else "Oslo" for i in range(size)],
            "height": [
                None if i % 7 == 2 else float(h)
                for i, h in enumerate(rng.normal(size=size).round(2))
            ],
            "visits": rng.integers(0, 90, size).tolist(),
            "grade": [1 + i % 3 for i in range(size)],
            "member": [bool(i % 2) for i in range(size)],
            "since": days,
        }
    )


@pytest.fixture(params=["csv", "csv.gz", "parquet", "polars", "pandas"])
def read(request, tmp_path):
    """The same rows as a data set, by every way in."""
    frame, path = people(), tmp_path / f"people.{request.param}"
    match request.param:
        case "csv":
            frame.write_csv(path)
        case "csv.gz":
            import gzip

            path.write_bytes(gzip.compress(frame.write_csv().encode()))
        case "parquet":
            frame.write_parquet(path)
        case "polars":
            return from_rows(frame, name="people")
        case "pandas":
            columns = {name: frame[name].to_list() for name in frame.columns}
            return from_rows(pd.DataFrame(columns), name="people")
    return load(str(path))


def test_every_kind_is_found_and_written_back(read):
    kinds = {column.name: column for column in read.kinds}
    found = {name: column.kind for name, column in kinds.items()}
    assert found == {
        "town": "category",
        "height": "number",
        "visits": "integer",
        "grade": "category",
        "member": "boolean",
        "since": "date",
    }
    assert [name for name, column in kinds.items() if column.holes] == ["town", "height"]
    assert (kinds["town"].values, kinds["height"].decimals) == (("Oslo", "Rome"), 2)
    order = np.random.default_rng(0).permutation(SIZE)
    rows = np.concatenate([read.train, read.test])
    assert decode_rows(rows, read.kinds).equals(people()[order])
    assert Schema.from_dict(read.schema.to_dict()) == read.schema
    assert read.space.name == "columns"


def test_the_table_of_columns_says_kind_holes_and_range(read):
    lines = describe_columns(read.kinds, read.train, read.test).splitlines()
    assert [line.split()[0] for line in lines[1:]] == people().columns
    assert lines[1].split()[1:4] == ["category", "2", "7"]
    assert lines[-1].endswith("2024-01-01 to 2024-02-29")


def test_a_table_of_nothing_but_numbers_is_read_as_ever(tmp_path):
    rows = np.random.default_rng(0).normal(size=(30, 2))
    pl.DataFrame(rows, schema=["a", "b"]).write_csv(tmp_path / "x.csv")
    assert load(str(tmp_path / "x.csv")).space.name == "reals"
    assert load(str(tmp_path / "x.csv"), columns={"a": "number"}).space.name == "columns"


def test_kinds_that_are_given_win_and_columns_are_dropped(tmp_path):
    people().write_csv(tmp_path / "x.csv")
    found = load(str(tmp_path / "x.csv"), columns={"grade": "number"}, drop=["since", "town"])
    assert found.columns == ("height", "visits", "grade", "member")
    assert found.kinds[2].kind == "number"


def test_rows_of_a_known_table_are_read_as_its_columns_say():
    known = from_rows(people(), name="people").kinds
    some = people().head(3).select(pl.all().reverse()).with_columns(extra=pl.lit("x"))
    found = make_mixed(some, "new", known=known)
    assert decode_rows(found.rows, known).equals(some.drop("extra"))


def with_cells(name, cells):
    return people().with_columns(pl.Series(name, cells, strict=False))


REFUSED = {
    "text among numbers": (
        with_cells("visits", ["3", "4", "x"] + ["5"] * (SIZE - 3)),
        "column 'visits' holds text, 'x' in data row 3, among numbers",
    ),
    "free text": (
        with_cells("town", [f"no {i}" for i in range(SIZE)]),
        "Column 'town' of people holds 60 different texts in 60 rows, such as 'no 0': drop it",
    ),
    "nothing but holes": (with_cells("town", [None] * SIZE), "'town' .* missing cells only"),
    "an infinite cell": (
        with_cells("height", [np.inf] + [1.5] * (SIZE - 1)),
        "column 'height' holds inf in data row 1; expected a number",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_columns_that_cannot_be_read_are_refused(name):
    frame, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        from_rows(frame, name="people")


def test_a_value_that_training_never_had_is_refused():
    known = from_rows(people(), name="people").kinds
    new = with_cells("town", ["Rome", "Paris"] + ["Oslo"] * (SIZE - 2))
    with pytest.raises(InputError, match="'town' holds 'Paris' in data row 2; expected one of Osl"):
        make_mixed(new, "new", known=known)
    with pytest.raises(InputError, match="new lacks the column 'since'"):
        make_mixed(people().drop("since"), "new", known=known)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": {"towm": "number"}}, "no column 'towm'; did you mean town"),
        ({"columns": {"town": "word"}}, "'town' cannot be read as 'word': known are number"),
        ({"drop": ["x"]}, "no column 'x'"),
        ({"drop": people().columns}, "No column of x.csv is left"),
    ],
)
def test_names_and_kinds_that_are_none_are_refused(tmp_path, options, words):
    people().write_csv(tmp_path / "x.csv")
    with pytest.raises(InputError, match=words):
        load(str(tmp_path / "x.csv"), **options)


def test_an_array_has_no_columns_of_several_kinds(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((20, 2)))
    with pytest.raises(InputError, match=r"x.npy is no \.csv or \.parquet"):
        read_mixed(tmp_path / "x.npy")


def test_columns_that_number_the_rows_and_copies_are_warned_of():
    frame = people().with_columns(number=pl.Series(range(SIZE)))
    assert "'number'" in from_rows(frame, name="people").cautions[0].text
    twice = pl.concat([people(), people()])
    texts = [caution.text for caution in from_rows(twice, name="people").cautions]
    assert any("are training rows too" in text for text in texts)
    assert not any(caution.forbids for caution in from_rows(twice, name="people").cautions)
    assert from_rows(people(), name="people").cautions == ()


def test_a_record_of_a_column_that_is_none_is_refused():
    record = Column("a", "number").to_dict()
    assert Column.from_dict(record) == Column("a", "number")
    for wrong in ({"kind": "word"}, {"values": None}, {"more": 1}):
        with pytest.raises(InputError, match="damaged"):
            Column.from_dict(record | wrong)


def test_guarded_text_is_read_as_it_was(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "'+,1\n'-,2\n" * 20)
    assert load(str(tmp_path / "x.csv")).kinds[0].values == ("+", "-")
